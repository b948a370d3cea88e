"""The walk over programs that no built-in model contains: loops, branches, dead code, tables, unknown primitives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.extend import core

from dcsim.errors import InputError
from dcsim.workload.trace import Traced, analyze


def floats(*shape: int) -> Any:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def walk(function: Callable[..., Any], *arguments: Any) -> Traced:
    return analyze(jax.make_jaxpr(function)(*arguments), "forward")


def flops(traced: Traced, kind: str = "") -> float:
    return sum(o.flops * o.count for o in traced.operations if not kind or o.kind == kind)


def test_a_scan_multiplies_by_its_trips() -> None:
    traced = walk(lambda x, w: lax.scan(lambda c, _: (c @ w, None), x, length=7)[0], floats(2, 3), floats(3, 3))
    (product,) = traced.operations
    assert (product.count, product.flops, product.shape) == (7, 2 * 2 * 3 * 3, (1, 2, 3, 3))


def test_loops_nest() -> None:
    def inner(c: Any, _: Any) -> Any:
        return lax.scan(lambda d, _: (d @ d, None), c, length=3)[0], None

    assert flops(walk(lambda x: lax.scan(inner, x, length=5)[0], floats(2, 2))) == 15 * 16


def test_a_fori_loop_of_known_length_is_counted() -> None:
    assert flops(walk(lambda x: lax.fori_loop(0, 4, lambda _, c: c @ c, x), floats(2, 2))) == 4 * 16


def test_a_while_loop_of_unknown_length_names_its_line() -> None:
    def endless(x: Any) -> Any:
        return lax.while_loop(lambda c: c.sum() < 1, lambda c: c * 2, x)

    with pytest.raises(InputError, match=r"test_jaxpr_walk\.py:\d+: found a while loop"):
        walk(endless, floats(2))


def test_the_costliest_branch_is_taken() -> None:
    def either(flag: Any, x: Any) -> Any:
        return lax.cond(flag, lambda a: a @ a @ a, lambda a: a + 1, x)

    assert flops(walk(either, jax.ShapeDtypeStruct((), jnp.bool_), floats(4, 4))) == 2 * 2 * 4**3


def test_what_nobody_reads_costs_nothing() -> None:
    def wasteful(x: Any) -> Any:
        _, dead = lax.scan(lambda c, _: (c + 1, c @ c), x, length=3)
        del dead
        return lax.scan(lambda c, _: ((c[0] + 1, c[1] @ c[1]), None), (x, x), length=3)[0][0]

    assert flops(walk(wasteful, floats(2, 2)), "matmul") == 0


def test_a_gather_touches_rows_and_not_the_table() -> None:
    traced = walk(lambda t, i: t.at[i].get(mode="clip"), floats(1000, 8), jax.ShapeDtypeStruct((5,), jnp.int32))
    (gather,) = [o for o in traced.operations if o.kind == "gather"]
    assert gather.bytes == 5 * 4 + 2 * 5 * 8 * 4  # indices, rows read, rows written


def test_a_scatter_into_a_fresh_table_writes_the_table_once() -> None:
    def gradient(table: Any, index: Any) -> Any:
        return jax.grad(lambda t: t.at[index].get(mode="clip").sum())(table)

    traced = walk(gradient, floats(1000, 8), jax.ShapeDtypeStruct((5,), jnp.int32))
    (scatter,) = [o for o in traced.operations if o.kind == "scatter"]
    rows = 5 * 8 * 4
    assert scatter.flops == 5 * 8
    # indices; the updates are a broadcast 1.0 and cost nothing to read; rows read and written; the fresh table
    assert scatter.bytes == 5 * 4 + 2 * rows + 1000 * 8 * 4


def test_an_unknown_primitive_is_warned_of_and_its_bytes_counted() -> None:
    mystery = core.Primitive("mystery")
    mystery.def_abstract_eval(lambda aval: aval)
    traced = walk(lambda x: mystery.bind(x) * 2, floats(100))
    (warning,) = traced.warnings
    assert "primitive 'mystery' has no cost rule" in warning
    assert "test_jaxpr_walk.py" in warning
    (found,) = [o for o in traced.operations if o.name == "mystery"]
    assert found.bytes == 800


def test_collectives_are_kept_apart() -> None:
    traced = analyze(jax.make_jaxpr(lambda x: lax.psum(x, "i"), axis_env=[("i", 4)])(floats(8)), "forward")
    assert [o.kind for o in traced.operations] == ["collective"]


def test_elementwise_neighbours_are_one_kernel() -> None:
    (kernel,) = walk(lambda x, y: jnp.tanh(x * y) + x, floats(10, 10), floats(10, 10)).operations
    assert kernel.flops == 200
    assert kernel.transcendentals == 100
    assert kernel.bytes == 3 * 400  # x and y once, the result once


def test_a_product_splits_kernels() -> None:
    names = [o.kind for o in walk(lambda x: (x + 1) @ (x * 2) - 1, floats(4, 4)).operations]
    assert names == ["elementwise", "matmul", "elementwise"]


def test_softmax_reads_and_writes_its_array_once() -> None:
    (kernel,) = walk(lambda x: jax.nn.softmax(x, axis=-1), floats(16, 64)).operations
    assert kernel.kind == "reduce"
    assert kernel.bytes == 2 * 16 * 64 * 4


def test_rows_too_long_for_the_chip_are_read_again() -> None:
    kernels = walk(lambda x: jax.nn.softmax(x, axis=-1), floats(2, 2**20)).operations
    assert len(kernels) == 3  # maximum, sum of exponentials, quotient


def test_a_broadcast_reads_what_it_is_made_of() -> None:
    (kernel,) = walk(lambda x, b: x + b, floats(100, 10), floats(10)).operations
    assert kernel.bytes == 2 * 4000 + 40


def test_a_slice_reads_only_itself() -> None:
    (kernel,) = walk(lambda x: x[:3] * 2, floats(100)).operations
    assert kernel.bytes == 2 * 12


def test_integer_powers_cost_their_squarings() -> None:
    assert flops(walk(lambda x: lax.integer_pow(x, 3), floats(10))) == 20
    assert flops(walk(lambda x: lax.integer_pow(x, -1), floats(10))) == 10


def test_names_given_by_the_user_become_scopes() -> None:
    def model(x: Any) -> Any:
        with jax.named_scope("attention"):
            return jnp.einsum("ij,jk->ik", x, x).sum()

    traced = walk(jax.grad(model), floats(4, 4))
    assert {o.scope for o in traced.operations if o.kind == "matmul"} == {"attention"}
    assert {o.phase for o in traced.operations if o.kind == "matmul"} == {"backward"}


def layered(weights: Any, x: Any, looped: bool) -> Any:
    def layer(stream: Any, weight: Any) -> Any:
        with jax.named_scope("layer"):
            return stream + jax.nn.gelu(stream @ weight)

    if looped:
        return lax.scan(lambda stream, weight: (layer(stream, weight), None), x, weights)[0].sum()
    for index in range(weights.shape[0]):
        x = layer(x, weights[index])
    return x.sum()


def test_a_loop_and_its_layers_written_out_cost_the_same() -> None:
    looped, written = (
        walk(
            jax.value_and_grad(lambda w, x, how=how: layered(w, x, how), argnums=(0, 1)),
            floats(5, 16, 16),
            floats(8, 16),
        )
        for how in (True, False)
    )
    for phase in ("forward", "backward"):
        products = [
            Counter(
                o.shape for o in traced.operations if o.kind == "matmul" and o.phase == phase for _ in range(o.count)
            )
            for traced in (looped, written)
        ]
        totals = [
            sum(flops * n for flops, n in [(o.flops, o.count) for o in t.operations if o.phase == phase])
            for t in (looped, written)
        ]
        assert products[0] == products[1]
        # written out, the last gradient is a broadcast of 1 and the slices are stacked by additions of padded arrays
        assert totals[0] == pytest.approx(totals[1], rel=0.1)
    assert len(looped.ready[1]) == 5
    assert list(looped.ready[1]) == sorted(looped.ready[1], reverse=True)


def test_residuals_are_what_the_backward_pass_reads() -> None:
    """The product keeps its input, which the caller holds anyway; the sine keeps its argument's cosine, 40 numbers."""
    traced = walk(jax.grad(lambda w, x: jnp.sin(x @ w).sum()), floats(6, 4), floats(10, 6))
    assert traced.residual_bytes == 40 * 4


def test_stacked_residuals_count_every_trip() -> None:
    def model(x: Any) -> Any:
        return lax.scan(lambda c, _: (jnp.sin(c), None), x, length=9)[0].sum()

    traced = walk(jax.grad(model), floats(50))
    assert traced.residual_bytes == 9 * 50 * 4
