"""What to simulate: frozen, validated values without an engine. Only ``load`` (with ``include``) reads files."""

from dcsim.scenario.root import Scenario

__all__ = ["Scenario"]
