"""How layers are dealt to the chunks of a pipeline, and what its bubble takes: one plan, simulated slot by slot."""

from __future__ import annotations

from math import ceil, floor

from dcsim.estimate.offload import with_launches
from dcsim.estimate.training import FEWER
from dcsim.estimate.work import Layers, Work
from dcsim.parallel.pipeline import Chunks, makespan, run
from dcsim.scenario.parallel import Schedule

_STEADY = 4  # micro batches a stage after which every further one takes what the slowest stage does


def layer_counts(work: Work, head_share: float) -> list[int]:
    """Return the layers of every chunk, from the first layers to the last.

    Alike where they divide; with embedding and head in the places of a layer where the plan says so; else the best
    layout whose last stage, which has the head (``head_share`` of a layer's time), holds some layers fewer.
    """
    plan = work.plan
    layers = round(float(work.shape.layers[0] + work.shape.extra_layers[0]))
    stages, virtual = round(float(plan.pipeline[0])), round(float(plan.virtual[0]))
    places = stages * virtual
    if layers % places == 0:
        return [layers // places] * places
    if plan.balanced[0] > 0:
        each = ceil((layers + 2) / places)
        return [each - 1, *[each] * (places - 2), each - 1]
    return _uneven(layers, (stages, virtual), head_share)


def chunks_of(work: Work, mean: Layers) -> Chunks:
    """Return the times of every chunk: the layers it holds with launches of kernels and waits, the last with the head.

    Half of the backward products give gradients of weights, which are slots of their own with zero bubble. The head's
    forward pass is a third of its time.
    """
    stages = round(float(work.plan.pipeline[0]))
    computed = with_launches(work, mean)
    forward = float((computed[0] + mean.wait_forward_s)[0])
    backward = float((computed[1] + mean.wait_backward_s)[0])
    weights = 0.5 * float(mean.backward.matmul[0]) if work.plan.zero_bubble[0] > 0 else 0.0
    head = float(mean.head.total[0])
    counts = layer_counts(work, head / (forward + backward))
    again = _again(work, counts, float(mean.again_s[0]))
    backward -= float(mean.again_s[0])
    last = len(counts) - 1
    return Chunks(
        stages,
        tuple(count * forward + (head / 3.0) * (place == last) for place, count in enumerate(counts)),
        tuple(
            count * (backward - weights) + again[place] + (head / 1.5) * (place == last)
            for place, count in enumerate(counts)
        ),
        tuple(count * weights for count in counts) if weights else (),
    )


def _again(work: Work, counts: list[int], each_s: float) -> list[float]:
    """Return what chunks take to run layers again, ``each_s`` a layer in the mean [s].

    Where a number of layers of each chunk does, all take as long.
    """
    share, total = float(work.plan.recomputed[0]), sum(counts)
    if not 0.0 < share < 1.0:
        return [count * each_s for count in counts]
    some = share * total / len(counts)
    least = [min(some, count) for count in counts]
    return [total * each_s * one / sum(least) for one in least]


def bubble_seconds(chunks: Chunks, schedule: Schedule, micro_batches: int) -> float:
    """Return how much longer the pipeline takes than the mean stage works [s].

    After a few micro batches a stage, every further one takes what its slowest stage does, forward and backward apart
    in GPipe, so that no more are run; interleaved, the slowest path may lead over several stages, so all are.
    """
    stages = chunks.stages
    if stages == 1:
        return 0.0
    extra = chunks.weights_s or (0.0,) * len(chunks.forward_s)
    both = [b + w for b, w in zip(chunks.backward_s, extra, strict=True)]
    whole = [f + b for f, b in zip(chunks.forward_s, both, strict=True)]
    steady = max(chunks.forward_s) + max(both) if schedule == "gpipe" else max(whole)
    more = 0 if schedule == "interleaved" else max(micro_batches // stages - _STEADY, 0) * stages
    taken = makespan(run(chunks, schedule, micro_batches - more)) + more * steady
    return taken - micro_batches * sum(whole) / stages


def _uneven(layers: int, sizes: tuple[int, int], head_share: float) -> list[int]:
    stages, virtual = sizes
    most = floor(layers / stages)
    others = max(stages - 1, 1)

    def slowest(last: int) -> float:
        return max(ceil((layers - last) / others), last + head_share)

    last = min((max(most - fewer, 0) for fewer in range(FEWER)), key=slowest) if stages > 1 else layers
    held = [*_dealt(layers - last, others), last] if stages > 1 else [layers]
    by_stage = [_dealt(count, virtual) for count in held]
    return [by_stage[stage][chunk] for chunk in range(virtual) for stage in range(stages)]


def _dealt(count: int, parts: int) -> list[int]:
    """Return ``count`` in whole parts as equal as can be, the larger first."""
    return [count // parts + (part < count % parts) for part in range(parts)]
