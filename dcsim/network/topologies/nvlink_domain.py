"""NVLink domain: every card has a cable to each of the NVLink switches, as the 72 GPUs of an NVL72 rack have.

NVIDIA GB200 NVL72 (2024): 72 GPUs of 18 NVLink 5 links of 50 GB/s each way, nine switch trays of two switches, one link
of every GPU to every switch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.network.topologies.base import Cards, Facts, MisfitError, Plan

if TYPE_CHECKING:
    import networkx as nx

LARGEST = 72


@dataclass(frozen=True, slots=True)
class NvlinkDomain:
    """``size`` places for cards, each joined to each of ``switches`` switches by an equal part of its rate."""

    size: int = LARGEST
    switches: int = 18

    def facts(self, cards: Cards) -> Facts:
        """Return the closed forms; the disjoint paths are those between two cards."""
        if cards.hosts > self.size:
            raise MisfitError(
                "topology.size",
                str(self.size),
                f"at least {cards.hosts}, the network cards; no domain has more than {LARGEST}",
            )
        return Facts(self.size, self.switches, 0, self.size / 2 * cards.link_bytes_per_s, self.switches)

    def graph(self, cards: Cards) -> nx.MultiGraph[str]:
        """Return the graph; cables are of the tier port."""
        self.facts(cards)
        plan, names = Plan(cards), [f"nvswitch {i}" for i in range(self.switches)]
        plan.switches(names, "nvswitch")
        for host, rate in enumerate(cards.rates()):
            for name in names:
                plan.cable((f"host {host}", name), "port", rate / self.switches, copper=1.0)
        return plan.graph
