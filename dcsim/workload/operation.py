"""Plain records of what a traced step does; no JAX here, so that cached costs need none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "matmul",
    "convolution",
    "elementwise",
    "gather",
    "scatter",
    "reduce",
    "sort",
    "random",
    "copy",
    "collective",
    "custom",
]
Phase = Literal["forward", "backward", "recompute", "optimizer"]
CollectiveKind = Literal["all-reduce", "all-gather", "reduce-scatter", "all-to-all", "permute"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One distinct kernel of a step.

    ``flops`` and ``bytes`` are of one execution; ``count`` is how often it runs in a step (loop trips included).
    ``shape`` is (batch, m, n, k) of a matrix product, and the output shape of anything else. ``bytes_fused`` is the
    memory traffic when attention is one kernel whose scores never reach memory; it equals ``bytes`` outside
    attention. ``scope`` is the innermost named part of the model ("attention", "head", ...), "" where there is none.
    ``bytes`` is the traffic of kernels that keep rows on the chip, as hand-written norms, softmax and optimizers do;
    ``bytes_compiled`` is that of XLA's kernels, whose reductions stand alone and whose loops make one array each.
    ``flops_again`` is what a fused attention kernel computes a second time because it has not kept it.
    ``transcendentals`` are evaluations of exp, tanh and their like, which ``flops`` leaves out.

    A device whose kernels were measured also asks for: ``form``, how the operands of a product lie in memory ("nn": as
    in a plain product of row-major matrices), "beyond" for a convolution whose window or result is larger than its
    input, "point" for one of an input of one place, else "inside", with "-broad" where the window is larger than the
    result, as in gradients by the kernel, or "crossed" in the body of a loop where the kernel is not stored as (height,
    width, inputs, outputs), "crossed-images" where the images are not stored as (images, height, width, inputs) either;
    ``geometry``, (images, input features of a group, output features, output positions, window, stride, dilation of the
    input, dilation of the window, pairs of position and tap that meet the input) of a convolution; ``stacked_bytes``,
    what of its inputs and results are slices of arrays that a loop takes apart or stacks up; ``functions``, the
    evaluations of each elementwise primitive that takes longer than an addition (exp, tanh, a division), and the rows
    that are looked up or written by index.
    """

    name: str
    kind: Kind
    phase: Phase
    dtype: str
    shape: tuple[int, ...]
    flops: float
    bytes: float
    bytes_fused: float
    count: int = 1
    scope: str = ""
    transcendentals: float = 0.0
    form: str = ""
    geometry: tuple[int, ...] = ()
    stacked_bytes: float = 0.0
    functions: tuple[tuple[str, float], ...] = ()
    bytes_compiled: float = 0.0
    flops_again: float = 0.0


@dataclass(frozen=True, slots=True)
class Gradient:
    """One gradient array and the share of the backward pass (by operation order) after which it is ready.

    ``ready`` counts backward operations in order, each execution of a loop body apart: a layer's gradient inside a
    scan is one record a trip. ``after`` is the index, in executed order, of the operation of ``StepCosts.order`` that
    completes it. ``element_bytes`` is the width of its number format [B].
    """

    name: str
    elements: int
    after: int
    element_bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Group:
    """Who takes part in a collective: the ranks of a mesh that differ in ``axes`` only, every such group by itself.

    ``pairs`` are (from, to) places along the axis of a permutation, empty for other kinds.
    """

    kind: CollectiveKind
    axes: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A collective of a step; positions count the entries of ``StepCosts.sequence`` that come before.

    ``size_bytes`` is what a rank gives, or, of an all-gather, what it ends up with. The operands are complete at
    ``ready``, the program has it at ``issued``, and what comes at ``needed`` reads the result.
    """

    group: Group
    size_bytes: float
    ready: int
    issued: int
    needed: int


@dataclass(frozen=True, slots=True)
class StepCosts:
    """What one step of one rank at one micro batch costs.

    ``operations`` are distinct records; ``order`` lists the backward pass as executed, loops unrolled, as indices
    into ``operations``; every gradient names the position in ``order`` that completes it. ``residual_bytes`` is what
    the forward pass keeps for the backward pass, ``residual_bytes_fused`` the same where attention is one fused
    kernel. ``warnings`` names what could not be costed.

    A step written for a mesh of ranks, ``mesh`` as (axis, size) with the first axis outermost, has its collectives as
    ``exchanges`` and all else in ``sequence``, as executed: (index into ``operations``, executions). Its bytes are
    those of one rank, its ``parameters`` those of the whole, and ``state_bytes`` those of the whole's weights and
    optimizer state.

    A step of a model that serves has all its operations in the forward pass, and no gradients. ``cache_bytes`` is what
    it keeps of the tokens of all samples for those that follow.
    """

    operations: tuple[Operation, ...]
    order: tuple[int, ...]
    gradients: tuple[Gradient, ...]
    parameters: int
    parameter_bytes: float
    optimizer_bytes: float
    residual_bytes: float
    sample_bytes: float
    tokens_per_sample: int
    warnings: tuple[str, ...] = ()
    residual_bytes_fused: float = 0.0
    mesh: tuple[tuple[str, int], ...] = ()
    sequence: tuple[tuple[int, int], ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    state_bytes: float = 0.0
    cache_bytes: float = 0.0
