"""The time of what waits with the host: transfers that no computation covers, and the host's step of the optimizer.

Links to the host carry as much in both directions at once. One layer is fetched ahead while another computes, so that a
layer takes as long as its computation or its transfers, whichever is longer (S. Rajbhandari et al., "ZeRO-Infinity", SC
2021). Gradients leave while the backward pass goes on, and weights come back while the step does (J. Ren
et al., "ZeRO-Offload", USENIX ATC 2021). That cards of the network may pass the same switch is left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dcsim.estimate.rank_memory import layer_bytes, shards
from dcsim.estimate.work import Layers, Work
from dcsim.parallel.held import Held, held, plain_parameters, trained
from dcsim.parallel.parallelism import EVERYTHING, GRADIENTS, OPTIMIZER

Floats = NDArray[np.float64]

STEP_BYTES = 24.0
"""What a step of Adam on the host moves of an element, beside its gradient and the weight that goes back: the master
weight and two moments in 32 bits, each read and written (D. Kingma, J. Ba, "Adam", ICLR 2015, algorithm
1, in one pass over the elements, as Ren et al. have it)."""

_SUM_PASSES = 3.0  # a gradient that is added to those before: it is read, and their sum read and written


def layer_waits(work: Work, forward_s: Floats, backward_s: Floats) -> tuple[Floats, Floats]:
    """Return what the transfers of a layer and micro batch take beyond its forward and its backward pass [s].

    Forward, activations leave and weights come; backward, both come, and gradients leave where the host sums them.
    """
    off = work.offload
    activations = off.activations * layer_bytes(work) / off.rate
    weights = off.weights * _layer_weights(work) / off.rate
    gradients = off.gradients * _gradients_s(work)
    forward = np.maximum(activations, weights) - forward_s
    backward = np.maximum(activations + weights, gradients) - backward_s
    return np.maximum(forward, 0.0), np.maximum(backward, 0.0)


def step_wait(work: Work, mean: Layers) -> Floats:
    """Return what transfers that come once a step take beyond what goes on meanwhile [s].

    Gradients that wait on the accelerator leave in the last backward pass; weights that do come back from the step.
    """
    off = work.offload
    _, backward_s = with_launches(work, mean)
    backward_s = backward_s + mean.wait_backward_s
    late = off.optimizer * (1.0 - off.gradients) * _layer_gradients(work) / off.rate
    late = _layers(work) * np.maximum(late - backward_s, 0.0)
    back = off.optimizer * work.precision.weight_bytes * _resident(work) / off.rate
    return np.asarray(late + np.maximum(back - host_step(work), 0.0))


def with_launches(work: Work, mean: Layers) -> tuple[Floats, Floats]:
    """Return the forward and the backward pass of a layer with the launches of their kernels [s]."""
    passes = 3.0 + work.plan.recomputed
    forward_s = mean.forward_s + mean.launch_s / passes
    return np.asarray(forward_s), np.asarray(mean.backward_s + mean.launch_s * (passes - 1.0) / passes)


def host_step(work: Work) -> Floats:
    """Return the time of the optimizer's step on the host, bound by its memory [s].

    In bf16, an element takes 24 + 2 + 2 = 28 B: its gradient is read and its narrow weight written.
    """
    each = STEP_BYTES + work.precision.gradient_bytes + np.where(work.precision.weight_bytes < 4.0, 2.0, 0.0)
    return np.asarray(each * _updated(work, OPTIMIZER) / work.offload.memory_rate)


def _updated(work: Work, level: float) -> Floats:
    """Return the elements that a rank of the mean stage updates or, by ``level``, has gradients of."""
    return _shared(work, trained(work.shape, work.plan, work.adapters), level)


def _resident(work: Work) -> Floats:
    """Return the updated elements whose weights stay on the accelerator: all, or those outside layers."""
    some, plan = _updated(work, OPTIMIZER), work.plan
    away = np.where(plan.adapters > 0, 0.0, _shared(work, _stack(work), OPTIMIZER))
    return np.asarray(some - work.offload.weights * away)


def _stack(work: Work) -> Held:
    """Return the parameters of the layers of the mean stage."""
    shape, plan = work.shape, work.plan
    return Held(plain_parameters(shape) / (plan.tensor * plan.pipeline), held(shape, plan).expert)


def _shared(work: Work, parameters: Held, level: float) -> Floats:
    among, shared = shards(work), work.plan.sharding >= level
    plain = parameters.plain / np.where(shared, among.plain, 1.0)
    return np.asarray(plain + parameters.expert / np.where(shared, among.expert, 1.0))


def _layer_weights(work: Work) -> Floats:
    """Return the weights of a layer that a rank fetches, its shard where they are shared out [B]."""
    width = np.maximum(work.precision.weight_bytes, 2.0)
    return np.asarray(width * _shared(work, _stack(work), EVERYTHING) / _layers(work))


def _layer_gradients(work: Work) -> Floats:
    """Return the gradients of a layer that a rank sends, with a part of those of embedding and head [B]."""
    return np.asarray(work.precision.gradient_bytes * _updated(work, GRADIENTS) / _layers(work))


def _gradients_s(work: Work) -> Floats:
    """Return how long gradients of a layer take to the host, which adds those of several micro batches [s]."""
    size, off = _layer_gradients(work), work.offload
    passes = np.where(work.plan.micro_batches > 1, _SUM_PASSES, 0.0)
    return np.maximum(size / off.rate, passes * size / off.memory_rate)


def _layers(work: Work) -> Floats:
    return (work.shape.layers + work.shape.extra_layers) / work.plan.pipeline
