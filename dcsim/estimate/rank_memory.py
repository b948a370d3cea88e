"""The memory of a rank of a plan, for many plans at once: what it holds at its fullest, by what it is.

Activations are those of :mod:`dcsim.parallel.kept`: of every product's operands what its backward pass reads. Not
counted: temporaries of single kernels and the fragmentation of allocators.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from dcsim.estimate.work import Work
from dcsim.parallel.adapters import adapter_parameters, narrow_elements
from dcsim.parallel.held import Held, held, plain_parameters
from dcsim.parallel.kept import attention_bytes, feed_bytes, stream_bytes_kept
from dcsim.parallel.layer import tokens
from dcsim.parallel.parallelism import EVERYTHING, GRADIENTS, OPTIMIZER
from dcsim.parallel.routing import busiest_load
from dcsim.parallel.shape import expert_parameters, head_parameters

Floats = NDArray[np.float64]

_MOMENTS = 8.0  # Adam's two moments in 32 bits [B]
_MASTER = 4.0  # a weight in 32 bits beside the narrow one [B]
_SCORE_BYTES = 5.0  # softmax, its dropout's result (2 B each) and mask (1 B), where attention is several kernels
_LOGIT_BYTES = 6.0  # in 16 bits from the product, in 32 bits for the softmax


@dataclass(frozen=True, slots=True)
class Memory:
    """What the fullest rank of a plan holds [B], every field of shape (cases,)."""

    weights: Floats
    gradients: Floats
    optimizer: Floats
    activations: Floats
    logits: Floats
    gathered: Floats
    """Layers whose shards are together for the moment, and their gradients."""

    @property
    def total(self) -> Floats:
        """All of it [B]."""
        return np.asarray(sum(getattr(self, field.name) for field in fields(self)))


def rank_memory(work: Work, keeps_all: bool = False) -> Memory:
    """Return the memory of the fullest rank: one of the first stage or of the last, whose head has logits.

    Parameters
    ----------
    work
        The plans; of precision, the widths of activations, weights and gradients count.
    keeps_all
        Whether a stage runs all forward passes before the first backward pass (GPipe); otherwise the first of p stages
        has p micro batches under way, or p (1 + (p - 1) / (p v)) where it has v chunks (Korthikanti, section 4.2.3).
    """
    first = _stage(work, layer_bytes(work) * _layers(work) * _under_way(work, keeps_all), 0.0)
    last = _stage(work, layer_bytes(work) * _layers(work) * (work.plan.micro_batches if keeps_all else 1.0), 1.0)
    fuller = last.total > first.total
    return Memory(*(np.where(fuller, getattr(last, f.name), getattr(first, f.name)) for f in fields(Memory)))


def layer_bytes(work: Work) -> Floats:
    """Return the activations that a layer of the mean keeps of one micro batch for its backward pass [B].

    Of a plain GPT, s b h (10 + 24 / t + 5 a s / (h t)), or s b h / t (34 + 5 a s / h) with sequence parallelism. Where
    adapters alone are trained, what no gradient of a matrix reads is not kept, but x A of every adapter is.
    """
    plan, shape = work.plan, work.shape
    rows, width = tokens(shape, plan), work.precision.activation_bytes
    split = np.where(plan.sequence > 0, plan.tensor, 1.0)
    masks = np.where(work.habits.fused > 0, 0.0, 2.0)  # dropout went with the kernels of its time
    stream = (stream_bytes_kept(work.kept, width) + masks) * shape.hidden / split
    inner = attention_bytes(shape, work.kept, width, work.habits.fused)
    inner = inner + feed_bytes(shape, work.kept, width, busiest_load(work.routing, plan))
    beside = np.where(plan.adapters > 0, narrow_elements(shape, work.adapters), 0.0) * width
    kept = rows * (stream + inner / plan.tensor + beside)
    scores = _SCORE_BYTES * rows * shape.heads * shape.sequence / plan.tensor
    scores = np.where(work.habits.fused > 0, 0.0, scores) * (1.0 - plan.recomputed_core)
    whole = kept + scores
    inputs = rows * width * shape.hidden / split
    return np.asarray((1.0 - plan.recomputed) * whole + plan.recomputed * inputs)


def _layers(work: Work) -> Floats:
    """Layers of the fullest stage."""
    return np.ceil((work.shape.layers + work.shape.extra_layers) / work.plan.pipeline - 1e-9)


def _under_way(work: Work, keeps_all: bool) -> Floats:
    plan = work.plan
    if keeps_all:
        return plan.micro_batches
    chunked = np.where(plan.virtual > 1, 1.0 + (plan.pipeline - 1.0) / (plan.pipeline * plan.virtual), 1.0)
    return np.minimum(plan.micro_batches, plan.pipeline * chunked)


def _stage(work: Work, activations: Floats, is_last: float) -> Memory:
    plan, precision = work.plan, work.precision
    own, shared = _held_of(work), _shards(work)
    frozen = plan.adapters > 0
    some = Held(np.where(frozen, _adapters(work), own.plain), np.where(frozen, 0.0, own.expert))
    narrow = precision.weight_bytes < _MASTER
    state = _MOMENTS + np.where(narrow, _MASTER, 0.0)

    def spread(parameters: Held, width: Floats, level: float) -> Floats:
        plain = parameters.plain / np.where(plan.sharding >= level, shared.plain, 1.0)
        return width * (plain + parameters.expert / np.where(plan.sharding >= level, shared.expert, 1.0))

    alone = (plan.pipeline == 1) | (is_last > 0)
    rows = tokens(work.shape, plan) * work.shape.scored
    logits = np.where(alone, _LOGIT_BYTES * rows * work.shape.vocabulary / plan.tensor, 0.0)
    return Memory(
        weights=spread(
            Held(own.plain + _adapters(work), own.expert), np.maximum(precision.weight_bytes, 2.0), EVERYTHING
        ),
        gradients=spread(some, precision.gradient_bytes, GRADIENTS),
        optimizer=spread(some, state, OPTIMIZER),
        activations=activations + _again(work),
        logits=logits,
        gathered=_gathered(work),
    )


def _adapters(work: Work) -> Floats:
    """Parameters of the adapters of the fullest stage."""
    share = _layers(work) / (work.shape.layers + work.shape.extra_layers)
    return adapter_parameters(work.shape, work.adapters) * share / work.plan.tensor


def _again(work: Work) -> Floats:
    """What one layer holds while it, or parts of it, run again, beside what all keep."""
    plan = work.plan
    some = replace(work, plan=replace(plan, recomputed=np.zeros_like(plan.recomputed)))
    nothing = np.zeros(1)
    whole = layer_bytes(replace(some, kept=replace(work.kept, norms=nothing, functions=nothing, ups=nothing)))
    return np.where(plan.recomputed > 0, whole, whole - layer_bytes(some))


def _held_of(work: Work) -> Held:
    """Parameters of the fullest stage: its layers, and one table of the vocabulary, or those that there are."""
    shape, plan = work.shape, work.plan
    mean = held(shape, plan)
    share = _layers(work) * plan.pipeline / (shape.layers + shape.extra_layers)
    inside = plain_parameters(shape) / (plan.tensor * plan.pipeline) * share
    one = np.where(plan.pipeline > 1, head_parameters(shape) / plan.tensor, mean.plain - inside)
    return Held(inside + one, mean.expert * share)


def _shards(work: Work) -> Held:
    plan = work.plan
    ranks = plan.data * plan.context / plan.replicas
    return Held(ranks, np.maximum(ranks * plan.tensor / plan.expert, 1.0))


def _gathered(work: Work) -> Floats:
    """Two layers' weights, the one in use and the next, and one layer's gradients, where weights are sharded."""
    shape, plan = work.shape, work.plan
    layers = shape.layers + shape.extra_layers
    each = plain_parameters(shape) / layers / plan.tensor
    each = each + np.where(shape.mixture, shape.experts * expert_parameters(shape) / plan.expert, 0.0)
    width = 2.0 * work.precision.weight_bytes + work.precision.gradient_bytes
    return np.where(plan.sharding >= EVERYTHING, width * each, 0.0)
