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
IN_FLIGHT = 2.0
"""Layers of which an accelerator holds what waits with the host: the one in use and the one on its way."""

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
    whole, inputs = _layer(work)
    each, most = _stage_bytes(work, whole, inputs), np.where(work.plan.recomputed < 1.0, whole, inputs)
    first = _stage(work, _here(work, each * _under_way(work, keeps_all), most), 0.0)
    last = _stage(work, _here(work, each * (work.plan.micro_batches if keeps_all else 1.0), most), 1.0)
    fuller = last.total > first.total
    return Memory(*(np.where(fuller, getattr(last, f.name), getattr(first, f.name)) for f in fields(Memory)))


def host_memory(work: Work, keeps_all: bool = False) -> Floats:
    """Return what a rank of the first stage keeps in the memory of its host [B].

    Beside an optimizer's states are the gradients that its step reads, and where weights stay on the accelerator in 32
    bits, those that it writes. ``keeps_all`` is that of :func:`rank_memory`.
    """
    plan, precision, off = work.plan, work.precision, work.offload
    mean = held(work.shape, plan)
    some, stack = _trained(work, _held_of(work, mean)), _stack_of(work, mean)
    copied = (precision.weight_bytes < _MASTER) | (off.weights == 0)
    states = _spread(work, some, _MOMENTS + np.where(copied, _MASTER, 0.0), OPTIMIZER)
    states = states + _spread(work, some, precision.gradient_bytes, GRADIENTS)
    weights = _spread(work, stack, np.maximum(precision.weight_bytes, 2.0), EVERYTHING)
    waiting = _stage_bytes(work, *_layer(work)) * _under_way(work, keeps_all)
    found = off.optimizer * states + off.weights * weights + off.activations * waiting
    return np.asarray(found * np.ones_like(plan.tensor))


def layer_bytes(work: Work) -> Floats:
    """Return the activations that a layer of the mean keeps of one micro batch for its backward pass [B].

    Of a plain GPT, s b h (10 + 24 / t + 5 a s / (h t)), or s b h / t (34 + 5 a s / h) with sequence parallelism. Where
    adapters alone are trained, what no gradient of a matrix reads is not kept, but x A of every adapter is.
    """
    again = work.plan.recomputed
    whole, inputs = _layer(work)
    return np.asarray((1.0 - again) * whole + again * inputs * _inputs(work) / _layers(work))


def _layer(work: Work) -> tuple[Floats, Floats]:
    """Return what a layer keeps that does not run again whole, and the input of one that does [B]."""
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
    return np.asarray(kept + scores), np.asarray(rows * width * shape.hidden / split)


def _stage_bytes(work: Work, whole: Floats, inputs: Floats) -> Floats:
    """Return the activations that the fullest stage keeps of one micro batch for its backward pass [B]."""
    plan, layers = work.plan, _layers(work)
    some = plan.recomputed * (work.shape.layers + work.shape.extra_layers) / plan.pipeline
    again = np.where(plan.recomputed < 1.0, some, layers)
    return np.asarray((layers - again) * whole + np.where(plan.recomputed < 1.0, again, _inputs(work)) * inputs)


def _inputs(work: Work) -> Floats:
    """Return of how many layers of the fullest stage the inputs are kept, where all run again: one a group."""
    layers, group, virtual = _layers(work), work.kept.group, work.plan.virtual
    return np.where(group > 1, virtual * np.ceil(layers / virtual / group - 1e-9), layers)


def _here(work: Work, all_bytes: Floats, layer: Floats) -> Floats:
    """Return what of activations is on the accelerator: where they wait with the host, those of the layer in use and of
    the one on its way [B].
    """
    if not work.offload.there:
        return all_bytes
    return np.where(work.offload.activations > 0, np.minimum(IN_FLIGHT * layer, all_bytes), all_bytes)


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
    mean = held(work.shape, plan)
    own, few, stays = _held_of(work, mean), _adapters(work), np.ones(1)
    gradients = some = _trained(work, own)
    if work.offload.there:
        off, stack, stays = work.offload, _stack_of(work, mean), 1.0 - work.offload.optimizer
        own = Held(own.plain - off.weights * stack.plain, (1.0 - off.weights) * own.expert)
        gradients = _gradients_here(work, some, stack)
    narrow = precision.weight_bytes < _MASTER
    state = stays * (_MOMENTS + np.where(narrow, _MASTER, 0.0))
    alone = (plan.pipeline == 1) | (is_last > 0)
    rows = tokens(work.shape, plan) * work.shape.scored
    logits = np.where(alone, _LOGIT_BYTES * rows * work.shape.vocabulary / plan.tensor, 0.0)
    return Memory(
        weights=_spread(work, Held(own.plain + few, own.expert), np.maximum(precision.weight_bytes, 2.0), EVERYTHING),
        gradients=_spread(work, gradients, precision.gradient_bytes, GRADIENTS),
        optimizer=_spread(work, some, state, OPTIMIZER),
        activations=activations + _again(work),
        logits=logits,
        gathered=_gathered(work),
    )


def _trained(work: Work, own: Held) -> Held:
    """Parameters of the fullest stage, which has its ``own``, that are trained."""
    frozen = work.plan.adapters > 0
    return Held(np.where(frozen, _adapters(work), own.plain), np.where(frozen, 0.0, own.expert))


def _gradients_here(work: Work, some: Held, stack: Held) -> Held:
    """Trained parameters whose gradients are on the accelerator.

    Where the others wait with the host, they are those of two layers, or of a table of the vocabulary if it is larger.
    """
    share = np.minimum(IN_FLIGHT / _layers(work), 1.0)
    table = np.where(work.plan.adapters > 0, 0.0, head_parameters(work.shape) / work.plan.tensor)
    plain = np.maximum(share * np.where(work.plan.adapters > 0, some.plain, stack.plain), table)
    away = work.offload.gradients > 0
    return Held(np.where(away, plain, some.plain), np.where(away, share, 1.0) * some.expert)


def _spread(work: Work, parameters: Held, width: float | Floats, level: float) -> Floats:
    """Return the bytes of parameters of some width that data-parallel ranks share out from ``level`` on."""
    plan, shared = work.plan, shards(work)
    plain = parameters.plain / np.where(plan.sharding >= level, shared.plain, 1.0)
    return width * (plain + parameters.expert / np.where(plan.sharding >= level, shared.expert, 1.0))


def _adapters(work: Work) -> Floats:
    """Parameters of the adapters of the fullest stage."""
    share = _layers(work) / (work.shape.layers + work.shape.extra_layers)
    return adapter_parameters(work.shape, work.adapters) * share / work.plan.tensor


def _again(work: Work) -> Floats:
    """What one layer, or a group of them, holds while it or parts of it run again, beside what all keep.

    Where some layers do not run again, these are done by the time that others do, and hold no less.
    """
    nothing = np.zeros(1)
    kept, inputs = _layer(work)
    whole, _ = _layer(replace(work, kept=replace(work.kept, norms=nothing, functions=nothing, ups=nothing)))
    group = np.minimum(work.kept.group, np.ceil(_layers(work) / work.plan.virtual - 1e-9))
    return np.where(work.plan.recomputed < 1.0, whole - kept, group * whole - inputs)


def _held_of(work: Work, mean: Held) -> Held:
    """Parameters of the fullest stage: its layers, and one table of the vocabulary, or those that there are."""
    shape, plan, stack = work.shape, work.plan, _stack_of(work, mean)
    one = np.where(plan.pipeline > 1, head_parameters(shape) / plan.tensor, mean.plain - stack.plain)
    return Held(stack.plain + one, stack.expert)


def _stack_of(work: Work, mean: Held) -> Held:
    """Parameters of the layers of the fullest stage, where those of the mean stage are ``mean``."""
    shape, plan = work.shape, work.plan
    share = _layers(work) * plan.pipeline / (shape.layers + shape.extra_layers)
    inside = plain_parameters(shape) / (plan.tensor * plan.pipeline) * share
    return Held(inside, mean.expert * share)


def shards(work: Work) -> Held:
    """Return among how many ranks parameters are shared out: those that data-parallel ranks hold alike, and experts."""
    plan = work.plan
    ranks = plan.data * plan.context / plan.replicas
    return Held(ranks, np.maximum(ranks * plan.tensor / plan.expert, 1.0))


def _gathered(work: Work) -> Floats:
    """Two layers' weights, the one in use and the next, where weights are sharded or wait with the host.

    Where they are sharded, one layer's gradients too, and the next layer's weights only where they come ahead.
    """
    shape, plan = work.shape, work.plan
    layers = shape.layers + shape.extra_layers
    each = plain_parameters(shape) / layers / plan.tensor
    each = each + np.where(shape.mixture, shape.experts * expert_parameters(shape) / plan.expert, 0.0)
    width = (1.0 + work.exchange.prefetched) * work.precision.weight_bytes + work.precision.gradient_bytes
    fetched = 2.0 * work.precision.weight_bytes * work.offload.weights
    return np.where(plan.sharding >= EVERYTHING, width, fetched) * each
