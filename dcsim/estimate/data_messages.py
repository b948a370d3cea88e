"""What data-parallel ranks exchange in a training step, and what of it is exposed, for many cases at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.compute.kernels import at_least
from dcsim.estimate import messages
from dcsim.estimate.work import Layers, Work
from dcsim.parallel.held import Held, held, trained
from dcsim.parallel.parallelism import EVERYTHING, GRADIENTS, OPTIMIZER

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DataMessage:
    """What data-parallel ranks exchange in a step: its time in all, and what of it is exposed [s]."""

    name: str
    seconds: Floats
    exposed_s: Floats


def data_messages(work: Work, mean: Layers) -> tuple[DataMessage, ...]:
    """Return gradients on their way to the sum, what comes back (gradients or weights), and sums between replicas.

    Where weights are sharded, both go on with every micro batch.
    """
    plan, shape, precision = work.plan, work.shape, work.precision
    some = trained(shape, plan, work.adapters)
    gradients = gather_data_seconds(work, some, precision.gradient_bytes)
    weights = gather_data_seconds(work, held(shape, plan), precision.weight_bytes)
    updated = gather_data_seconds(work, some, precision.weight_bytes)
    layers = (shape.layers + shape.extra_layers) / plan.pipeline
    head = mean.head.total
    forward = layers * mean.forward_s + head / 3.0 / plan.pipeline
    backward = layers * mean.backward_s + head * 2.0 / 3.0 / plan.pipeline
    back = np.where(plan.sharding >= OPTIMIZER, updated, gradients)
    whole = plan.sharding >= EVERYTHING
    often = np.where(whole, plan.micro_batches, 1.0)
    gathered = weights * (1.0 + np.where(whole, 1.0, 0.0))
    covered = gathered * work.exchange.prefetched
    together = _exposed(covered + gradients, forward + backward, work)
    share = gradients / np.maximum(covered + gradients, 1e-30)
    joint = plan.sharding >= GRADIENTS
    last = work.exchange.unhidden(gradients, (some.plain + some.expert) * precision.gradient_bytes)
    first = work.exchange.unhidden(back, (some.plain + some.expert) * precision.weight_bytes)
    # Layers are a loop for XLA, so that sums over slices follow it.
    sums = _between(work)
    return (
        DataMessage(
            "gradients",
            np.where(joint, often * gradients, gradients),
            np.where(joint, often * together * share, np.maximum(_exposed(gradients, backward, work), last)),
        ),
        DataMessage(
            "weights",
            np.where(joint, often * gathered, back),
            np.where(
                joint,
                often * (together * (1.0 - share) + gathered - covered),
                np.maximum(_exposed(back, forward, work), first),
            ),
        ),
        DataMessage("between", sums, sums),
    )


def gather_data_seconds(work: Work, own: Held, width: Floats) -> Floats:
    """Return the time to gather parameters that a rank holds, ``width`` bytes each, from data-parallel ranks [s].

    Those of experts are held by fewer ranks alike, which are farther apart. Where gradients or weights are sharded,
    every layer has messages of its own, each with all rounds of a ring (Y. Zhao et al., "PyTorch FSDP", VLDB 2023);
    else the plan may cut them into buckets.
    """
    plan, shape, links = work.plan, work.shape, work.links
    sharded = plan.data * plan.context / plan.replicas
    group = messages.members(sharded, plan.tensor, links)
    layers = np.where(plan.sharding >= GRADIENTS, (shape.layers + shape.extra_layers) / plan.pipeline, 0.0)
    count = work.exchange.messages((own.plain + own.expert) * width)
    plain = count * messages.gather_seconds(own.plain * width / count, group, links)
    plain = plain + layers * messages.ring_seconds(group, links)
    others = np.maximum(sharded * plan.tensor / plan.expert, 1.0)
    far = messages.members(others, np.where(shape.mixture, plan.expert, plan.tensor), links)
    experts = count * messages.gather_seconds(own.expert * width / count, far, links)
    both = plain + np.where(shape.mixture, experts, 0.0)
    return np.where(own.plain + own.expert > 0, both, 0.0)


def _between(work: Work) -> Floats:
    """Sum the shards of gradients over the groups that hold all of them [s]."""
    plan, links = work.plan, work.links
    own = trained(work.shape, plan, work.adapters)
    sharded = plan.data * plan.context / plan.replicas
    others = np.maximum(sharded * plan.tensor / plan.expert, 1.0)
    shard = (own.plain / sharded + own.expert / others) * work.precision.gradient_bytes
    each = messages.reduce_seconds(shard, messages.members(plan.replicas, plan.tensor * sharded, links), links)
    return np.where(shard > 0, each, 0.0)


def _exposed(message_s: Floats, window_s: Floats, work: Work) -> Floats:
    hidden = work.habits.hidden_data
    return np.asarray((1.0 - hidden) * message_s + hidden * (at_least(window_s, message_s) - window_s))
