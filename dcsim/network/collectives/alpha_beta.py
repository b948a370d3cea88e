"""Closed forms of collectives: bytes, latency and time where nobody else is on the links.

The ring all-reduce is a reduce-scatter and an all-gather of n - 1 rounds each (P. Patarasuk, X. Yuan, "Bandwidth
optimal all-reduce algorithms for clusters of workstations", J. Parallel Distrib. Comput. 69 (2009) 117): in a round
every rank sends one n-th of the payload to its neighbour.
"""

from __future__ import annotations

Pair = tuple[float, float]


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


def tree_all_reduce_s(size_bytes: float, ranks: int, bytes_per_s: float, hop_s: float) -> float:
    """Return the time of a binomial-tree all-reduce of ``size_bytes`` a rank over links of one rate [s].

    2 ceil(log2 n) (hop + size / rate): the whole payload crosses every level, up and down, one level after the other
    (Thakur et al., "Optimization of collective communication operations in MPICH", 2005, section 4).
    """
    return 2.0 * (ranks - 1).bit_length() * (hop_s + size_bytes / bytes_per_s)


def hierarchical_all_reduce_s(size_bytes: float, shape: tuple[int, int], rates: Pair, hops_s: Pair) -> float:
    """Return the time of a hierarchical all-reduce of ``size_bytes`` a rank [s].

    Parameters
    ----------
    size_bytes
        Payload of a rank [B].
    shape
        Ranks of a group g, groups m.
    rates, hops_s
        Rate of a rank's link [B/s] and time of a hop [s], inside a group and between groups.

    Notes
    -----
    Two half rings inside a group, 2 (g - 1) rounds of size / g, and a ring of 2 (m - 1) rounds of size / (g m) between
    the groups, for every part on the network card of its own rank.
    """
    (group, groups), (inner_rate, outer_rate), (inner_s, outer_s) = shape, rates, hops_s
    inside = 2.0 * (group - 1) * (inner_s + size_bytes / group / inner_rate)
    return inside + 2.0 * (groups - 1) * (outer_s + size_bytes / (group * groups) / outer_rate)


def parameter_server_s(size_bytes: float, workers: int, bytes_per_s: float, hop_s: float) -> float:
    """Return the time in which ``workers`` push gradients of ``size_bytes`` to one server and pull the sum back [s].

    2 (hop + workers x size / rate): all payloads go through the server's one link, first in, then out.
    """
    return 2.0 * (hop_s + workers * size_bytes / bytes_per_s)
