"""Closed forms of collectives: bytes, latency and time where nobody else is on the links.

The ring all-reduce is a reduce-scatter and an all-gather of n - 1 rounds each (P. Patarasuk, X. Yuan, "Bandwidth
optimal all-reduce algorithms for clusters of workstations", J. Parallel Distrib. Comput. 69 (2009) 117): in a round
every rank sends one n-th of the payload to its neighbour.
"""

from __future__ import annotations


def ring_share(ranks: int) -> float:
    """Return the bytes that each edge of a ring carries per byte of payload, 2 (n - 1) / n [1]."""
    return 2.0 * (ranks - 1) / ranks


def ring_latency_s(ranks: int, network_hops: int, network_hop_s: float, inner_hop_s: float) -> float:
    """Return the latency of a ring all-reduce [s]: 2 (n - 1) rounds, most of them as long as a hop inside a server.

    Parameters
    ----------
    ranks
        Ranks n in the ring.
    network_hops
        Edges of the ring that leave a server: the number of servers, or 0 inside one server.
    network_hop_s, inner_hop_s
        Time of one hop through the network and inside a server [s].

    Notes
    -----
    2 [(servers - 1) network + (n - servers) inner], as in the tuning model of NCCL (src/graph/tuning.cc): chunks travel
    round the ring in a pipeline, so a round does not wait for the slowest hop of the round before.
    """
    if network_hops == 0:
        return 2.0 * (ranks - 1) * inner_hop_s
    return 2.0 * ((network_hops - 1) * network_hop_s + (ranks - network_hops) * inner_hop_s)


def ring_all_reduce_s(size_bytes: float, ranks: int, bytes_per_s: float, latency_s: float) -> float:
    """Return the time of a ring all-reduce of ``size_bytes`` a rank [s]: latency + 2 (n - 1) / n size / rate."""
    return latency_s + ring_share(ranks) * size_bytes / bytes_per_s
