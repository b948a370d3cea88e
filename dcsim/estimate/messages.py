"""The time of messages of a training step, for many cases at once: alpha-beta forms on groups of ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.parallel.routing import Routing, crossings

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Links:
    """What joins ranks, every field of shape (cases,).

    ``inside`` is the payload rate of a device to its peers in the domain of ``domain`` devices, ``outside`` that to
    other domains [B/s], with the shares attained; ``hop_inside`` and ``hop_outside`` are the time of a round [s], and
    ``half`` is the size of a rank's part of a message at which half of the rate is reached inside [B].
    """

    inside: Floats
    outside: Floats
    domain: Floats
    hop_inside: Floats
    hop_outside: Floats
    half: Floats


@dataclass(frozen=True, slots=True)
class Members:
    """A group: its size, and how many of its members share a domain, every field of shape (cases,)."""

    size: Floats
    near: Floats


def members(size: Floats, stride: Floats, links: Links) -> Members:
    """Return the group of ``size`` ranks that are ``stride`` apart in the order of ranks."""
    near = np.clip(np.floor(links.domain / stride), 1.0, None)
    return Members(size, np.minimum(size, near))


def gather_seconds(size_bytes: Floats, group: Members, links: Links) -> Floats:
    """Return the time of an all-gather or a reduce-scatter of ``size_bytes`` in all [s].

    Rings in two levels: over the members of a domain, each of which then has its own ring over the domains, through its
    own network card (R. Thakur, R. Rabenseifner, W. Gropp, Int. J. High Perform. Comput. Appl. 19 (2005) 49).
    """
    near, far = group.near, np.ceil(group.size / group.near)
    inside = size_bytes * (near - 1.0) / near
    outside = size_bytes / near * (far - 1.0) / far
    # Rounds of a ring are pipelined: the time of hops grows with the ring, up to the reach of trees.
    hops_in, hops_out = np.minimum(near - 1.0, 8.0), 2.0 * np.log2(np.maximum(far, 1.0))
    rate = links.inside * size_bytes / (size_bytes + links.half * near)
    first = inside / np.maximum(rate, 1.0) + hops_in * links.hop_inside * (near > 1)
    second = outside / links.outside + hops_out * links.hop_outside
    return np.asarray(np.where(group.size > 1, first * (near > 1) + second * (far > 1), 0.0))


def ring_seconds(group: Members, links: Links) -> Floats:
    """Return the rounds of one all-gather or reduce-scatter, whatever its size [s].

    NCCL has no trees for these two before its release 2.23 (2024): a ring passes all members, domain after domain.
    Inside large domains rounds grow up to the reach of their torus or switch, as in :func:`gather_seconds`.
    """
    near, far = group.near, np.ceil(group.size / group.near)
    return np.asarray(far * np.minimum(near - 1.0, 8.0) * links.hop_inside + (far - 1.0) * links.hop_outside)


def reduce_seconds(size_bytes: Floats, group: Members, links: Links) -> Floats:
    """Return the time of an all-reduce of ``size_bytes``: a reduce-scatter and an all-gather [s]."""
    return 2.0 * gather_seconds(size_bytes, group, links)


def exchange_seconds(
    size_bytes: Floats, chosen: Floats, group: Members, links: Links, routing: Routing | None = None
) -> Floats:
    """Return the time of an all-to-all in which each rank gives ``size_bytes``, its own share included [s].

    They are tokens, each for ``chosen`` members of the group at random, in as many domains as ``routing`` allows. A
    token crosses to a domain once, whatever the number of its members there, and is handed on inside (DeepSeek-AI,
    DeepSeek-V3 Technical Report (2024), section 3.2.2), or once for each of them.
    """
    near, far = group.near, np.maximum(group.size / group.near, 1.0)
    token = size_bytes / np.maximum(chosen, 1.0)
    reached = crossings(routing or Routing(), far, chosen)
    inside = size_bytes * (near - 1.0) / near / links.inside
    outside = token * reached / links.outside
    hops = (near - 1.0) * links.hop_inside * 0.25 + (far - 1.0) * links.hop_outside
    return np.asarray(np.where(group.size > 1, np.maximum(inside, outside) + hops, 0.0))


def send_seconds(size_bytes: Floats, stride: Floats, links: Links) -> Floats:
    """Return the time to hand ``size_bytes`` to the rank that is ``stride`` on [s]."""
    outside = stride >= links.domain
    rate = np.where(outside, links.outside, links.inside)
    hop = np.where(outside, links.hop_outside, links.hop_inside)
    return np.asarray(size_bytes / rate + hop)
