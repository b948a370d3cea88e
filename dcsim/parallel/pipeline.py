"""A pipeline of stages: in which order each works through its micro batches, and when every slot begins and ends.

Orders are data; the times follow as the longest path over them, whatever the stages' times are. With equal stages they
are those of the closed forms: (m + p - 1) t for GPipe (Y. Huang et al., NeurIPS 2019) and 1F1B (PipeDream-Flush,
D. Narayanan et al., ICML 2021), (m + (p - 1) / v) t interleaved (D. Narayanan et al., SC 2021, section 2.2), and
(m + (p - 1) / 3) t for ZB-H1 (P. Qi et al., ICLR 2024), t being forward and backward of a micro batch in a stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Literal, NamedTuple

from dcsim.scenario.parallel import Schedule

Pass = Literal["forward", "backward", "weights"]


class Slot(NamedTuple):
    """One pass of one micro batch through one chunk of layers of a stage."""

    kind: Pass
    micro: int
    chunk: int


class Timed(NamedTuple):
    """A slot and when it runs [s]."""

    slot: Slot
    start_s: float
    finish_s: float


@dataclass(frozen=True, slots=True)
class Chunks:
    """Times of every chunk of layers for one micro batch [s], by its place from the first layers to the last.

    Stage ``i`` of ``stages`` holds the places i, i + stages, i + 2 stages and so on. ``weights_s`` are the gradients of
    weights where they are a slot of their own, which is with zero bubble alone; else they are part of ``backward_s``.
    """

    stages: int
    forward_s: tuple[float, ...]
    backward_s: tuple[float, ...]
    weights_s: tuple[float, ...] = ()

    @property
    def virtual(self) -> int:
        """Chunks of a stage."""
        return len(self.forward_s) // self.stages


def order(schedule: Schedule, stage: int, sizes: tuple[int, int, int]) -> list[Slot]:
    """Return the slots of a stage in the order in which it runs them; ``sizes`` are stages, micro batches, chunks."""
    match schedule:
        case "gpipe":
            return _passes("forward", sizes) + _passes("backward", sizes)
        case "zero-bubble":
            return _zero_bubble(stage, sizes[0], sizes[1])
        case "1f1b" | "interleaved":
            return _one_by_one(stage, sizes)


def run(chunks: Chunks, schedule: Schedule, micro_batches: int, hop_s: float = 0.0) -> list[list[Timed]]:
    """Return when every slot of every stage runs.

    A slot begins when the slot before it on its stage is done and what it needs is there: the forward pass of the place
    before, the backward pass of the place after, ``hop_s`` [s] later where that is another stage.
    """
    sizes = (chunks.stages, micro_batches, chunks.virtual)
    orders = [order(schedule, stage, sizes) for stage in range(chunks.stages)]
    done = _Done(*([[inf] * micro_batches for _ in chunks.forward_s] for _ in range(2)))
    found: list[list[Timed]] = [[] for _ in orders]
    waiting = list(range(chunks.stages))
    while waiting:
        moved = [stage for stage in waiting if _advance(stage, orders[stage], found[stage], (chunks, done, hop_s))]
        if not moved:
            raise RuntimeError(f"the order of schedule {schedule} waits for itself")
        waiting = [stage for stage in waiting if len(found[stage]) < len(orders[stage])]
    return found


def makespan(timeline: Sequence[Sequence[Timed]]) -> float:
    """Return when the last slot ends [s]."""
    return max(stage[-1].finish_s for stage in timeline)


class _Done(NamedTuple):
    """When the passes of every place and micro batch end [s], infinite before they ran."""

    forward: list[list[float]]
    backward: list[list[float]]


def _advance(stage: int, slots: list[Slot], found: list[Timed], state: tuple[Chunks, _Done, float]) -> bool:
    """Run the slots of a stage as far as what they need is there; return whether any ran."""
    (chunks, done, hop_s), stages = state, state[0].stages
    before, free_s, last = len(found), found[-1].finish_s if found else 0.0, len(chunks.forward_s) - 1
    for slot in slots[before:]:
        kind, micro, chunk = slot
        place = chunk * stages + stage
        if kind == "forward":
            ready_s = done.forward[place - 1][micro] + hop_s if place else 0.0
            took_s, told = chunks.forward_s[place], done.forward
        elif kind == "backward":
            ready_s = done.backward[place + 1][micro] + hop_s if place < last else done.forward[place][micro]
            took_s, told = chunks.backward_s[place], done.backward
        else:
            ready_s, took_s, told = done.backward[place][micro], chunks.weights_s[place], None
        if ready_s == inf:
            break
        start_s = max(ready_s, free_s)
        free_s = start_s + took_s
        found.append(Timed(slot, start_s, free_s))
        if told is not None:
            told[place][micro] = free_s
    return len(found) > before


def _passes(kind: Pass, sizes: tuple[int, int, int]) -> list[Slot]:
    """Return the passes of all micro batches through all chunks, rounds of micro batches chunk by chunk.

    Rounds have at least as many micro batches as stages, so that no stage waits for itself, and are as equal as can be.
    """
    stages, micro_batches, virtual = sizes
    rounds = max(micro_batches // stages, 1) if virtual > 1 else micro_batches
    chunks = range(virtual) if kind == "forward" else range(virtual - 1, -1, -1)
    bounds = [micro_batches * i // rounds for i in range(rounds + 1)]
    return [
        Slot(kind, micro, chunk) for first, end in pairwise(bounds) for chunk in chunks for micro in range(first, end)
    ]


def _one_by_one(stage: int, sizes: tuple[int, int, int]) -> list[Slot]:
    """One forward, one backward after a warm-up as long as the way to the end and back; with chunks, interleaved."""
    stages, micro_batches, virtual = sizes
    forward, backward = _passes("forward", sizes), _passes("backward", sizes)
    longest = -(-micro_batches // max(micro_batches // stages, 1))  # micro batches of the longest round
    warm_up = stages - stage - 1 if virtual == 1 else 2 * (stages - stage - 1) + (virtual - 1) * longest
    warm_up = min(warm_up, len(forward))
    steady = [slot for pair in zip(forward[warm_up:], backward, strict=False) for slot in pair]
    return forward[:warm_up] + steady + backward[len(forward) - warm_up :]


def _zero_bubble(stage: int, stages: int, micro_batches: int) -> list[Slot]:
    """ZB-H1: as 1F1B, with gradients of weights put off so far that they fill the bubble at the end."""
    kept = _one_by_one(stage, (stages, micro_batches, 1))
    found: list[Slot] = []
    written = 0
    last_forward = kept.index(Slot("forward", micro_batches - 1, 0))
    for place, slot in enumerate(kept):
        found.append(slot)
        cooling = place >= last_forward
        if slot.kind == "backward" and (cooling or slot.micro >= stage) and written <= slot.micro - stage:
            found.append(Slot("weights", written, 0))
            written += 1
    return found + [Slot("weights", micro, 0) for micro in range(written, micro_batches)]
