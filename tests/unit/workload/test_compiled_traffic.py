"""The memory traffic of XLA's kernels on programs whose arrays can be counted on paper.

XLA of jaxlib 0.10.2 counts the same for these but the gradient of a weight, whose copy it saves by another layout where
nothing else reads the operand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from dcsim.workload.trace import analyze

A = 4.0 * 64 * 128  # bytes of an array of 64 x 128
ROW = 4.0 * 64  # bytes of a number a row


def floats(*shape: int) -> Any:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def compiled(function: Callable[..., Any], *arguments: Any) -> float:
    traced = analyze(jax.make_jaxpr(function)(*arguments), "forward")
    return sum(o.bytes_compiled * o.count for o in traced.operations)


def test_a_loop_makes_one_array_and_computes_what_leads_to_it_anew() -> None:
    """Two results of one sum: each kernel reads both operands and writes one, 3 arrays; merged kernels read once."""
    function = lambda x, y: ((x + y) * 2, (x + y) * 3)  # noqa: E731
    assert compiled(function, floats(64, 128), floats(64, 128)) == 6 * A
    (merged,) = analyze(jax.make_jaxpr(function)(floats(64, 128), floats(64, 128)), "forward").operations
    assert merged.bytes == 4 * A


def test_what_is_dear_and_read_twice_is_in_memory() -> None:
    """tanh: read x, write it; then each of two results reads it and writes: 2 + 2 + 2 arrays."""
    assert compiled(lambda x: (jnp.tanh(x) * 2, jnp.tanh(x) + 1), floats(64, 128)) == 6 * A


def test_softmax_is_three_kernels() -> None:
    """Maximum and exponentials: read x, write e. Sum: read e, write rows. Quotient: read e and rows, write."""
    found = compiled(lambda x: jax.nn.softmax(x), floats(64, 128))
    assert found == pytest.approx(2 * A + (A + ROW) + (2 * A + ROW), rel=0.01)


def test_a_reduction_absorbs_what_needs_no_broadcast() -> None:
    """Squares and differences of whole arrays are summed as they are computed."""
    assert compiled(lambda x: jnp.sum(x * x, axis=-1), floats(64, 128)) == A + ROW
    assert compiled(lambda x, y: jnp.sum(x - y, axis=-1), floats(64, 128), floats(64, 128)) == 2 * A + ROW


def test_the_gradient_of_a_weight_turns_one_operand() -> None:
    """x g with both summed over rows: one of 64 x 32 is copied, read and written, beside the product's three arrays."""
    x, g = floats(64, 128), floats(64, 32)
    small, out = 4.0 * 64 * 32, 4.0 * 128 * 32
    numbers = (((0,), (0,)), ((), ()))
    assert compiled(lambda g, x: lax.dot_general(g, x, numbers), g, x) == (A + small + out) + 2 * small
    assert compiled(lambda x, w: x @ w, x, floats(128, 32)) == A + out + small


def test_heads_are_put_in_front_before_they_are_multiplied() -> None:
    """Of (length, heads, width) both operands are copied, so that a batch of heads comes first."""
    heads = 4.0 * 16 * 4 * 8
    scores = 4.0 * 4 * 16 * 16
    found = compiled(lambda q, k: jnp.einsum("qhd,khd->hqk", q, k), floats(16, 4, 8), floats(16, 4, 8))
    assert found == 2 * heads + scores + 2 * 2 * heads


def test_adam_is_three_kernels_of_ten_arrays() -> None:
    """Each moment reads itself and the gradient; the weight reads both moments and itself: 3 + 3 + 4."""

    def adam(w: Any, m: Any, v: Any, g: Any) -> Any:
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        return w - 1e-3 * m / (jnp.sqrt(v) + 1e-8), m, v

    assert compiled(adam, *[floats(64, 128)] * 4) == 10 * A


def test_equal_work_is_merged_unless_a_checkpoint_keeps_it_apart() -> None:
    """Recomputing exp in the backward pass costs nothing where compilers may merge it: it is kept instead."""

    def loss(x: Any, keep_apart: bool) -> Any:
        return jax.checkpoint(lambda y: jnp.exp(jnp.tanh(y)), prevent_cse=keep_apart)(x).sum()

    merged, apart = (
        compiled(jax.value_and_grad(lambda x, how=how: loss(x, how)), floats(64, 128)) for how in (False, True)
    )
    assert merged != apart
