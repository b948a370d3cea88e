"""What dcsim counts in a training step beside what XLA counts when it compiles the step for this machine's CPU."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import jax

from dcsim.workload.hlo.program import program
from dcsim.workload.hlo.text import parse
from dcsim.workload.operation import Operation
from dcsim.workload.step import Recipe, Step
from dcsim.workload.trace import trace


@dataclass(frozen=True, slots=True)
class Agreement:
    """Ratios of dcsim's counts to XLA's, 1 where they are equal.

    ``flops`` and ``transcendentals`` compare the step as it is written, before XLA merges equal work; ``bytes``
    compares the memory traffic of the kernels that XLA compiles, and ``products`` the operations of their matrix
    products and convolutions.
    """

    flops: float
    transcendentals: float
    bytes: float
    products: float


def against_xla(recipe: Recipe, micro: int) -> Agreement:
    """Trace and compile one training step of ``micro`` samples; it is not executed.

    The layers must be laid out without loops, whose bodies XLA counts once (jax-ml/jax issue 18672).
    """
    operations = trace(recipe, micro).operations
    lowered = lower(recipe, micro)
    written: Any = lowered.cost_analysis()
    compiled = lowered.compile()
    kernels: Any = compiled.cost_analysis()
    text = program(parse(compiled.as_text() or "", "the compiled step"))
    return Agreement(
        flops=_total(operations, "flops") / written["flops"],
        transcendentals=_total(operations, "transcendentals") / written["transcendentals"],
        bytes=_total(operations, "bytes_compiled") / kernels["bytes accessed"],
        products=_products(operations) / _products(text.operations),
    )


def lower(recipe: Recipe, micro: int) -> Any:
    """Return one whole step, gradient and update, as JAX hands it to XLA."""
    step = Step(recipe)
    master, state = jax.eval_shape(step.init, jax.eval_shape(lambda: jax.random.key(0)))

    def whole(weights: Any, master: Any, state: Any, batch: Any) -> Any:
        loss, gradients = step.gradient(weights, batch)
        updated = step.update(master, state, gradients)
        return loss, updated if step.mixed else updated[1:]

    weights = jax.eval_shape(step.weights, master)
    return jax.jit(whole).lower(weights, master, state, step.batch(micro))


def _total(operations: tuple[Operation, ...], what: str) -> float:
    return float(sum(getattr(operation, what) * operation.count for operation in operations))


def _products(operations: tuple[Operation, ...]) -> float:
    """Return the operations of products alone, of which XLA may make one kernel with what follows them."""
    products = sum(2.0 * prod(o.shape) * o.count for o in operations if o.kind == "matmul")
    return products + sum(o.flops * o.count for o in operations if o.kind == "convolution")
