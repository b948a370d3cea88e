"""A WAN mesh: sites, each a leaf-spine of its own behind a gateway, and links between the gateways.

Light takes about 5 us a kilometer of fiber, one way (index of refraction 1.47); a link states its own latency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.network.topologies.base import Cards, Facts, MisfitError, Plan, spines_for, split

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class WanLink:
    """A link between two sites: rate each way [B/s], latency one way [s]."""

    ends: tuple[str, str]
    rate_bytes_per_s: float
    latency_s: float


@dataclass(frozen=True, slots=True)
class Wan:
    """Sites by the pools of servers in them; "storage" is the pool of the storage nodes.

    Attributes
    ----------
    radix, oversubscription
        Of the switches of every site's leaf-spine.
    sites
        The name of each site and the pools in it.
    links
        Links between sites.
    """

    radix: int
    sites: tuple[tuple[str, tuple[str, ...]], ...]
    links: tuple[WanLink, ...]
    oversubscription: float = 1.0

    def facts(self, cards: Cards) -> Facts:
        """Return the counts; the bisection is between the halves of the sites, in the order they are named."""
        down, up = split(self.radix, self.oversubscription)
        leaves = [-(-len(hosts) // down) for hosts in self._hosts(cards).values()]
        spines = [spines_for(count, up, self.radix) if count > 1 else 0 for count in leaves]
        first = {name for name, _ in self.sites[: len(self.sites) // 2]}
        cut = sum(link.rate_bytes_per_s for link in self.links if (link.ends[0] in first) != (link.ends[1] in first))
        own = sum(count * up for count in leaves if count > 1)
        gates = sum(max(1, count) for count in spines)
        fewest = min(sum(name in link.ends for link in self.links) for name, _ in self.sites)
        return Facts(
            sum(leaves) * down, sum(leaves) + sum(spines) + len(leaves), own + gates + len(self.links), cut, fewest
        )

    def graph(self, cards: Cards) -> nx.MultiGraph[str]:
        """Return the graph; cables are of the tiers host, spine, gateway and wan."""
        plan, (down, up) = Plan(cards), split(self.radix, self.oversubscription)
        for site, hosts in self._hosts(cards).items():
            leaves = [f"leaf {site}.{i}" for i in range(-(-len(hosts) // down))]
            plan.switches(leaves, "leaf")
            for place, host in enumerate(hosts):
                plan.host(host, leaves[place // down])
            spines = []
            if len(leaves) > 1:
                spines = [f"spine {site}.{i}" for i in range(spines_for(len(leaves), up, self.radix))]
                plan.switches(spines, "spine")
                plan.bundle(leaves, spines, up, ("spine", cards.link_bytes_per_s))
            plan.switches([f"gateway {site}"], "gateway")
            # What leaves a site is bounded by its WAN links, so the way to the gateway is as wide as all of them.
            rate = sum(link.rate_bytes_per_s for link in self.links if site in link.ends)
            for top in spines or leaves:
                plan.cable((top, f"gateway {site}"), "gateway", max(rate, cards.link_bytes_per_s))
        for link in self.links:
            low, high = (f"gateway {end}" for end in link.ends)
            plan.cable(
                (low, high),
                "wan",
                link.rate_bytes_per_s,
                latency_s=link.latency_s,
                weight=1.0 + round(link.latency_s * 1e6),
            )
        return plan.graph

    def _hosts(self, cards: Cards) -> dict[str, list[int]]:
        site_of = {pool: site for site, pools in self.sites for pool in pools}
        found: dict[str, list[int]] = {site: [] for site, _ in self.sites}
        for host, (endpoint, _) in enumerate(cards.places()):
            pool = cards.names[endpoint].partition("/")[0]
            if pool not in site_of:
                known = ", ".join(site_of)
                raise MisfitError("topology.sites", f"no site with {pool}", f"every pool in a site, beside {known}")
            found[site_of[pool]].append(host)
        empty = [site for site, hosts in found.items() if not hosts]
        if empty:
            raise MisfitError("topology.sites", f"nothing in {empty[0]}", "a pool of the cluster in every site")
        return found
