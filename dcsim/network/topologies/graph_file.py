"""Any network from a GraphML file: hosts, switches and cables as its author drew them.

GraphML (U. Brandes et al., "GraphML Progress Report", Graph Drawing 2001) is what NetworkX, yEd, Gephi, igraph write.
Nodes have ``kind`` (host or switch) and may have ``tier``; hosts may name their ``card``, "train/3 nic 0". Edges have
``rate`` ("400 Gbit/s") and may have ``latency`` ("5 us"), ``tier`` and ``weight``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dcsim import units
from dcsim.errors import UnitError
from dcsim.network.topologies.base import Cards, Facts, MisfitError

if TYPE_CHECKING:
    import networkx as nx

_KEY = "topology.file"
_LARGEST_BYTES = 256 * 2**20
_MOST_TOLD = 5
_EXAMPLE = 'a rate above zero on every edge, such as "400 Gbit/s"; take an edge out that is not to be used'
_SMALL = 400  # nodes up to which the bisection is found by maximum flow


class _Fault(NamedTuple):
    """What is wrong in a file, and what was expected in its place."""

    found: str
    expected: str


@dataclass(frozen=True, slots=True)
class GraphFile:
    """The network of ``path``; cards take the hosts that name them, or where none does the hosts in their order."""

    path: Path

    def facts(self, cards: Cards) -> Facts:
        """Return the counts, and in a small graph the maximum flow between the first and second half of the hosts.

        Raises
        ------
        MisfitError
            If the file cannot be read, or with the first problems that it has.
        """
        graph = self.graph(cards)
        hosts = _hosts(graph)
        switches = graph.number_of_nodes() - len(hosts)
        own = sum(graph.degree(host) for host in hosts)
        fewest = min((degree for name, degree in graph.degree() if name not in set(hosts)), default=0)
        halves = hosts[: len(hosts) // 2], hosts[len(hosts) // 2 :]
        cut = _max_flow(graph, halves) if graph.number_of_nodes() <= _SMALL and len(hosts) > 1 else float("nan")
        return Facts(len(hosts), switches, graph.number_of_edges() - own, cut, fewest)

    def graph(self, cards: Cards) -> nx.MultiGraph[str]:
        """Return the graph with its hosts renamed and in the order of ``cards``; raises as :meth:`facts`."""
        drawn = self._read()
        found = list(_problems(drawn))
        if not found:
            order, found = _order(drawn, cards)
        if not found:
            graph = _built(drawn, order, cards)
            found = list(_apart(graph, order))
        if found:
            told = found[:_MOST_TOLD]
            more = f"; and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
            expected = "; ".join(dict.fromkeys(each.expected for each in told))
            raise MisfitError(_KEY, f"{self.path.name}: {'; '.join(each.found for each in told)}{more}", expected)
        return graph

    def _read(self) -> nx.MultiGraph[str]:
        import networkx as nx

        try:
            if self.path.stat().st_size > _LARGEST_BYTES:
                raise MisfitError(_KEY, f"{self.path.name} of more than 256 MiB", "a smaller file")
            read: Any = nx.read_graphml(self.path, force_multigraph=True)
        except OSError as error:
            raise MisfitError(_KEY, f"{self.path} ({error.strerror})", "a file that can be read") from error
        except (SyntaxError, nx.NetworkXError, KeyError, ValueError) as error:
            raise MisfitError(_KEY, f"{self.path.name}: {error}", "a GraphML file") from error
        if read.is_directed():
            raise MisfitError(
                _KEY, f"{self.path.name}: directed edges", 'edgedefault="undirected": cables go both ways'
            )
        drawn: nx.MultiGraph[str] = read
        return drawn


def _hosts(graph: nx.MultiGraph[str]) -> list[str]:
    return [name for name, attributes in graph.nodes(data=True) if attributes["kind"] == "host"]


def _rate(edge: dict[str, Any]) -> float:
    return units.parse(str(edge.get("rate", "")), "data rate")


def _weighs(weight: object) -> bool:
    try:
        return 0.0 < float(str(weight)) < inf
    except ValueError:
        return False


def _problems(drawn: nx.MultiGraph[str]) -> Iterator[_Fault]:
    """Yield nodes of no known kind, hosts without a cable, cables without a rate or with a wrong latency or weight."""
    for name, attributes in drawn.nodes(data=True):
        kind = attributes.get("kind")
        if kind not in ("host", "switch"):
            yield _Fault(f'node {name} of kind "{kind}"', "nodes with kind host or switch")
        elif kind == "host" and not drawn.degree(name):
            yield _Fault(f"host {name} without a cable", "an edge from every host to a switch")
    for low, high, edge in drawn.edges(data=True):
        if low == high:
            yield _Fault(f"a cable from {low} to itself", "edges between two nodes")
        if not _weighs(edge.get("weight", 1.0)):
            told = f'the cable {low} - {high} with weight "{edge["weight"]}"'
            yield _Fault(told, "a weight above zero, such as 1.5: routing takes paths of the least sum")
        try:
            if not _rate(edge) > 0.0:
                yield _Fault(f"the cable {low} - {high} with a rate of zero", _EXAMPLE)
            if units.parse(str(edge.get("latency", "0 s")), "time") < 0.0:
                yield _Fault(f"the cable {low} - {high} with a latency below zero", 'a latency such as "5 us"')
        except UnitError as error:
            key, expected = ("rate", _EXAMPLE) if "rate" in str(error) else ("latency", 'a latency such as "5 us"')
            given = f'with {key} "{edge[key]}"' if key in edge else f"without a {key}"
            yield _Fault(f"the cable {low} - {high} {given}", expected)


def _order(drawn: nx.MultiGraph[str], cards: Cards) -> tuple[list[str], list[_Fault]]:
    """Return the host of every card, and what is wrong with it."""
    hosts = _hosts(drawn)
    named: dict[str, list[str]] = {}
    for host in hosts:
        if drawn.nodes[host].get("card") is not None:
            named.setdefault(str(drawn.nodes[host]["card"]), []).append(host)
    wanted = [f"{cards.names[endpoint]} nic {card}" for endpoint, card in cards.places()]
    if not named:
        lack = [_Fault(f"{len(hosts)} hosts", f"{len(wanted)}, one for every network card of the cluster")]
        return hosts[: len(wanted)], lack if len(hosts) < len(wanted) else []
    every = f'every card of the cluster at one host, from "{wanted[0]}" to "{wanted[-1]}"'
    found = [
        _Fault(f'card "{card}" at {len(at)} hosts, {" and ".join(at)}', every)
        for card, at in named.items()
        if len(at) > 1
    ]
    found += [
        _Fault(f'host {at[0]} with card "{card}", which no server has', every)
        for card, at in named.items()
        if card not in set(wanted)
    ]
    found += [_Fault(f'card "{card}" at no host', every) for card in wanted if card not in named]
    return [named[card][0] for card in wanted if card in named], found


def _built(drawn: nx.MultiGraph[str], order: list[str], cards: Cards) -> nx.MultiGraph[str]:
    """Return the graph with hosts first, in the order of the cards; hosts that no card takes are left out."""
    import networkx as nx

    graph: nx.MultiGraph[str] = nx.MultiGraph()
    number = {name: f"host {host}" for host, name in enumerate(order)}
    rates = cards.rates()
    for host, name in enumerate(order):
        graph.add_node(number[name], kind="host", tier="host", capacity_bytes_per_s=rates[host])
    for name, attributes in drawn.nodes(data=True):
        if attributes["kind"] == "switch":
            label = str(attributes.get("label", name))
            number[name] = name if label in graph else label
            graph.add_node(number[name], kind="switch", tier=str(attributes.get("tier", "switch")))
    for low, high, edge in drawn.edges(data=True):
        if low in number and high in number:
            latency_s = units.parse(str(edge.get("latency", "0 s")), "time")
            own = "host" if "host" in (drawn.nodes[low]["kind"], drawn.nodes[high]["kind"]) else "switch"
            graph.add_edge(
                number[low],
                number[high],
                None,
                tier=str(edge.get("tier", own)),
                capacity_bytes_per_s=_rate(edge),
                latency_s=latency_s,
                weight=float(edge.get("weight", 1.0 + latency_s * 1e6)),
            )
    return graph


def _apart(graph: nx.MultiGraph[str], drawn: list[str]) -> Iterator[_Fault]:
    """Yield the hosts that cannot reach host 0, by their names as ``drawn``: hosts hand nothing on."""
    hosts = _hosts(graph)
    seen, front, ends = set(hosts[:1]), hosts[:1], set(hosts[1:])
    while front:
        front = [near for name in front if name not in ends for near in graph[name]]
        front = list(dict.fromkeys(name for name in front if name not in seen))
        seen.update(front)
    lost = [name for host, name in zip(hosts, drawn, strict=True) if host not in seen]
    if lost:
        yield _Fault(
            f"{len(lost)} of {len(hosts)} hosts without a path to host {drawn[0]}, {lost[0]} the first of them",
            "one network: edges that join its parts by their switches",
        )


def _max_flow(graph: nx.MultiGraph[str], halves: tuple[list[str], list[str]]) -> float:
    import networkx as nx

    plain: nx.Graph[str] = nx.Graph()
    for low, high, edge in graph.edges(data=True):
        known = plain.get_edge_data(low, high, {"rate": 0.0})["rate"]
        plain.add_edge(low, high, rate=known + edge["capacity_bytes_per_s"])
    for end, hosts in zip((" from", " to"), halves, strict=True):
        for host in hosts:
            plain.add_edge(end, host)  # without a capacity: infinite
    return float(nx.maximum_flow_value(plain, " from", " to", capacity="rate"))
