"""The small programs that calibration times to fit everything but products: pieces of layers, losses and optimizers.

Each is a piece that models are made of, at sizes of their own: none is a model, and none is taken from a model that a
prediction is scored on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped]

from dcsim.workload.models.abstract import array
from dcsim.workload.timing import Program

_FLAT = ((64, 64), (256, 256), (1024, 768), (2048, 2048))
_ROWS = ((32, 10), (64, 512), (512, 128), (1024, 1000), (2048, 1024))
_POOLED = ((8, 16, 16, 32), (16, 28, 28, 24), (8, 56, 56, 32))
_TABLES = ((1000, 16, 512), (8000, 64, 2048), (20000, 256, 1024), (500, 512, 256))


def empty() -> Program:
    """Return the program that does next to nothing: what starting one takes."""
    return Program("empty", lambda x: x + 1.0, (array((1,), jnp.float32),))


def kernels() -> Iterator[Program]:
    """Return all programs but those of products and convolutions."""
    for group in (elementwise, reductions, windows, rows_of_tables, others):
        yield from group()


def elementwise() -> Iterator[Program]:
    """Return programs of elementwise work and its gradients."""
    pairs: dict[str, Callable[..., Any]] = {
        "add": lambda x, y: x + y,
        "bias and relu": lambda x, y: jax.nn.relu(x + y[0]),
        "silu product": lambda x, y: jax.nn.silu(x) * y,
        "gates": lambda x, y: jax.nn.sigmoid(x) * jnp.tanh(y) + jax.nn.sigmoid(y) * x,
        "many": lambda x, y: (x * 0.9 + y) * (x - y) + (0.5 * x + y * y) * 2.0 - x * y,
    }
    singles: dict[str, Callable[..., Any]] = {"tanh": jnp.tanh, "gelu": jax.nn.gelu, "exact gelu": _exact}
    for shape in _FLAT:
        x = array(shape, jnp.float32)
        for name, function in (*pairs.items(), *singles.items()):
            given = (x, x) if name in pairs else (x,)
            yield Program(f"{name} {shape}", function, given)
            if name not in ("add", "many"):
                yield _gradient(f"{name} gradient {shape}", function, *given)
    for shape in _FLAT[1:]:
        x = array(shape, jnp.float32)
        yield Program(f"to bf16 {shape}", lambda x: x.astype(jnp.bfloat16), (x,))
        yield Program(f"select {shape}", lambda x, y: jnp.where(x > y, x, 0.5 * y), (x, x))
    yield from _functions()


def _functions() -> Iterator[Program]:
    """Return programs of one slow function each."""
    functions: dict[str, Callable[..., Any]] = {
        "exp": jnp.exp,
        "log": lambda x: jnp.log(jnp.abs(x)),
        "log1p": lambda x: jnp.log1p(jnp.abs(x)),
        "sigmoid": jax.nn.sigmoid,
        "erf": jax.lax.erf,
        "division": lambda x: x / (1.5 + x),
        "root": lambda x: jnp.sqrt(jnp.square(x) + 1.0),
        "inverse root": lambda x: jax.lax.rsqrt(jnp.square(x) + 1.0),
        "sine": jnp.sin,
        "cosine": jnp.cos,
        "power": lambda x: jnp.abs(x) ** 1.5,
    }
    for shape in ((96, 128), (512, 768)):
        for name, function in functions.items():
            yield Program(f"{name} {shape}", function, (array(shape, jnp.float32),))


def reductions() -> Iterator[Program]:
    """Return programs of reductions: sums along either axis, normalizations, softmax, losses and their gradients."""
    functions: dict[str, Callable[..., Any]] = {
        "sum of rows": lambda x: jnp.sum(x, axis=-1),
        "sum of columns": lambda x: jnp.sum(x, axis=0),
        "largest": lambda x: jnp.max(x, axis=-1),
        "norm": lambda x: jnp.sum(jnp.square(x)),
        "softmax": lambda x: jax.nn.softmax(x, axis=-1),
        "layer norm": _normalize,
        "batch norm": lambda x: (x - x.mean(axis=0)) * jax.lax.rsqrt(x.var(axis=0) + 1e-5),
        "bias": lambda x: (jax.nn.relu(x), jnp.sum(x, axis=0)),
    }
    for shape in _ROWS:
        x, labels = array(shape, jnp.float32), array(shape[:1], jnp.int32)
        for name, function in functions.items():
            yield Program(f"{name} {shape}", function, (x,))
            if name in ("softmax", "layer norm", "batch norm"):
                yield _gradient(f"{name} gradient {shape}", function, x)
        yield Program(f"entropy {shape}", _entropy, (x, labels), below=shape[1])
        yield Program(f"entropy gradient {shape}", jax.value_and_grad(_entropy), (x, labels), below=shape[1])
        yield Program(f"best {shape}", lambda x: jnp.argmax(x, axis=-1), (x,))
    for scores in ((4, 4, 64, 64), (2, 8, 256, 256)):
        x = array(scores, jnp.float32)
        yield Program(f"masked softmax {scores}", _masked, (x,))
        yield _gradient(f"masked softmax gradient {scores}", _masked, x)


def windows() -> Iterator[Program]:
    """Return programs of pooling and its gradients."""
    for shape in _POOLED:
        x = array(shape, jnp.float32)
        for window, stride, kind in ((2, 2, "max"), (3, 2, "max"), (2, 2, "mean")):

            def pool(x: jax.Array, window: int = window, stride: int = stride, kind: str = kind) -> Any:
                sizes, steps = (1, window, window, 1), (1, stride, stride, 1)
                if kind == "max":
                    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, sizes, steps, "SAME")
                return jax.lax.reduce_window(x, 0.0, jax.lax.add, sizes, steps, "SAME") / window**2

            yield Program(f"{kind} pool {window} {shape}", pool, (x,))
            yield _gradient(f"{kind} pool gradient {window} {shape}", pool, x)


def rows_of_tables() -> Iterator[Program]:
    """Return programs that look rows of tables up, and add to them."""
    for rows, width, count in _TABLES:
        table, indices = array((rows, width), jnp.float32), array((count,), jnp.int32)
        updates = array((count, width), jnp.float32)
        yield Program(f"look up {rows} {width} {count}", lambda t, i: t[i], (table, indices), below=rows)
        yield Program(
            f"add to rows {rows} {width} {count}",
            lambda t, i, u: (t.at[i].add(u),),
            (table, indices, updates),
            kept=1,
            below=rows,
        )
        yield Program(
            f"gradient of rows {rows} {width} {count}",
            lambda t, i, u: jnp.zeros_like(t).at[i].add(u),
            (table, indices, updates),
            below=rows,
        )

        yield Program(
            f"fill rows {rows} {width} {count}",
            lambda t, i: t.at[i].get(mode="fill", fill_value=0),
            (table, indices),
            below=rows,
        )
        yield Program(
            f"set rows {rows} {width} {count}",
            lambda t, i, u: jnp.zeros_like(t).at[i].set(u, mode="drop"),
            (table, indices, updates),
            below=rows,
        )
    for count, side in ((64, 9), (500, 33)):
        x = array((count, side, side), jnp.float32)
        first, second = np.tril_indices(side, -1)

        def below(x: jax.Array, first: Any = first, second: Any = second) -> jax.Array:
            return x[:, first, second]

        yield Program(f"triangles {x.shape}", below, (x,))
        yield _gradient(f"triangles gradient {x.shape}", below, x)


def others() -> Iterator[Program]:
    """Return programs of sorting, random numbers, moves, optimizers and loops."""
    for shape in ((256, 64), (64, 4096)):
        x = array(shape, jnp.float32)
        yield Program(f"sort {shape}", lambda x: jnp.sort(x, axis=-1), (x,))
        yield Program(f"top {shape}", lambda x: jax.lax.top_k(x, 4), (x,))
        yield Program(f"running sum {shape}", lambda x: jnp.cumsum(x, axis=-1), (x,))
    for length in (300, 3000):
        yield Program(f"order {length}", jnp.argsort, (array((length,), jnp.int32),), below=16)
    key = jax.eval_shape(lambda: jax.random.key(0))
    for shape in ((128, 128), (1024, 512)):
        x = array(shape, jnp.float32)
        yield Program(
            f"dropout {shape}", lambda k, x: jnp.where(jax.random.bernoulli(k, 0.9, x.shape), x, 0.0), (key, x)
        )
        yield Program(f"join {shape}", lambda x, y: jnp.concatenate([x, y], axis=-1), (x, x))
        yield Program(f"pad {shape}", lambda x: jnp.pad(x, ((0, 0), (3, 5))), (x,))
    for shape in ((100, 100), (512, 512), (2048, 1024)):
        yield from _optimizers(shape)
    for trips, shape in ((16, (32, 64)), (64, (32, 256)), (8, (512, 512))):
        yield from _loops(trips, shape)


def _optimizers(shape: tuple[int, int]) -> Iterator[Program]:
    weights = {str(index): array(shape, jnp.float32) for index in range(2)}
    for name, optimizer in (("adamw", optax.adamw(1e-3)), ("sgd", optax.sgd(1e-3)), ("momentum", optax.sgd(1e-3, 0.9))):

        def update(weights: Any, state: Any, gradients: Any, optimizer: Any = optimizer) -> Any:
            changes, state = optimizer.update(gradients, state, weights)
            return optax.apply_updates(weights, changes), state

        state = jax.eval_shape(optimizer.init, weights)
        yield Program(f"{name} {shape}", update, (weights, state, weights), kept=2)


def _loops(trips: int, shape: tuple[int, int]) -> Iterator[Program]:
    stacked, x = array((trips, *shape), jnp.float32), array(shape, jnp.float32)

    def gated(x: jax.Array, stacked: jax.Array) -> Any:
        def trip(old: jax.Array, given: jax.Array) -> tuple[jax.Array, jax.Array]:
            new = jnp.tanh(old) * 0.9 + given
            return new, new * old

        return jax.lax.scan(trip, x, stacked)

    def total(x: jax.Array, stacked: jax.Array) -> jax.Array:
        carried, each = gated(x, stacked)
        return jnp.sum(carried) + jnp.sum(each)

    yield Program(f"loop {trips} {shape}", gated, (x, stacked))
    yield Program(f"loop gradient {trips} {shape}", jax.grad(total, argnums=(0, 1)), (x, stacked))


def _gradient(name: str, function: Callable[..., Any], *given: Any) -> Program:
    """Return the backward pass of ``function`` alone, given what its forward pass keeps for it."""
    result, pull = jax.eval_shape(lambda *arrays: jax.vjp(function, *arrays), *given)
    return Program(name, lambda pull, gradient: pull(gradient), (pull, result))


def _normalize(x: jax.Array) -> jax.Array:
    mean = x.mean(axis=-1, keepdims=True)
    variance = jnp.square(x - mean).mean(axis=-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5)


def _entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))


def _exact(x: jax.Array) -> jax.Array:
    return jax.nn.gelu(x, approximate=False)


def _masked(scores: jax.Array) -> jax.Array:
    causal = jnp.tril(jnp.ones(scores.shape[-2:], dtype=bool))
    return jax.nn.softmax(jnp.where(causal, scores / prod(scores.shape[:1]), -jnp.inf), axis=-1)
