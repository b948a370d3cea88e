"""How far a run is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """Simulated time [s], share of the work done [1] if it is known, events processed."""

    simulated_s: float
    fraction: float | None
    events: int
