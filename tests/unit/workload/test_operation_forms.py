"""What a traced operation says of how its operands lie in memory, for devices whose kernels were measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from dcsim.workload.operation import Operation
from dcsim.workload.trace import analyze


def operations(function: Callable[..., Any], *shapes: tuple[int, ...]) -> list[Operation]:
    arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    return list(analyze(jax.make_jaxpr(function)(*arrays), "forward").operations)


@pytest.mark.parametrize(
    ("subscripts", "left", "right", "form"),
    [
        ("mk,kn->mn", (2, 3), (3, 4), "nn"),
        ("mk,nk->mn", (2, 3), (4, 3), "nt"),
        ("km,kn->mn", (3, 2), (3, 4), "tn"),
        ("bmk,bkn->bmn", (5, 2, 3), (5, 3, 4), "nn"),
        ("mab,abn->mn", (2, 3, 5), (3, 5, 4), "nn-joint"),
        ("bqhd,bkhd->bhqk", (5, 2, 3, 4), (5, 6, 3, 4), "nt-apart"),
        ("k,kn->n", (3,), (3, 4), "nn"),
    ],
)
def test_the_form_of_a_product(subscripts: str, left: tuple[int, ...], right: tuple[int, ...], form: str) -> None:
    def product(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.einsum(subscripts, a, b)

    (found,) = [o for o in operations(product, left, right) if o.kind == "matmul"]
    # einsum may exchange its operands, which exchanges the letters and what they stand for
    exchanged = {"nn": "tt", "tt": "nn"}.get(form[:2], form[:2]) + form[2:]
    assert found.form in (form, exchanged)


def test_the_gradient_of_a_layer_contracts_all_axes_of_its_batch_at_once() -> None:
    def gradient(x: jax.Array, w: jax.Array) -> jax.Array:
        return jax.grad(lambda w: jnp.sum(jnp.square(x @ w)))(w)

    forms = [o.form for o in operations(gradient, (2, 3, 4), (4, 5)) if o.kind == "matmul"]
    assert forms == ["nn", "tt-joint"] or forms == ["nn", "tn-joint"]


def test_the_geometry_of_a_convolution() -> None:
    def convolve(x: jax.Array, w: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(x, w, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    (found,) = operations(convolve, (8, 6, 6, 3), (3, 3, 3, 16))
    # 8 images, 3 and 16 features, 3 x 3 positions, 3 x 3 taps, stride 2 x 2, no dilation
    assert (found.form, found.geometry) == ("inside", (8, 3, 16, 9, 9, 4, 1, 1, 64))
    (small,) = operations(convolve, (8, 2, 2, 3), (3, 3, 3, 16))
    assert small.form == "beyond-broad"  # 9 taps, 1 position


def test_slices_of_stacked_arrays_are_counted() -> None:
    def layers(x: jax.Array, stacked: jax.Array) -> Any:
        return jax.lax.scan(lambda old, w: (jnp.tanh(old @ w), jnp.exp(old)), x, stacked)

    found = {o.name: o for o in operations(layers, (2, 4), (6, 4, 4))}
    # a trip takes a slice of 4 x 4 weights, and stacks 2 x 4 results, in float32
    assert found["dot_general"].stacked_bytes == 4 * 4 * 4
    assert sum(o.stacked_bytes for o in found.values()) == 4 * 4 * 4 + 2 * 4 * 4


def test_gradients_of_a_convolution_in_a_loop_are_crossed() -> None:
    def convolve(x: jax.Array, w: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def loss(x: jax.Array, stacked: jax.Array) -> jax.Array:
        return jnp.sum(jnp.square(jax.lax.scan(lambda old, w: (convolve(old, w), None), x, stacked)[0]))

    found = operations(jax.grad(loss, argnums=(0, 1)), (2, 8, 8, 4), (3, 3, 3, 4, 4))
    forms = {(o.phase, o.form) for o in found if o.kind == "convolution"}
    assert forms == {("forward", "inside"), ("backward", "crossed"), ("backward", "crossed-images")}
    # outside of loops the compiler brings their axes in order
    alone = operations(
        jax.grad(lambda x, w: jnp.sum(jnp.square(convolve(x, w))), argnums=(0, 1)), (2, 8, 8, 4), (3, 3, 4, 4)
    )
    assert {o.form for o in alone if o.kind == "convolution"} == {"inside", "inside-broad"}


def test_slow_functions_and_rows_found_by_index_are_counted_by_name() -> None:
    def function(x: jax.Array, table: jax.Array) -> jax.Array:
        return jnp.tanh(x / 3.0) + jnp.exp(x) * jnp.exp(2.0 * x) + table[jnp.array([3, 1])]

    counts: dict[str, float] = {}
    for operation in operations(function, (2, 5), (9, 5)):
        for name, count in operation.functions:
            counts[name] = counts.get(name, 0.0) + count * operation.count
    assert counts == {"div": 10.0, "exp": 20.0, "gather": 2.0, "tanh": 10.0}
