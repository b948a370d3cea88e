"""From the costs of a step to what each rank does in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from dcsim.parallel.compression import element_bytes, kernel
from dcsim.parallel.program import Collective, Compute, Instruction, Program, Read, Wait
from dcsim.scenario.compression import CompressionSpec
from dcsim.workload.operation import Gradient, Operation, Phase, StepCosts

_FORWARD: tuple[Phase, ...] = ("forward",)
_OPTIMIZER: tuple[Phase, ...] = ("optimizer",)


@dataclass(frozen=True, slots=True)
class DataParallel:
    """A data-parallel plan: ``ranks`` replicas, ``micro_batches`` a step, gradients of ``gradient_bytes`` an element.

    With 0 ``gradient_bytes`` each gradient has the width that it was traced with.

    ``read_bytes`` is what one rank reads from storage a step. Gradients are all-reduced in buckets of about
    ``bucket_bytes``, while the backward pass of the last micro batch goes on if ``overlap``. With a ``compression``
    they are made smaller first; buckets are cut by their size before it.
    """

    ranks: int
    micro_batches: int
    gradient_bytes: int
    bucket_bytes: float
    overlap: bool
    read_bytes: float
    compression: CompressionSpec | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """Gradients that are reduced together, ready after the backward operation at ``after``."""

    after: int
    size_bytes: float
    elements: int = field(default=0, compare=False)


def data_parallel(costs: StepCosts, plan: DataParallel) -> Program:
    """Return the program of one step: read ahead, forward and backward of each micro batch, all-reduce, update.

    A model that serves has no gradients, and so its forward passes alone.
    """
    instructions: list[Instruction] = [Read(plan.read_bytes)] if plan.read_bytes > 0 else []
    whole = (_phase(costs, "forward", _FORWARD), _backward(costs, 0, len(costs.order)))
    if not costs.gradients:  # a model that serves: all it does is forward
        return Program(plan.ranks, (*instructions, *whole[:1] * plan.micro_batches))
    instructions.extend(whole * (plan.micro_batches - 1))
    instructions.append(whole[0])
    instructions.extend(_last_backward(costs, plan))
    instructions.append(_phase(costs, "optimizer", _OPTIMIZER))
    return Program(plan.ranks, tuple(instructions))


def buckets(gradients: Sequence[Gradient], element_bytes: int, bucket_bytes: float) -> list[Bucket]:
    """Group gradients in the order in which they become ready; a bucket closes when it has reached ``bucket_bytes``.

    The rule of PyTorch's DistributedDataParallel (Li et al., VLDB 2020, section 3.2.3) but for its smaller first
    bucket: a gradient larger than the bucket travels whole with those that wait beside it.
    """
    closed: list[Bucket] = []
    size, elements = 0.0, 0
    ordered = sorted(gradients, key=lambda gradient: gradient.after)
    for left, gradient in zip(range(len(ordered) - 1, -1, -1), ordered, strict=True):
        size += gradient.elements * (element_bytes or gradient.element_bytes)
        elements += gradient.elements
        if size >= bucket_bytes or not left:
            closed.append(Bucket(gradient.after, size, elements))
            size, elements = 0.0, 0
    return closed


def _last_backward(costs: StepCosts, plan: DataParallel) -> Iterable[Instruction]:
    if plan.ranks == 1:
        yield _backward(costs, 0, len(costs.order))
        return
    done = 0
    ready = buckets(costs.gradients, plan.gradient_bytes, plan.bucket_bytes)
    reductions = [_reduction(i, bucket, plan) for i, bucket in enumerate(ready)]
    if plan.overlap:
        for bucket, reduction in zip(ready, reductions, strict=True):
            if bucket.after + 1 > done:
                yield _backward(costs, done, bucket.after + 1)
                done = bucket.after + 1
            yield from reduction
    if done < len(costs.order):
        yield _backward(costs, done, len(costs.order))
    if not plan.overlap:
        yield from chain.from_iterable(reductions)
    yield Wait()


def _reduction(number: int, bucket: Bucket, plan: DataParallel) -> tuple[Instruction, ...]:
    """Return what sums a bucket over the ranks: the collective, and before it the kernel that compresses."""
    label, compression = f"gradients {number}", plan.compression
    if compression is None:
        return (Collective(label, "all-reduce", bucket.size_bytes),)
    width = bucket.size_bytes / bucket.elements
    operation = kernel(compression, bucket.elements, plan.ranks, width)
    collective = Collective(label, "all-reduce", bucket.elements * element_bytes(compression, width))
    return Compute("compress", ((operation, 1),)), collective


def _backward(costs: StepCosts, first: int, last: int) -> Compute:
    """Return the backward operations number ``first`` to ``last - 1``, equal ones counted together."""
    counts = Counter(costs.order[first:last])
    return Compute("backward", tuple((costs.operations[index], times) for index, times in counts.items()))


def _phase(costs: StepCosts, label: str, phases: tuple[Phase, ...]) -> Compute:
    chosen: list[tuple[Operation, int]] = [(o, o.count) for o in costs.operations if o.phase in phases]
    return Compute(label, tuple(chosen))
