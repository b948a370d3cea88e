"""The time of a collective by the cheapest algorithm and protocol, or by those that are named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcsim.errors import InputError
from dcsim.network.collectives import exchange, ring, staged, tree
from dcsim.network.collectives.setting import Call, Candidate, Floats, Interconnect, Kind, Protocol, RankGroup
from dcsim.scenario.suggest import quoted

Form = Callable[[Call], list[Candidate]]
FORMS: Final = MappingProxyType(
    {
        "Ring": ring.ring,
        "Tree": tree.tree,
        "NVLS": tree.in_switch,
        "NVLSTree": tree.in_switch,
        "CollNet": tree.in_switch,
        "Direct": exchange.exchange,
        "SendReceive": exchange.send_receive,
        "PAT": staged.pat,
        "HalvingDoubling": staged.halving_doubling,
        "Bruck": staged.bruck,
        "Hierarchical": staged.hierarchical,
        "Torus": staged.torus,
        "ParameterServer": staged.parameter_server,
    }
)
_LIBRARY: Final = ("Ring", "Tree", "NVLS", "Direct", "SendReceive", "PAT")
_BARRIER_BYTES: Final = 8.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The algorithms and protocols to choose from; empty for those that a library chooses from."""

    algorithms: tuple[str, ...] = ()
    protocols: tuple[Protocol, ...] = ()
    without: tuple[str, ...] = ()


ANY: Final = Choice()


@dataclass(frozen=True, slots=True)
class CollectiveTime:
    """Times of a collective, each by the candidate that is fastest for its size.

    Attributes
    ----------
    seconds, latency_s
        Time, and of it what a size of zero would take [s], the shape of the sizes given.
    rate_bytes_per_s
        Size over time [B/s].
    bus_bytes_per_s
        The same times :func:`bus_factor` (nccl-tests doc/PERFORMANCE.md) [B/s].
    candidates, chosen
        What there was to choose from, and the number of the one taken for each size.
    """

    seconds: Floats
    latency_s: Floats
    rate_bytes_per_s: Floats
    bus_bytes_per_s: Floats
    candidates: tuple[Candidate, ...]
    chosen: NDArray[np.int64]

    @property
    def algorithm(self) -> str:
        """The algorithm of the first size."""
        return self.candidates[int(self.chosen.flat[0])].algorithm

    @property
    def protocol(self) -> str:
        """The protocol of the first size."""
        return self.candidates[int(self.chosen.flat[0])].protocol


def bus_factor(kind: Kind, ranks: int) -> float:
    """Return the bytes on the busiest link of a ring over the size, as nccl-tests count them [1]."""
    match kind:
        case "all-reduce":
            return 2.0 * (ranks - 1) / ranks
        case "all-gather" | "reduce-scatter" | "all-to-all" | "gather":
            return (ranks - 1) / ranks
    return 1.0


def collective_time(
    kind: Kind, size_bytes: ArrayLike, group: RankGroup, net: Interconnect, choice: Choice = ANY
) -> CollectiveTime:
    """Return how long a collective takes that has its links for itself.

    Parameters
    ----------
    kind
        What is done.
    size_bytes
        Size or sizes by the convention of nccl-tests [B]: of an all-reduce, broadcast or reduction the buffer of a
        rank, of an all-gather, reduce-scatter or gather what all ranks have together, of an all-to-all what a rank
        has for all. Not used by a barrier.
    group
        How many ranks, and how many of them share a domain. The slowest decides: the rates are those of each rank.
    net
        What joins them.
    choice
        The algorithms and protocols to choose from.

    Raises
    ------
    InputError
        For fewer than two ranks, ranks in several domains without a network, an unknown algorithm, or one that cannot
        do what is asked.

    Notes
    -----
    The cheapest is taken. Inside one domain it is what NCCL's own tuning model holds to be the cheapest, which need not
    be the fastest; between domains, where network plug-ins bring tuners of their own, it is the fastest by this model.
    Valid without other traffic on the links.
    """
    _check(kind, group, net, choice)
    sizes = np.asarray(size_bytes, dtype=np.float64)
    if kind == "barrier":
        kind, sizes = "all-reduce", np.full_like(sizes, _BARRIER_BYTES)
    call = Call(kind, sizes, group, net)
    candidates = tuple(_candidates(call, choice))
    if not candidates:
        raise InputError(
            f"collective: found {', '.join((*choice.algorithms, *choice.protocols))} for {kind} of {group.ranks} ranks "
            f"in {group.domains} domains, expected an algorithm that does it there"
        )
    times = np.stack([candidate.seconds for candidate in candidates])
    estimates = [candidate.estimate_s for candidate in candidates]
    known = [estimate for estimate in estimates if estimate is not None]
    chosen = (np.stack(known) if len(known) == len(candidates) else times).argmin(axis=0)
    latencies = np.stack([candidate.latency_s for candidate in candidates])
    seconds = np.take_along_axis(times, chosen[None], 0)[0]
    rate = sizes / seconds
    return CollectiveTime(
        seconds=seconds,
        latency_s=np.take_along_axis(latencies, chosen[None], 0)[0],
        rate_bytes_per_s=rate,
        bus_bytes_per_s=rate * bus_factor(kind, group.ranks),
        candidates=candidates,
        chosen=np.asarray(chosen),
    )


def _candidates(call: Call, choice: Choice) -> Iterator[Candidate]:
    wanted = choice.algorithms or _LIBRARY
    for form in dict.fromkeys(FORMS[name] for name in wanted):
        for candidate in form(call):
            if _allowed(candidate, call, choice):
                yield candidate


def _allowed(candidate: Candidate, call: Call, choice: Choice) -> bool:
    if choice.algorithms:
        # Exchanges and single messages go by the same name.
        named = candidate.algorithm in choice.algorithms or candidate.algorithm == "Direct"
    else:
        named = _by_library(candidate, call)
    spoken = not choice.protocols or candidate.protocol in choice.protocols
    return named and spoken and candidate.algorithm not in choice.without


def _by_library(candidate: Candidate, call: Call) -> bool:
    """Return whether a library considers a candidate: trees between domains, switches for enough ranks."""
    part = call.net.gpu.in_switch
    if candidate.algorithm == "NVLS":
        return part is not None and call.group.inside >= part.least
    if candidate.algorithm == "NVLSTree":
        return part is not None and call.group.inside >= min(part.least, 4)
    return candidate.algorithm != "Tree" or call.group.domains > 1


def _check(kind: Kind, group: RankGroup, net: Interconnect, choice: Choice) -> None:
    if group.ranks < 2:
        raise InputError(f"collective: found {kind} over {group.ranks} rank, expected at least 2")
    if group.domains > 1 and (net.network is None or net.network_rate <= 0.0):
        raise InputError(f"collective: found {group.domains} domains without a network, expected its rate and kind")
    for name in (*choice.algorithms, *choice.without):
        if name not in FORMS:
            raise InputError(f"collective: found algorithm {quoted(name)}, expected one of {', '.join(FORMS)}")
