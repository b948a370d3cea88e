"""Phases of products inside loops, branches, jit, custom derivatives and checkpoints, which have no labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.sharding import AbstractMesh, AxisType
from jax.sharding import PartitionSpec as P

from dcsim.workload.hlo.program import load
from dcsim.workload.reader import Known
from dcsim.workload.trace import analyze, analyze_step

FIXTURE = Path(__file__).parents[2] / "fixtures" / "hlo" / "exchange.hlo"


def floats(*shape: int) -> Any:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


@jax.custom_vjp
def product(x: Any, w: Any) -> Any:
    return x @ w


product.defvjp(lambda x, w: (x @ w, (x, w)), lambda kept, g: (g @ kept[1].T, kept[0].T @ g))


def branched(x: Any, w: Any) -> Any:
    return lax.cond(x.sum() > 0, lambda a: jnp.sin(a @ w), lambda a: jnp.sin(a @ w) @ w, x)


def twice(x: Any, w: Any) -> Any:
    return jnp.sin(jnp.sin(x @ w) @ w)


def thrice(x: Any, w: Any) -> Any:
    return lax.scan(lambda c, _: (jnp.sin(c @ w), None), x, length=3)[0]


@pytest.mark.parametrize(
    ("layer", "forward", "recompute"),
    [
        (branched, 2, 0),  # the costlier branch
        (lambda x, w: jnp.sin(product(x, w)), 1, 0),
        (lambda x, w: jax.jit(lambda a: jnp.sin(a @ w))(x), 1, 0),
        (jax.checkpoint(twice), 2, 2),  # both, as the derivative of each sine needs its argument
        (thrice, 3, 0),
        (jax.checkpoint(thrice), 3, 3),
    ],
    ids=["cond", "custom derivative", "jit", "checkpoint", "scan", "checkpoint of a scan"],
)
def test_a_layer_in_a_scan(layer: Callable[..., Any], forward: int, recompute: int) -> None:
    """Every product has two gradients; the weights' are ready layer by layer, the last layer's first."""

    def loss(weights: Any, x: Any) -> Any:
        return jnp.square(lax.scan(lambda c, w: (layer(c, w), None), x, weights)[0]).sum()

    traced = analyze(jax.make_jaxpr(jax.value_and_grad(loss, argnums=(0, 1)))(floats(5, 8, 8), floats(4, 8)), "forward")
    found = Counter(o.phase for o in traced.operations if o.kind == "matmul" for _ in range(o.count))
    expected = {"forward": 5 * forward, "backward": 10 * forward, "recompute": 5 * recompute}
    assert found == {phase: count for phase, count in expected.items() if count}
    ready = traced.ready[1]
    assert len(ready) == 5
    assert list(ready) == sorted(ready, reverse=True)


def test_a_loop_that_asks_to_be_written_out_is() -> None:
    """As JAX does; what it stacks up is complete when all of it is put together."""

    def loss(weights: Any, x: Any) -> Any:
        return lax.scan(lambda c, w: (jnp.sin(c @ w), c), x, weights, unroll=5)[0].sum()

    traced = analyze(jax.make_jaxpr(jax.grad(loss))(floats(5, 8, 8), floats(4, 8)), "forward")
    assert sum(o.count for o in traced.operations if o.kind == "matmul") == 5 + 5 + 4
    assert traced.ready == ((len(traced.order) - 1,),)
    (stacked,) = [o for o in traced.operations if o.name == "stack"]
    assert stacked.bytes == 2 * 5 * 8 * 8 * 4


def test_collectives_of_a_jaxpr_are_those_that_xla_compiles() -> None:
    """The program of ``tests/fixtures/hlo/make.py``, read before and after it was compiled for a mesh of 2 x 4."""

    def exchange(x: Any, w: Any) -> Any:
        y = lax.all_gather(x, "model", axis=0, tiled=True) @ w
        y = lax.psum_scatter(y, "model", scatter_dimension=0, tiled=True)
        y = lax.all_to_all(lax.psum(y, "data"), "model", 1, 1, tiled=True)
        return lax.psum(lax.ppermute(y, "data", [(0, 1), (1, 0)]), ("data", "model"))

    mesh = AbstractMesh((2, 4), ("data", "model"), axis_types=(AxisType.Auto, AxisType.Auto))
    split = (P(("model", "data"), None), P())
    mapped = jax.shard_map(exchange, mesh=mesh, in_specs=split, out_specs=P("model", None), check_vma=False)
    closed = jax.make_jaxpr(mapped)(floats(64, 16), floats(16, 16))
    traced = analyze_step(closed, Known(mesh={"data": 2, "model": 4}, strict=True), []).traced
    read = [(exchange.group.kind, exchange.size_bytes) for exchange in traced.exchanges]
    assert read == [(found.kind, found.size_bytes) for found, _ in load(FIXTURE).collectives]
    assert [exchange.group.axes for exchange in traced.exchanges] == [
        ("model",), ("model",), ("data",), ("model",), ("data",), ("data", "model"),
    ]  # fmt: skip
