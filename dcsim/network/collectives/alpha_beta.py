"""Closed forms of collectives: bytes, latency and time where nobody else is on the links.

The ring all-reduce is a reduce-scatter and an all-gather of n - 1 rounds each (P. Patarasuk, X. Yuan, "Bandwidth
optimal all-reduce algorithms for clusters of workstations", J. Parallel Distrib. Comput. 69 (2009) 117): in a round
every rank sends one n-th of the payload to its neighbour.
"""

from __future__ import annotations

from collections import Counter

from dcsim.parallel.schedule import Schedule

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


def rounds_s(schedule: Schedule, chunk_bytes: float, bytes_per_s: float, hop_s: float) -> float:
    """Return the time of any schedule over ports of one rate, a barrier after each round [s].

    A round takes a hop and the chunks through its fullest port, in or out, over the rate: exact where the flows of that
    port are held up nowhere else.
    """
    total = 0.0
    for moves in schedule:
        if moves:
            ports = Counter(("out", move.source) for move in moves) + Counter(("in", move.target) for move in moves)
            total += hop_s + max(ports.values()) * chunk_bytes / bytes_per_s
    return total


def ring_half_s(size_bytes: float, ranks: int, bytes_per_s: float, hop_s: float) -> float:
    """Return the time of a ring reduce-scatter or all-gather of ``size_bytes`` [s]: (n - 1) (hop + size / n / rate)."""
    return (ranks - 1) * (hop_s + size_bytes / ranks / bytes_per_s)


def halving_doubling_s(size_bytes: float, ranks: int, bytes_per_s: float, hop_s: float) -> float:
    """Return the time of the all-reduce by halving and doubling for a power of two [s].

    2 log2 n hops and 2 (n - 1) / n size / rate (Thakur et al. 2005, section 4.4).
    """
    return 2.0 * (ranks - 1).bit_length() * hop_s + ring_share(ranks) * size_bytes / bytes_per_s


def direct_s(size_bytes: float, ranks: int, bytes_per_s: float, hop_s: float) -> float:
    """Return the time in which every rank sends each other one of n parts, or a root gets them [s].

    hop + (n - 1) / n size / rate: an all-to-all or reduce-scatter of ``size_bytes`` a rank, an all-gather or gather of
    ``size_bytes`` in all.
    """
    return hop_s + (ranks - 1) / ranks * size_bytes / bytes_per_s if ranks > 1 else 0.0


def bruck_s(size_bytes: float, ranks: int, bytes_per_s: float, hop_s: float) -> float:
    """Return the time of Bruck's all-to-all of ``size_bytes`` a rank [s].

    In round k go the parts whose distance has bit k, n / 2 of them for a power of two (Bruck et al. 1997).
    """
    levels = range((ranks - 1).bit_length())
    parts = [sum(1 for distance in range(ranks) if distance >> level & 1) for level in levels]
    return sum(hop_s + count * size_bytes / ranks / bytes_per_s for count in parts)


def pat_s(size_bytes: float, ranks: int, bytes_per_s: float, hop_s: float) -> float:
    """Return the time of an all-gather or reduce-scatter by parallel trees of ``size_bytes`` in all [s].

    ceil(log2 n) hops and (n - 1) / n size / rate: every part goes once to each rank (Jeaugey 2025).
    """
    return (ranks - 1).bit_length() * hop_s + (ranks - 1) / ranks * size_bytes / bytes_per_s


def binomial_s(size_bytes: float, ranks: int, bytes_per_s: float, hop_s: float) -> float:
    """Return the time of a broadcast or reduction by a binomial tree [s]: ceil(log2 n) (hop + size / rate)."""
    return (ranks - 1).bit_length() * (hop_s + size_bytes / bytes_per_s)


def chain_s(size_bytes: float, shape: tuple[int, int], bytes_per_s: float, hop_s: float) -> float:
    """Return the time of a broadcast or reduction along a chain of (ranks, chunks) [s].

    chunks + n - 2 rounds, each a hop and a chunk.
    """
    ranks, chunks = shape
    return (chunks + ranks - 2) * (hop_s + size_bytes / chunks / bytes_per_s)


def in_switch_s(size_bytes: float, ranks: int, bytes_per_s: float, hop_s: float) -> float:
    """Return the time of an all-reduce by a switch that adds and multicasts [s]: hop + size (1 + 1/n) / rate.

    A rank sends its payload and its part of the sum, and gets its part and all sums, both at once (Klenk et al. 2020).
    """
    return hop_s + (1.0 + 1.0 / ranks) * size_bytes / bytes_per_s
