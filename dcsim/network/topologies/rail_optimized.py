"""Rail-optimized: the i-th network cards of the servers of a unit meet in one switch, so that peers are one hop apart.

As in NVIDIA's DGX SuperPOD reference architecture; without a spine it is the rail-only network of W. Wang et al.,
"Rail-only: A Low-Cost High-Performance Network for Training LLMs with Trillion Parameters", HOTI 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.network.topologies.base import Cards, Facts, MisfitError, Plan, split
from dcsim.network.topologies.leaf_spine import add_spines, two_tiers

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class RailOptimized:
    """One leaf switch a rail and unit of servers.

    Attributes
    ----------
    radix
        Ports of a switch.
    oversubscription
        Down-ports over up-ports of a leaf, at most [1].
    spine
        Whether a spine joins the leaves. Without, a card reaches only cards of its rail, all of which need to fit one
        switch; other ranks are reached through the links inside a server.
    rails
        Rails; as many as the server with most cards has cards unless given. Cards beyond go round; those of an endpoint
        with fewer are dealt out over the rails in turn.
    """

    radix: int
    oversubscription: float = 1.0
    spine: bool = True
    rails: int | None = None

    def facts(self, cards: Cards) -> Facts:
        """Return the closed forms, those of a leaf-spine of as many leaves."""
        down, up = self._ports()
        rails = self.rails or cards.most
        units = self._units(cards)
        if self.spine:
            return two_tiers(rails * units, (down, up), self.radix, cards.link_bytes_per_s)
        return Facts(rails * down, rails, 0, rails * down / 2 * cards.link_bytes_per_s, 0)

    def graph(self, cards: Cards) -> nx.MultiGraph[str]:
        """Return the graph; hosts and switches have the attribute ``rail`` too."""
        down, up = self._ports()
        plan, rails, units = Plan(cards), self.rails or cards.most, self._units(cards)
        leaves = [f"leaf {unit}.{rail}" for unit in range(units) for rail in range(rails)]
        plan.switches(leaves, "leaf")
        taken = [0] * rails
        for host, rail in enumerate(rails_of(cards, rails)):
            plan.graph.nodes[f"host {host}"]["rail"] = rail
            plan.host(host, leaves[taken[rail] // down * rails + rail])
            taken[rail] += 1
        if self.spine:
            add_spines(plan, leaves, up, self.radix, cards.link_bytes_per_s)
        return plan.graph

    def _ports(self) -> tuple[int, int]:
        return split(self.radix, self.oversubscription) if self.spine else (self.radix, 0)

    def _units(self, cards: Cards) -> int:
        rails, down = self.rails or cards.most, self._ports()[0]
        of_rail = rails_of(cards, rails)
        longest = max(of_rail.count(rail) for rail in range(rails))
        fewest = min(cards.counts, default=rails)
        if not self.spine and fewest < rails:
            raise MisfitError(
                "topology.spine", "none", f"a spine, or {rails} cards, one a rail, in every server: one has {fewest}"
            )
        if not self.spine and longest > down:
            raise MisfitError(
                "topology.spine", "none", f"a spine, or a radix of at least {longest}, the cards of a rail: {down} fit"
            )
        return -(-longest // down)


def rails_of(cards: Cards, rails: int) -> list[int]:
    """Return the rail of every host."""
    found: list[int] = []
    offset = 0
    for count in cards.counts:
        first = 0 if count >= rails else offset
        found += [(first + card) % rails for card in range(count)]
        offset += 0 if count >= rails else count
    return found
