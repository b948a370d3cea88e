"""Search of the parallel plans of a job: all that its model allows on so many accelerators, and the best of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from math import inf, nan

import numpy as np
from numpy.typing import NDArray

from dcsim.estimate.rank_memory import host_memory, rank_memory
from dcsim.estimate.training import step_seconds
from dcsim.estimate.work import Work
from dcsim.parallel.legal import as_layers, divides_heads, divisors, even_chunks, splits_sequence
from dcsim.parallel.parallelism import EVERYTHING, GRADIENTS, NOT_SHARDED, OPTIMIZER, Parallelism
from dcsim.scenario.transformers import Decoder, MixtureModel

Floats = NDArray[np.float64]

_AT_ONCE = 16384  # plans that are evaluated together, so that memory does not grow with the space
_NAMES = tuple(field.name for field in fields(Parallelism))
_COSTS = ("seconds", "memory_bytes", "energy_j")
_FREE = ("sequence", "sharding", "recomputed", "recomputed_core")
_CHOSEN = ("tensor", "pipeline", "virtual", "context", "expert", "micro", *_FREE)
_SHARDINGS = (NOT_SHARDED, OPTIMIZER, GRADIENTS, EVERYTHING)
_RECOMPUTE = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0))  # nothing, attention cores, layers
_MORE = (2, 4, 8, 16, 32)
_CONTEXT = 64  # ranks that share a sequence at most


@dataclass(frozen=True, slots=True)
class Question:
    """What plans are asked for.

    ``domain`` are the accelerators that fast links join, within which tensor ranks stay; ``memory_bytes`` is what one
    has; ``zero_bubble`` is whether the software has that schedule. A step's energy is ``active_w`` of every accelerator
    [W] and ``work_j`` for its forward and backward passes together [J], of which recomputation repeats a third.
    """

    model: Decoder
    ranks: int
    batch: int
    domain: int
    memory_bytes: float
    active_w: float = 0.0
    work_j: float = 0.0
    zero_bubble: bool = False
    replicas: int = 1
    """Groups of data-parallel ranks that each hold all shards."""
    adapters: float = 0.0
    """1 where only adapters are trained."""
    host_bytes: float = inf
    """What the host of a server has for its ranks [B]."""
    of_server: int = 1
    """Accelerators of a server."""
    fixed: tuple[tuple[str, float], ...] = ()
    """Fields of :class:`Parallelism` that are given, with their values."""


@dataclass(frozen=True, slots=True)
class Found:
    """Plans with what they take, every field of shape (plans,), and how many were looked at and fit."""

    plans: Parallelism
    seconds: Floats
    memory_bytes: Floats
    energy_j: Floats
    looked_at: int
    fitting: int

    def __len__(self) -> int:
        return len(self.seconds)

    def take(self, places: NDArray[np.int64] | NDArray[np.bool_]) -> Found:
        """Return some of the plans, in the order of ``places``."""
        return replace(
            self,
            plans=_take(self.plans, places),
            seconds=self.seconds[places],
            memory_bytes=self.memory_bytes[places],
            energy_j=self.energy_j[places],
        )


def search(work: Work, question: Question) -> Found:
    """Return the plans of which none is better in time, memory and energy at once, fastest first.

    ``work`` has the model, the device, the links and the habits of a single case; its plan is not looked at.
    """
    best = _nothing()
    for plans in _chunks(question):
        found = evaluate(work, plans, question)
        best = _joined(best, found.take(found.memory_bytes <= question.memory_bytes), found.looked_at)
    return best.take(np.argsort(best.seconds, kind="stable"))


def evaluate(work: Work, plans: Parallelism, question: Question) -> Found:
    """Return what every one of some plans takes."""
    at = replace(work, plan=plans)
    seconds = step_seconds(at)
    again = 1.0 + plans.recomputed / 3.0
    energy = question.ranks * question.active_w * seconds + question.work_j * again
    memory = np.broadcast_to(rank_memory(at).total, seconds.shape)
    if work.offload.there:
        memory = np.where(_hosted(at, question), memory, nan)  # no limit is above what is no number
    return Found(plans, seconds, memory, energy, len(seconds), 0)


def _hosted(work: Work, question: Question) -> NDArray[np.bool_]:
    """Return whether hosts hold what plans leave to them, and gradients are summed over replicas before they leave."""
    plan = work.plan
    summed = (plan.data * plan.context == 1) | (plan.sharding >= GRADIENTS) | (work.offload.gradients == 0)
    return np.asarray(summed & (host_memory(work) * min(question.ranks, question.of_server) <= question.host_bytes))


def nearest_fitting(work: Work, plan: Parallelism, question: Question) -> Found:
    """Return the plan that fits and has the fewest keys with other values than ``plan``, the fastest of equal ones.

    None is found where none fits.
    """
    best, least = _nothing(), (inf, inf)
    for plans in _chunks(question):
        found = evaluate(work, plans, question)
        changed = sum(getattr(plans, name) != getattr(plan, name) for name in _CHOSEN)
        costs = np.where(found.memory_bytes <= question.memory_bytes, changed, inf)
        place = int(np.lexsort((found.seconds, costs))[0])
        here = float(costs[place]), float(found.seconds[place])
        if here < least and here[0] < inf:
            best, least = found.take(np.array([place])), here
    return best


def enough(work: Work, question: Question) -> int | None:
    """Return how many times as many accelerators have a plan that fits, a power of two up to 32; None if none has."""
    for times in _MORE:
        if len(search(work, replace(question, ranks=times * question.ranks))):
            return times
    return None


def count(question: Question) -> int:
    """Return how many plans there are."""
    return sum(len(plans.tensor) for plans in _chunks(question))


def _chunks(question: Question) -> Iterator[Parallelism]:
    """Yield all plans, many at once."""
    waiting: list[Floats] = []
    size = 0
    for space in _spaces(question):
        rows = space
        for name, number in question.fixed:
            rows = rows[rows[:, _NAMES.index(name)] == number]
        waiting.append(rows)
        size += len(rows)
        if size >= _AT_ONCE:
            yield _plans(waiting)
            waiting, size = [], 0
    if size:
        yield _plans(waiting)


def _spaces(question: Question) -> Iterator[Floats]:
    """Yield the plans of each division into tensor, pipeline, context and data ranks, shape (plans, fields)."""
    model = question.model
    for tensor in divisors(question.ranks):
        if tensor > question.domain or not divides_heads(tensor, model) or not _widths_divide(tensor, model):
            continue
        for stages in divisors(question.ranks // tensor):
            for context in divisors(question.ranks // tensor // stages):
                data = question.ranks // tensor // stages // context
                fits = context <= _CONTEXT and splits_sequence(context, model.context)
                fits = fits and data * context % question.replicas == 0
                if stages <= model.layers and fits and question.batch % data == 0:
                    yield from _inside((tensor, stages, context, data), question)


def _widths_divide(tensor: int, model: Decoder) -> bool:
    whole = isinstance(model, MixtureModel) and not model.dense_layers
    return whole or model.inner % tensor == 0


def _inside(sizes: tuple[int, int, int, int], question: Question) -> Iterator[Floats]:
    """Yield the plans of one division: micro batches, chunks, experts, sequence, sharding, recomputation."""
    tensor, stages, context, data = sizes
    each = question.batch // data
    chunks = _chunk_counts(stages, question.model)
    shared = tensor > 1 and question.model.context // context % tensor == 0
    free = _free((0.0, 1.0) if shared else (0.0,), _SHARDINGS if data * context > 1 else (NOT_SHARDED,))
    experts = _expert_counts(data * context * tensor, question.model)
    for micro in divisors(each):
        steps = each // micro
        orders = [(v, 0.0) for v in chunks if v == 1 or steps % stages == 0]
        orders += [(1, 1.0)] if stages > 1 and question.zero_bubble else []
        for (virtual, zero), expert in product(orders, experts):
            balanced = float(stages > 1 and as_layers(stages * virtual, question.model))
            fixed = {
                "tensor": tensor, "pipeline": stages, "virtual": virtual, "data": data, "context": context,
                "expert": expert, "micro": micro, "micro_batches": steps, "balanced": balanced, "zero_bubble": zero,
                "adapters": question.adapters, "replicas": question.replicas,
            }  # fmt: skip
            yield _table(fixed, free)


def _free(sequences: Sequence[float], shardings: Sequence[float]) -> Floats:
    return np.array([(*pair, *again) for *pair, again in product(sequences, shardings, _RECOMPUTE)])


def _table(fixed: dict[str, float], free: Floats) -> Floats:
    """Return the plans that have some numbers in common and ``free`` ones in the order of ``_FREE``."""
    rows = np.tile([fixed.get(name, 0.0) for name in _NAMES], (len(free), 1))
    rows[:, [_NAMES.index(name) for name in _FREE]] = free
    return rows


def _chunk_counts(stages: int, model: Decoder) -> list[int]:
    if stages == 1:
        return [1]
    most = (model.layers + 2) // stages
    return [v for v in range(1, most + 1) if v == 1 or even_chunks(stages * v, model)]


def _expert_counts(among: int, model: Decoder) -> list[int]:
    if not isinstance(model, MixtureModel):
        return [1]
    return [n for n in divisors(model.experts) if among % n == 0]


def _plans(tables: list[Floats]) -> Parallelism:
    return Parallelism(*np.concatenate(tables).T)


def _take(plans: Parallelism, places: NDArray[np.int64] | NDArray[np.bool_]) -> Parallelism:
    return Parallelism(*(getattr(plans, name)[places] for name in _NAMES))


def _nothing() -> Found:
    empty = np.empty(0)
    return Found(Parallelism(*(empty for _ in _NAMES)), empty, empty, empty, 0, 0)


def _joined(best: Found, more: Found, looked_at: int) -> Found:
    """Return the plans of both that no other of them beats."""
    plans = Parallelism(*(np.concatenate([getattr(best.plans, n), getattr(more.plans, n)]) for n in _NAMES))
    seconds, memory, energy = (np.concatenate([getattr(best, n), getattr(more, n)]) for n in _COSTS)
    both = Found(plans, seconds, memory, energy, best.looked_at + looked_at, best.fitting + len(more))
    return both.take(front(np.stack([seconds, memory, energy], axis=1)))


def front(costs: Floats) -> NDArray[np.int64]:
    """Return the rows of which no other is at most as large in every column and smaller in one; equal ones stay once.

    ``costs`` has the shape (rows, columns).
    """
    order = np.lexsort(costs.T[::-1])
    columns = costs[order].T.copy()
    kept: list[int] = []
    while len(order):  # what is left of the order begins with a row that no row beats
        kept.append(int(order[0]))
        left = np.any(columns < columns[:, :1], axis=0)
        order, columns = order[left], columns[:, left]
    return np.array(kept, dtype=np.int64)
