"""Leaf-spine: two tiers, every leaf switch joined to every spine switch.

The folded Clos network of C. Clos, "A Study of Non-Blocking Switching Networks", Bell System Technical Journal 32
(1953), as data centers cable it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.network.topologies.base import Cards, Facts, Plan, spines_for, split

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class LeafSpine:
    """Leaves of ``radix`` ports whose down-ports over up-ports are at most ``oversubscription``; hosts fill them."""

    radix: int
    oversubscription: float = 1.0

    def leaves(self, hosts: int) -> int:
        """Return the leaf switches that ``hosts`` hosts take."""
        return -(-hosts // split(self.radix, self.oversubscription)[0])

    def facts(self, cards: Cards) -> Facts:
        """Return the closed forms: a bisection of min(hosts, all uplinks) / 2, ``uplinks`` disjoint paths."""
        down, up = split(self.radix, self.oversubscription)
        return two_tiers(self.leaves(cards.hosts), (down, up), self.radix, cards.link_bytes_per_s)

    def graph(self, cards: Cards) -> nx.MultiGraph[str]:
        """Return the graph."""
        down, up = split(self.radix, self.oversubscription)
        plan, leaves = Plan(cards), [f"leaf {i}" for i in range(self.leaves(cards.hosts))]
        plan.switches(leaves, "leaf")
        for host in range(cards.hosts):
            plan.host(host, leaves[host // down])
        add_spines(plan, leaves, up, self.radix, cards.link_bytes_per_s)
        return plan.graph


def two_tiers(leaves: int, ports: tuple[int, int], radix: int, link_bytes_per_s: float) -> Facts:
    """Return the numbers of ``leaves`` switches of ``ports`` (down, up) under their spines."""
    down, up = ports
    if leaves < 2:
        return Facts(down, leaves, 0, down / 2 * link_bytes_per_s, 0)
    spines = spines_for(leaves, up, radix)
    bisection = min(down, up) * leaves / 2 * link_bytes_per_s
    return Facts(leaves * down, leaves + spines, leaves * up, bisection, up)


def add_spines(plan: Plan, leaves: list[str], uplinks: int, radix: int, link_bytes_per_s: float) -> None:
    """Add the fewest spines that join ``leaves``; one leaf needs none."""
    if len(leaves) < 2:
        return
    spines = [f"spine {i}" for i in range(spines_for(len(leaves), uplinks, radix))]
    plan.switches(spines, "spine")
    plan.bundle(leaves, spines, uplinks, ("spine", link_bytes_per_s))
