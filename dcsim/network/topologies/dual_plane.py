"""Dual-plane, dual-ToR: each network card has a port to either of two planes that share no switch.

As in K. Qian et al., "Alibaba HPN: A Data Center Network for Large Language Model Training", SIGCOMM 2024: the two
ports of the i-th cards of the servers of a unit go to two top-of-rack switches, one in each plane, so that neither a
cable nor a switch that fails cuts a server off, and the choice of path is made once, at the card.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.network.topologies.base import Cards, Facts, Plan, spines_for, split
from dcsim.network.topologies.rail_optimized import rails_of

if TYPE_CHECKING:
    import networkx as nx

PLANES = "ab"


@dataclass(frozen=True, slots=True)
class DualPlane:
    """A top-of-rack switch a plane, rail and unit, spines of each plane above.

    Attributes
    ----------
    radix
        Ports of a switch; a port down is split in two of half the rate, one for a port of a card.
    oversubscription
        Downs over ups of a top-of-rack switch, at most [1].
    rails
        Rails; as many as the server with most cards has cards unless given.
    """

    radix: int
    oversubscription: float = 1.0
    rails: int | None = None

    def facts(self, cards: Cards) -> Facts:
        """Return the closed forms, two leaf-spines of half the hosts' rate; disjoint paths are those of a plane."""
        down, up = split(self.radix, self.oversubscription)
        leaves, link = self._units(cards) * (self.rails or cards.most), cards.link_bytes_per_s
        hosts = leaves * 2 * down
        if leaves < 2:
            return Facts(hosts, 2 * leaves, 0, hosts / 2 * link, 0)
        spines = spines_for(leaves, up, self.radix)
        return Facts(hosts, 2 * (leaves + spines), 2 * leaves * up, min(down, up) * leaves * link, up)

    def graph(self, cards: Cards) -> nx.MultiGraph[str]:
        """Return the graph; cables are of the tiers port (card to top of rack) and spine."""
        down, up = split(self.radix, self.oversubscription)
        plan, rails, units = Plan(cards), self.rails or cards.most, self._units(cards)
        places = [(unit, rail) for unit in range(units) for rail in range(rails)]
        for plane in PLANES:
            plan.switches([f"tor {plane}.{unit}.{rail}" for unit, rail in places], "tor")
        taken, rates = [0] * rails, cards.rates()
        for host, rail in enumerate(rails_of(cards, rails)):
            plan.graph.nodes[f"host {host}"]["rail"] = rail
            for plane in PLANES:
                tor = f"tor {plane}.{taken[rail] // (2 * down)}.{rail}"
                plan.cable((f"host {host}", tor), "port", rates[host] / 2.0)
            taken[rail] += 1
        for plane in PLANES if len(places) > 1 else "":
            tors = [f"tor {plane}.{unit}.{rail}" for unit, rail in places]
            spines = [f"spine {plane}.{i}" for i in range(spines_for(len(tors), up, self.radix))]
            plan.switches(spines, "spine")
            plan.bundle(tors, spines, up, ("spine", cards.link_bytes_per_s))
        return plan.graph

    def _units(self, cards: Cards) -> int:
        rails, down = self.rails or cards.most, split(self.radix, self.oversubscription)[0]
        of_rail = rails_of(cards, rails)
        return -(-max(of_rail.count(rail) for rail in range(rails)) // (2 * down))
