"""The time of a training step in closed form, for many plans at once, as parts that sum to it.

The step of a pipeline whose stages take different times is that of its slowest stage for every micro batch, and once
the others' for the first one; what chunks of layers a stage holds divides the latter (D. Narayanan et al., "Efficient
large-scale language model training on GPU clusters using Megatron-LM", SC 2021, section 2.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcsim.compute import kernels
from dcsim.compute.kernels import at_least
from dcsim.estimate import messages, offload
from dcsim.estimate.data_messages import data_messages
from dcsim.estimate.habits import RETRY_S
from dcsim.estimate.work import Layers, Pass, Work
from dcsim.parallel import layer
from dcsim.parallel.adapters import adapter_products, adapter_traffic
from dcsim.parallel.context import busiest_share, key_bytes
from dcsim.parallel.held import trained
from dcsim.parallel.kept import elements_again
from dcsim.parallel.layer import Product
from dcsim.parallel.parallelism import EVERYTHING, OPTIMIZER
from dcsim.parallel.routing import busiest_load

Floats = NDArray[np.float64]

PARTS = (
    "matmul", "attention", "memory", "tensor", "context", "expert", "recompute", "launch", "pipeline", "bubble", "data",
    "optimizer", "offload", "fixed", "jitter",
)  # fmt: skip
"""What a step's time is made of; communication is what of it is exposed."""

LAUNCHED = 4.0
"""Order of the norm that joins times on device and host: an assumption, by the errors of runs that no fit saw.

Kernels queue, so that the longer one counts over many alike layers; it is soft where micro batches begin and end with
an empty queue, and because passes differ in which of both is longer.
"""

FEWER = 5
"""Layers that the stage with the head may hold less than the others."""

KERNELS = 24.0
"""Kernels of a layer's forward pass, and half of those of its backward pass: an assumption, counted in eager mode.

Collectives of tensor groups are kernels beside them, two all-reduces a pass or as many gathers and scatters.
"""

SOFTMAX_KERNELS, SOFTMAX_PASSES = 12.0, 16.0
"""Kernels' worth of host time of a softmax beside the first where no single kernel can, and what they move more.

Megatron-LM's fused softmax (fused_softmax.py and scaled_upper_triang_masked_softmax.h, 2021) takes sequences of up to
2,048 tokens and multiples of four heads and samples; else scores are widened to 32 bits, scaled, masked, normalized and
narrowed, each by a kernel: 36 bytes a score instead of 4, and 2 make a pass. By that count they are 14 kernels more in
the four passes of a layer that runs again; that each costs the host thrice what others do is an assumption, by runs on
one sample in tensor groups of eight.
"""

_SOFTMAX_ROWS, _SOFTMAX_TOKENS = 4.0, 2048.0

_ADAM_BYTES = 18.0  # an element's master weight, two moments, gradient and weight, each moved once
_STATE_BYTES = 16.0  # an element's weight, gradient and two moments in 32 bits
_LOSS_BYTES = 20.0  # a logit: written and read in 16 and 32 bits by softmax and cross entropy, forward and backward
# The same in Megatron-LM up to 2023 (mpu/cross_entropy.py), a kernel for each: widened (6), maximum (4), less that (8),
# exponential (8), sum (4), division (8), times the gradient (8), narrowed (6).
_EAGER_LOSS_BYTES = 52.0
_BACKWARD = 2.0  # memory-bound kernels of the backward pass move about twice what those of the forward pass do
_UNALIGNED = 0.125  # rate of products whose rows are no multiple of 16 bytes: matrix units stay idle (NVIDIA's guide)
_GATHERS = 4.0  # of the stream in a layer's forward pass, half of them reduce-scatters: two all-reduces


def layers_of(work: Work) -> Layers:
    """Return the times of the mean layer and of the head."""
    plan, mean = work.plan, _layer(work)
    forward, backward = _forward(work, mean), _backward(work, mean)
    parts = plan.recomputed_core * forward.attention + _parts_again(work)
    again = plan.recomputed * (forward.total - _unneeded(work)) + (1.0 - plan.recomputed) * parts
    launch = _launch(work, forward.total + backward.total + again) + _retries(work)
    found = Layers(forward, backward, again, launch, _head(work))
    if not work.offload.there:
        return found
    waits = offload.layer_waits(work, *offload.with_launches(work, found))
    return replace(found, wait_forward_s=waits[0], wait_backward_s=waits[1])


def step_parts(work: Work, layers: Layers | None = None) -> dict[str, Floats]:
    """Return the parts of the step's time [s], named as in :data:`PARTS`; they sum to the step.

    Parts of a micro batch are those of the mean stage; that other stages take longer is part of the bubble.
    """
    plan, shape, habits = work.plan, work.shape, work.habits
    mean = layers or layers_of(work)
    stack = shape.layers + shape.extra_layers
    count = plan.micro_batches / plan.pipeline
    found = {
        name: count * (stack * (getattr(mean.forward, name) + getattr(mean.backward, name)) + getattr(mean.head, name))
        for name in ("matmul", "attention", "memory", "tensor", "context", "expert")
    }
    each = mean.forward_s + mean.backward_s
    found["recompute"] = count * stack * mean.again_s
    found["launch"] = count * stack * mean.launch_s
    found["pipeline"] = _handing_on(work)
    waits = mean.wait_forward_s + mean.wait_backward_s
    found["bubble"] = _bubble(work, each + mean.launch_s + waits, mean.head.total)
    exposed = [one.exposed_s for one in data_messages(work, mean)]
    found["data"] = np.asarray(sum(exposed, np.zeros_like(each)))
    found["optimizer"] = _optimizer(work)
    found["offload"] = np.zeros_like(each)
    if work.offload.there:
        found["offload"] = count * stack * waits + offload.step_wait(work, mean)
    found["fixed"] = habits.step_s * np.ones_like(each)
    sum_s = sum(found.values(), np.zeros_like(each))
    domains = np.maximum(plan.ranks / work.links.domain, 1.0)
    found["jitter"] = sum_s * habits.jitter * np.sqrt(2.0 * np.log(domains))
    return found


def step_seconds(work: Work) -> Floats:
    """Return the time of a step [s]."""
    parts = step_parts(work)
    return np.asarray(sum(parts.values(), np.zeros_like(parts["matmul"])))


def message_seconds(work: Work) -> dict[str, Floats]:
    """Return the time of the messages of a step by part, whether computation covers them or not [s].

    Layers that run again send theirs again. What stages hand on counts once for every message of a rank, although
    filling and draining a pipeline waits for those of others too.
    """
    plan, shape, zero = work.plan, work.shape, np.zeros_like(work.plan.tensor)
    shown = dict.fromkeys(("hidden_tensor", "hidden_expert", "hidden_far"), zero)
    bare = replace(work, habits=replace(work.habits, **shown))
    layers = plan.micro_batches * (shape.layers + shape.extra_layers) / plan.pipeline
    dense = np.where(shape.mixture, shape.dense_layers / shape.layers, 1.0)
    return {
        "tensor": np.asarray(layers * (2.0 + plan.recomputed) * _tensor(bare)),
        "context": np.asarray(layers * (3.0 + plan.recomputed) * _context(bare, zero)),
        "expert": np.asarray(layers * (2.0 + plan.recomputed) * (1.0 - dense) * _expert(bare)),
        "pipeline": np.where(plan.pipeline > 1, 2.0 * plan.micro_batches * plan.virtual * hand_over_seconds(work), 0.0),
    }


@dataclass(frozen=True, slots=True)
class _Layer:
    """What forward and backward passes of the mean layer share: products with their share of the layers, and times."""

    products: list[tuple[float | Floats, Product]]
    memory: Floats
    core: Floats
    scores: Floats
    tensor: Floats
    context: Floats
    expert: Floats


def _layer(work: Work) -> _Layer:
    shape, plan = work.shape, work.plan
    dense = np.where(shape.mixture, shape.dense_layers / shape.layers, 1.0)
    load = busiest_load(work.routing, plan)
    products: list[tuple[float | Floats, Product]] = [(1.0, one) for one in layer.attention_products(shape, plan)]
    products += [(dense, one) for one in layer.feed_products(shape, plan, shape.ffn)]
    products += [(1.0 - dense, one) for one in layer.feed_products(shape, plan, shape.shared_ffn)]
    products += [(1.0 - dense, one) for one in layer.expert_products(shape, plan, load)]
    products = [(share, one) for share, one in products if np.any(one.count * share > 0)]
    core, scores = _core(work)
    expert = (1.0 - dense) * _expert(work)
    return _Layer(products, _memory(work, dense), core, scores, _tensor(work), _context(work, core), expert)


def _forward(work: Work, mean: _Layer) -> Pass:
    matmul = sum((share * _product(one, work) for share, one in mean.products), np.zeros_like(mean.core))
    matmul = matmul + sum((_product(one, work, narrow=False) for one in _adapters(work)), np.zeros_like(mean.core))
    memory = mean.memory + _cast(mean.products, work)
    return Pass(np.asarray(matmul), mean.core + mean.scores, memory, mean.tensor, mean.context, mean.expert)


def _backward(work: Work, mean: _Layer) -> Pass:
    """Two products for each of the forward pass, one for those of matrices that are not trained."""
    frozen = work.plan.adapters
    matmul = sum((share * _gradients(one, work, frozen) for share, one in mean.products), np.zeros_like(mean.core))
    matmul = matmul + sum((_gradients(one, work, narrow=False) for one in _adapters(work)), np.zeros_like(mean.core))
    attention = work.habits.backward * mean.core + _BACKWARD * mean.scores
    memory = _BACKWARD * mean.memory + _cast(mean.products, work) + _accumulation(mean.products, work)
    return Pass(np.asarray(matmul), attention, memory, mean.tensor, 2.0 * mean.context, mean.expert)


def _head(work: Work) -> Pass:
    """Logits and loss, forward and backward together."""
    zero = np.zeros_like(work.shape.hidden)
    (product,) = layer.head_products(work.shape, work.plan)
    matmul = _product(product, work, narrow=False) + _gradients(product, work, work.plan.adapters, narrow=False)
    logits = product.m * product.n
    each = np.where(work.habits.fused > 0, _LOSS_BYTES * work.habits.traffic, _EAGER_LOSS_BYTES)
    memory = kernels.traffic_seconds(each * logits, work.chip) + _accumulation([(1.0, product)], work)
    heads = 1.0 + work.shape.extra_layers
    return Pass(heads * matmul, zero, heads * memory, zero, zero, zero)


def _product(product: Product, work: Work, narrow: bool = True) -> Floats:
    sizes = (product.batch, product.m, product.n, product.k)
    return product.count * kernels.product_seconds(sizes, work.chip, narrow)


def _adapters(work: Work) -> tuple[Product, ...]:
    """Return the products of a layer's adapters, in 16 bits, which kernels add to those beside them."""
    found = adapter_products(work.shape, work.plan, work.adapters)
    return tuple(one for one in found if np.any(one.count > 0))


def _gradients(product: Product, work: Work, frozen: float | Floats = 0.0, narrow: bool = True) -> Floats:
    """Gradients of inputs, and of weights: these are written, or added to their sums where products do that."""
    inputs = kernels.product_seconds((product.batch, product.m, product.k, product.n), work.chip, narrow)
    sizes = (product.batch, product.k, product.n, product.m)
    several = (work.plan.micro_batches > 1) & (work.plan.sharding < EVERYTHING) & (work.habits.added == 0)
    adding = kernels.adding_seconds(sizes, work.chip, narrow)
    weights = np.where(several, adding, kernels.product_seconds(sizes, work.chip, narrow))
    return product.count * (inputs + (1.0 - frozen) * weights)


def _cast(products: list[tuple[float | Floats, Product]], work: Work) -> Floats:
    """Operands of narrow products are read in 16 bits and written in 8, as they are and transposed.

    Where blocks have scales, each direction has its own, so that operands are read twice.
    """
    kept = 1.0 - work.habits.merged
    casts = [(share * (kept if one.name == layer.EXPERTS_DOWN else 1.0), one) for share, one in products]
    moved = sum((share * p.count * p.batch * p.m * p.k for share, p in casts), np.zeros_like(work.shape.hidden))
    return kernels.traffic_seconds(work.precision.narrow * (4.0 + 2.0 * work.precision.block) * moved, work.chip)


def _accumulation(products: list[tuple[float | Floats, Product]], work: Work) -> Floats:
    """Gradients of weights are added to their sums for every micro batch by a kernel of its own."""
    weights = sum((share * p.count * p.batch * p.n * p.k for share, p in products), np.zeros_like(work.shape.hidden))
    several = work.habits.added * (work.plan.micro_batches > 1) * (1.0 - work.plan.adapters)
    return kernels.traffic_seconds(several * weights, work.chip)


def _core(work: Work) -> tuple[Floats, Floats]:
    """Return the time of the attention core and of what passes through memory for it, in the forward pass [s].

    One kernel skips what is masked, so that the rank whose queries see the most keys is the slowest.
    Several kernels multiply the whole square at the rate of other products.
    """
    shape, plan, habits, chip = work.shape, work.plan, work.habits, work.chip
    flops, elements = layer.core_flops(shape, plan), layer.score_elements(shape, plan)
    fused = habits.fused > 0
    square = 2.0 * elements * (shape.width + shape.value_width)
    depth = shape.width / (shape.width + chip.depth)
    aligned = np.where(np.mod(shape.width, 8.0) > 0, _UNALIGNED, 1.0)
    apart = square / (chip.rate16 * chip.product16 * depth * aligned)
    core = np.where(fused, kernels.attention_seconds(flops * busiest_share(shape, plan, work.context), chip), apart)
    # No fused kernel of 2025 took sinks but where it had a window: an assumption that published steps bear out.
    written = np.where(fused, shape.sinks * (1.0 - shape.windowed), 1.0)
    passes = habits.passes + SOFTMAX_PASSES * _apart(work)
    scores = kernels.traffic_seconds(2.0 * passes * elements * written, chip)
    return np.asarray(core), np.asarray(scores)


def _parts_again(work: Work) -> Floats:
    """Return the time of norms, activation functions and up-projections of a layer that run again by themselves [s]."""
    shape, plan, kept = work.shape, work.plan, work.kept
    dense = np.where(shape.mixture, shape.dense_layers / shape.layers, 1.0)
    elements = elements_again(shape, plan, kept, _inner(work, dense)) * work.habits.traffic
    widening = sum((_product(one, work) for one in layer.widening_products(shape, plan)), np.zeros_like(shape.hidden))
    return kernels.traffic_seconds(work.precision.activation_bytes * elements, work.chip) + kept.ups * widening


def _unneeded(work: Work) -> Floats:
    """Return the time of a layer's last product where it does not run again, since no gradient reads its result [s].

    That of experts does: the gradients of their gates read it. Of layers computed again together, the next one reads
    it, so that only the last one of a group stops.
    """
    products = layer.last_products(work.shape, work.plan)
    last = sum((_product(one, work) for one in products), np.zeros_like(work.shape.hidden))
    return np.asarray(work.habits.stopped * last / work.kept.group)


def _inner(work: Work, dense: Floats, apart: float | Floats = 1.0) -> Floats:
    """Return the width of what activation functions of the mean layer read for a token, gates included.

    Of routed experts the share ``apart``.
    """
    shape, load = work.shape, busiest_load(work.routing, work.plan)
    mixed = shape.shared_ffn + apart * load * shape.chosen * shape.expert_ffn
    return np.asarray((1.0 + shape.gated) * (dense * shape.ffn + (1.0 - dense) * mixed))


def _apart(work: Work) -> Floats:
    """Return 1 where attention of several kernels does its softmax in several kernels too, else 0."""
    plan, shape = work.plan, work.shape
    rows = np.mod(plan.micro * shape.heads / plan.tensor, _SOFTMAX_ROWS)
    unfit = (rows > 0) | (shape.sequence > _SOFTMAX_TOKENS)
    return np.where((work.habits.fused == 0) & unfit, 1.0, 0.0)


def _memory(work: Work, dense: Floats) -> Floats:
    shape, plan, habits, load = work.shape, work.plan, work.habits, busiest_load(work.routing, work.plan)
    elements = layer.layer_traffic(shape, plan, _inner(work, dense, 1.0 - habits.merged)) * habits.traffic
    elements = elements + adapter_traffic(shape, plan, work.adapters) * habits.traffic
    elements = elements + (1.0 - dense) * habits.routed * habits.traffic * load * layer.routed_elements(shape, plan)
    return kernels.traffic_seconds(work.precision.activation_bytes * elements, work.chip)


def _tensor(work: Work) -> Floats:
    """Two all-reduces of the stream, or as many gathers and scatters of it; experts need none of theirs."""
    plan, links = work.plan, work.links
    group = messages.members(plan.tensor, np.ones_like(plan.tensor), links)
    size = layer.stream_bytes(work.shape, plan, work.precision)
    narrow = size * work.precision.gathered_bytes / work.precision.activation_bytes
    there, back = (messages.gather_seconds(each, group, links) for each in (narrow, size))
    return 0.5 * _GATHERS * (there + back) * (1.0 - work.habits.hidden_tensor)


def _context(work: Work, core: Floats) -> Floats:
    """Keys and values of all ranks of a context group, as far as a ring does not bring them beside the core."""
    plan, links = work.plan, work.links
    there = plan.context > 1
    size = np.where(there, key_bytes(work.shape, plan, work.precision), 0.0)
    each = messages.gather_seconds(size, messages.members(plan.context, plan.tensor, links), links)
    exposed = np.where(work.context.gathered > 0, each, at_least(core, each) - core)
    return np.asarray(np.where(there, exposed, 0.0))


def _expert(work: Work) -> Floats:
    """Dispatch and combination of tokens, until the busiest rank has its own."""
    shape, plan, links, routing = work.shape, work.plan, work.links, work.routing
    group = messages.members(plan.expert, np.ones_like(plan.expert), links)
    elements = busiest_load(work.routing, plan) * layer.routed_elements(shape, plan)
    there = messages.exchange_seconds(elements * work.precision.dispatch_bytes, shape.chosen, group, links, routing)
    back = messages.exchange_seconds(elements * work.precision.activation_bytes, shape.chosen, group, links, routing)
    return (there + back) * (1.0 - hidden_dispatch(work))


def hidden_dispatch(work: Work) -> Floats:
    """Return the share of dispatch and combination that runs beside computation [1].

    The computation is that of another micro batch, which stages of several chunks have at hand.
    """
    habits, plan = work.habits, work.plan
    far = (plan.virtual > 1) & (plan.expert > work.links.domain)
    return np.maximum(habits.hidden_expert, np.where(far, habits.hidden_far, 0.0))


def _launch(work: Work, each: Floats) -> Floats:
    """Time of a layer's kernels beyond what they take on the device, forward, backward and again [s]."""
    plan, shape, habits = work.plan, work.shape, work.habits
    passes = 3.0 + plan.recomputed
    experts = np.where(shape.mixture, shape.expert_layers / shape.layers, 0.0) * habits.experts_s
    together = np.where(plan.tensor > 1, np.where(plan.sequence > 0, _GATHERS, _GATHERS / 2.0), 0.0)
    count = KERNELS + SOFTMAX_KERNELS * _apart(work) + together
    host = (habits.launch_s * count + experts / 3.0) * passes
    return at_least(each, host, LAUNCHED) - each


def _retries(work: Work) -> Floats:
    """Return what freeing memory and asking for it anew takes for a layer, where sharded states leave no room [s]."""
    plan, crowded, own = work.plan, work.habits.crowded, trained(work.shape, work.plan, work.adapters)
    states = _STATE_BYTES * (own.plain + own.expert) / (plan.data * plan.context / plan.replicas)
    return np.where((plan.sharding >= EVERYTHING) & (crowded > 0) & (states > crowded), RETRY_S, 0.0)


def _stages(work: Work, each: Floats, head: Floats) -> Floats:
    """Return the time of the slowest stage for one micro batch [s]."""
    layers, stages = work.shape.layers + work.shape.extra_layers, work.plan.pipeline
    slots = np.ceil((layers + 2.0) / stages - 1e-9)
    balanced = np.maximum(slots * each, (slots - 1.0) * each + head)
    uneven = np.mod(layers, stages * work.plan.virtual) > 0
    dealt = np.where(uneven, _laid_out(work, each, head), layers / stages * each + head)
    return np.asarray(np.where(work.plan.balanced > 0, balanced, dealt))


def _laid_out(work: Work, each: Floats, head: Floats) -> Floats:
    """Return the slowest stage's time where layers do not divide, so that someone had to lay them out.

    The best layout: the last stage, which has the head, holds as many layers fewer as serves [s].
    """
    layers, stages = work.shape.layers + work.shape.extra_layers, work.plan.pipeline
    most = np.floor(layers / stages)
    last = [np.maximum(most - fewer, 0.0) for fewer in range(FEWER)]
    others = np.maximum(stages - 1.0, 1.0)
    slowest = [np.maximum(np.ceil((layers - n) / others - 1e-9) * each, n * each + head) for n in last]
    return np.asarray(np.min(slowest, axis=0))


def _bubble(work: Work, each: Floats, head: Floats) -> Floats:
    plan = work.plan
    whole = (work.shape.layers + work.shape.extra_layers) * each + head
    slowest = np.maximum(_stages(work, each, head), whole / plan.pipeline)
    waiting = plan.micro_batches * (slowest - whole / plan.pipeline)
    filling = (whole - slowest) / plan.virtual
    filling = filling * np.where(plan.zero_bubble > 0, 1.0 / 3.0, 1.0)
    return np.asarray(np.where(plan.pipeline > 1, waiting + filling, 0.0))


def hand_over_seconds(work: Work) -> Floats:
    """Return the time of one message from a chunk of layers to the next [s]."""
    plan, links = work.plan, work.links
    size = layer.stream_bytes(work.shape, plan, work.precision) / plan.tensor
    return messages.send_seconds(size, plan.tensor * plan.context * plan.data, links)


def _handing_on(work: Work) -> Floats:
    """Activations and their gradients, handed on by every chunk of layers for every micro batch.

    Each tensor rank sends its part, which the next stage gathers (Narayanan et al., SC 2021, section 4.1).
    """
    plan, each = work.plan, hand_over_seconds(work)
    steady = 2.0 * plan.micro_batches * plan.virtual * each * (1.0 - work.habits.hidden_pipeline)
    filling = 2.0 * (plan.pipeline - 1.0) * each
    scheduling = (plan.micro_batches * plan.virtual + plan.pipeline - 1.0) * work.habits.micro_s
    return np.asarray(np.where(plan.pipeline > 1, steady + filling + scheduling, 0.0))


def _optimizer(work: Work) -> Floats:
    plan, shape = work.plan, work.shape
    if work.offload.there and np.any(work.offload.optimizer):
        return offload.host_step(work)
    own = trained(shape, plan, work.adapters)
    ranks = plan.data * plan.context / plan.replicas
    shards = np.where(plan.sharding >= OPTIMIZER, ranks, 1.0)
    expert_shards = np.where(plan.sharding >= OPTIMIZER, np.maximum(ranks * plan.tensor / plan.expert, 1.0), 1.0)
    elements = own.plain / shards + own.expert / expert_shards
    return kernels.traffic_seconds(_ADAM_BYTES * elements, work.chip)
