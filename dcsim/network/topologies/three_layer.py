"""Three layers: access switches under pairs of aggregation switches, all of them under the cores.

The hierarchy of enterprise data centers (M. Al-Fares, A. Loukissas, A. Vahdat, SIGCOMM 2008, section 2): a block of
access switches shares a few aggregation switches, and every aggregation switch reaches every core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.network.topologies.base import Cards, Facts, MisfitError, Plan, spines_for, split

if TYPE_CHECKING:
    import networkx as nx


_TIERS = ("aggregation", "core")


@dataclass(frozen=True, slots=True)
class ThreeLayer:
    """Blocks of access switches; hosts fill them in order.

    Attributes
    ----------
    radix
        Ports of every switch.
    oversubscription
        Downs over ups of an access switch, at most [1].
    above
        Downs over ups of an aggregation switch, at most [1].
    aggregations
        Aggregation switches of a block, over which each of its access switches deals its uplinks out.
    """

    radix: int
    oversubscription: float = 1.0
    above: float = 1.0
    aggregations: int = 2

    def facts(self, cards: Cards) -> Facts:
        """Return the closed forms, those of whole blocks; the bisection is of the tier with the least capacity."""
        (down, up), (_, core_up) = self._ports()
        access, blocks = self._counts(cards.hosts)
        link, hosts = cards.link_bytes_per_s, access * down
        if access < 2:
            return Facts(down, access, 0, down / 2 * link, 0)
        middle = blocks * self.aggregations
        if blocks == 1:
            return Facts(hosts, access + middle, access * up, min(down, up) * access / 2 * link, up)
        cores = spines_for(middle, core_up, self.radix, _TIERS)
        cut = min(hosts, access * up, middle * core_up) / 2
        cables = access * up + middle * core_up
        return Facts(hosts, access + middle + cores, cables, cut * link, min(up, self.aggregations * core_up))

    def graph(self, cards: Cards) -> nx.MultiGraph[str]:
        """Return the graph; cables are of the tiers access (to aggregation) and core (aggregation to core)."""
        (down, up), (_, core_up) = self._ports()
        access, blocks = self._counts(cards.hosts)
        plan, each = Plan(cards), self._per_block()
        names = [f"access {i // each}.{i % each}" for i in range(access)]
        plan.switches(names, "access")
        for host in range(cards.hosts):
            plan.host(host, names[host // down])
        if access < 2:
            return plan.graph
        middle = [[f"agg {block}.{i}" for i in range(self.aggregations)] for block in range(blocks)]
        for block, members in enumerate(middle):
            plan.switches(members, "aggregation")
            plan.bundle(names[block * each : (block + 1) * each], members, up, ("access", cards.link_bytes_per_s))
        if blocks > 1:
            flat = [name for members in middle for name in members]
            cores = [f"core {i}" for i in range(spines_for(len(flat), core_up, self.radix, _TIERS))]
            plan.switches(cores, "core")
            plan.bundle(flat, cores, core_up, ("core", cards.link_bytes_per_s))
        return plan.graph

    def _ports(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return split(self.radix, self.oversubscription), split(self.radix, self.above, "core_oversubscription")

    def _per_block(self) -> int:
        (_, up), (down, _) = self._ports()
        each = -(-up // self.aggregations)
        if down < each:
            raise MisfitError(
                "topology.aggregations",
                str(self.aggregations),
                f"at least {-(-up // down)}: an access switch has {up} uplinks, one of these {down} down-ports",
            )
        return down // each

    def _counts(self, hosts: int) -> tuple[int, int]:
        access = -(-hosts // self._ports()[0][0])
        return access, -(-access // self._per_block())
