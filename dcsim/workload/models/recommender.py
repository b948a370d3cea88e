"""The recommender DLRM: numbers through dense layers, categories through tables, products of all pairs, dense layers.

Naumov et al., "Deep Learning Recommendation Model for Personalization and Recommendation Systems" (2019). All tables
are one array, each at an offset of its own.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from math import sqrt
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from dcsim.workload.models import objectives
from dcsim.workload.models.abstract import array
from dcsim.workload.models.layers import Weights, apply, dense

if TYPE_CHECKING:
    from dcsim.scenario.models import RecommenderModel
    from dcsim.workload.models import Layers


def batch(spec: RecommenderModel, size: int) -> dict[str, Any]:
    """Return the abstract arrays of ``size`` samples: numbers, categories a table, and whether there was a click."""
    return {
        "inputs": array((size, spec.numbers), jnp.float32),
        "categories": array((size, len(spec.tables)), jnp.int32),
        "labels": array((size,), jnp.int32),
    }


def init(key: jax.Array, spec: RecommenderModel) -> Weights:
    """Return the parameters; the rows of table t begin at the sum of those before it."""
    bottom, top = widths(spec)
    keys = iter(jax.random.split(key, len(bottom) + len(top)))
    rows = sum(spec.tables)
    return {
        "tables": jax.random.uniform(next(keys), (rows, spec.embedding), jnp.float32, -1, 1) * _spread(spec)[:, None],
        "bottom": [_dense(next(keys), sizes) for sizes in pairwise(bottom)],
        "top": [_dense(next(keys), sizes) for sizes in pairwise(top)],
    }


def widths(spec: RecommenderModel) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the widths along the dense layers below and above the products."""
    vectors = len(spec.tables) + 1
    return (
        (spec.numbers, *spec.bottom, spec.embedding),
        (spec.embedding + vectors * (vectors - 1) // 2, *spec.top, 1),
    )


def loss(
    parameters: Weights, batch: dict[str, jax.Array], spec: RecommenderModel, layers: Layers = "loop"
) -> jax.Array:
    """Return the mean log loss of the clicks [nat]; the layers differ in width, so there is no loop."""
    del layers
    found = logits(parameters, batch, spec)
    with jax.named_scope("head"):
        return objectives.mean("log", found, batch["labels"])


def score(
    parameters: Weights, batch: dict[str, jax.Array], spec: RecommenderModel, layers: Layers = "loop"
) -> jax.Array:
    """Return the shares of clicks in float32, shape (rows, 1)."""
    del layers
    return objectives.scores("log", logits(parameters, batch, spec))


def judge(parameters: Weights, batch: dict[str, jax.Array], spec: RecommenderModel) -> objectives.Verdict:
    """Return the log loss of every sample [nat], and whether the likelier of click and no click was right."""
    return objectives.judged("log", logits(parameters, batch, spec), batch["labels"])


def logits(parameters: Weights, batch: dict[str, jax.Array], spec: RecommenderModel) -> jax.Array:
    """Return the logits of the clicks, shape (rows, 1)."""
    stream = batch["inputs"].astype(parameters["tables"].dtype)
    for layer in parameters["bottom"]:
        stream = jax.nn.relu(apply(stream, layer))
    with jax.named_scope("embedding"):
        starts = np.asarray([0, *accumulate(spec.tables)][:-1], np.int32)
        vectors = parameters["tables"][batch["categories"] + starts]
    with jax.named_scope("interaction"):
        all_ = jnp.concatenate([stream[:, None], vectors], axis=1)
        products = jnp.einsum("bid,bjd->bij", all_, all_)
        first, second = np.tril_indices(all_.shape[1], -1)
        stream = jnp.concatenate([stream, products[:, first, second]], axis=1)
    for layer in parameters["top"][:-1]:
        stream = jax.nn.relu(apply(stream, layer))
    return apply(stream, parameters["top"][-1])


def _dense(key: jax.Array, sizes: tuple[int, int]) -> Weights:
    """Weights of deviation sqrt(2 / (inputs + outputs)), as in the authors' code."""
    return dense(sqrt(2 / sum(sizes)) * jax.random.normal(key, sizes, jnp.float32))


def _spread(spec: RecommenderModel) -> jax.Array:
    """Return the largest first number of every row, shape (rows,): 1 / sqrt(rows of its table)."""
    each = jnp.asarray([1 / sqrt(rows) for rows in spec.tables], jnp.float32)
    return jnp.repeat(each, np.asarray(spec.tables), total_repeat_length=sum(spec.tables))
