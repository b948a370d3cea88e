"""Dragonfly: groups of fully joined routers, and cables between every two groups.

J. Kim, W. Dally, S. Scott, D. Abts, "Technology-Driven, Highly-Scalable Dragonfly Topology", ISCA 2008. A router has
p hosts, a - 1 cables within its group of a routers and h cables to other groups; there are at most a h + 1 groups.
Balanced is a = 2 p = 2 h.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.network.topologies.base import Cards, Facts, MisfitError, Plan

if TYPE_CHECKING:
    import networkx as nx


# Minimal routes take one cable between groups, even where two of them and no local ones would be fewer: as long as the
# two local cables beside it at most, and one more.
_GLOBAL = 3.0


@dataclass(frozen=True, slots=True)
class Dragonfly:
    """Groups as many as the hosts fill, each with all its ports to other groups spread evenly over them.

    Attributes
    ----------
    hosts_per_router
        p.
    routers
        a, of a group.
    globals_per_router
        h, cables of a router to other groups.
    groups
        Groups; as many as the hosts fill unless given.
    radix
        Ports of a router, all that are needed unless given.
    """

    hosts_per_router: int
    routers: int
    globals_per_router: int
    groups: int | None = None
    radix: int | None = None

    @classmethod
    def balanced(cls, radix: int) -> Dragonfly:
        """Return the balanced dragonfly of routers of ``radix`` ports: radix + 1 >= 4 h."""
        if radix < 3:
            raise MisfitError("radix", str(radix), "routers of at least 3 ports: a host, a neighbor, another group")
        half = (radix + 1) // 4
        return cls(half, 2 * half, half)

    def count(self, hosts: int) -> int:
        """Return the groups."""
        ports = self.hosts_per_router + self.routers - 1 + self.globals_per_router
        if self.radix is not None and ports > self.radix:
            raise MisfitError(
                "topology",
                f"{self.hosts_per_router} hosts, {self.routers - 1} neighbors and {self.globals_per_router} cables to "
                f"other groups a router",
                f"at most {self.radix} together, the ports of a switch",
            )
        each, most = self.hosts_per_router * self.routers, self.routers * self.globals_per_router + 1
        groups = self.groups or -(-hosts // each)
        if groups > most:
            raise MisfitError(
                "topology.groups" if self.groups else "radix",
                f"{groups} groups",
                f"at most routers x globals + 1 = {most} groups of {each} hosts",
            )
        if groups * each < hosts:
            raise MisfitError("topology.groups", str(groups), f"at least {-(-hosts // each)} groups of {each} hosts")
        return groups

    def facts(self, cards: Cards) -> Facts:
        """Return the closed forms.

        Between two of g groups there are m = floor(a h / (g - 1)) cables; halving the groups cuts floor(g^2 / 4) m of
        them (g even). A lone group is cut through its routers: (a/2)^2 cables.
        """
        groups, a = self._shape(cards.hosts)
        hosts = groups * a * self.hosts_per_router
        between = self._between(groups)
        cut = groups * groups // 4 * between if groups > 1 else a * a // 4
        cables = groups * a * (a - 1) // 2 + groups * (groups - 1) // 2 * between
        bisection = min(cut, hosts / 2) * cards.link_bytes_per_s
        return Facts(hosts, groups * a, cables, bisection, a - 1 + between * (groups - 1) // a)

    def graph(self, cards: Cards) -> nx.MultiGraph[str]:
        """Return the graph; cables are of the tiers local and global, routers have the attribute ``group``."""
        plan, (groups, a) = Plan(cards), self._shape(cards.hosts)
        names = [[f"router {group}.{i}" for i in range(a)] for group in range(groups)]
        for group, members in enumerate(names):
            plan.switches(members, "router")
            for name in members:
                plan.graph.nodes[name]["group"] = group
        flat = [name for members in names for name in members]
        for host in range(cards.hosts):
            plan.host(host, flat[host // self.hosts_per_router])
        for members in names:
            for i, low in enumerate(members):
                for high in members[i + 1 :]:
                    plan.cable((low, high), "local", cards.link_bytes_per_s)
        between = self._between(groups)
        for low_group in range(groups):
            for high_group in range(low_group + 1, groups):
                ahead, behind = high_group - low_group - 1, groups - 1 - (high_group - low_group)
                for cable in range(between):
                    ends = (ahead * between + cable) % a, (behind * between + cable) % a
                    routers = names[low_group][ends[0]], names[high_group][ends[1]]
                    plan.cable(routers, "global", cards.link_bytes_per_s, weight=_GLOBAL)
        return plan.graph

    def _shape(self, hosts: int) -> tuple[int, int]:
        """Return the groups and the routers of each; a group alone has only those that its hosts fill."""
        groups = self.count(hosts)
        return groups, self.routers if groups > 1 else min(self.routers, -(-hosts // self.hosts_per_router))

    def _between(self, groups: int) -> int:
        return self.routers * self.globals_per_router // (groups - 1) if groups > 1 else 0
