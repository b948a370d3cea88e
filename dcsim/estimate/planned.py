"""One step of a parallel plan: the parts of its time, its messages between domains, and what it executes.

The times are those of :mod:`dcsim.estimate.training`, with the bubble of the pipeline simulated slot by slot. Messages
that leave a domain are told apart, so that they can be played as transfers on the modelled network; those that stay
inside are part of the computation's time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from dcsim.estimate import messages
from dcsim.estimate.data_messages import data_messages
from dcsim.estimate.hidden import hidden_seconds
from dcsim.estimate.layout import bubble_seconds, chunks_of
from dcsim.estimate.training import hidden_dispatch, layers_of, message_seconds, step_parts
from dcsim.estimate.work import Floats, Layers, Work
from dcsim.parallel import layer
from dcsim.parallel.adapters import adapter_products
from dcsim.parallel.context import key_bytes
from dcsim.parallel.held import Held, held, trained
from dcsim.parallel.layer import Product
from dcsim.parallel.parallelism import EVERYTHING
from dcsim.parallel.routing import crossings, mean_load
from dcsim.scenario.parallel import Schedule
from dcsim.workload.operation import CollectiveKind, Group

Mesh = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Traffic:
    """A kind of message between domains, all of a step's together.

    ``part`` is the part of the step that it belongs to, ``when`` whether it goes on with every micro batch or comes
    once before or after them. ``size_bytes`` is the payload of its collective a rank, ``seconds`` the time of all and
    ``exposed_s`` what of that no computation covers.
    """

    label: str
    part: str
    when: str
    group: Group
    mesh: Mesh
    size_bytes: float
    seconds: float
    exposed_s: float


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step: its parts [s], which sum to its time, what computation covers beside them, its traffic between domains.

    ``flops``, on units of the peak ``flop_rate`` [FLOP/s], ``memory_bytes`` and ``link_bytes``, sent to peers in the
    domain, are of the mean rank, what runs again included; ``model_flops`` are those of the
    products and the attention of forward and backward pass alone, with all scores below and above the diagonal, as
    model FLOP utilization counts them.
    """

    ranks: int
    micro_batches: int
    parts: dict[str, float]
    hidden: dict[str, float]
    traffic: tuple[Traffic, ...]
    flops: float
    flop_rate: float
    model_flops: float
    memory_bytes: float
    link_bytes: float

    @property
    def seconds(self) -> float:
        """Time of the step [s]."""
        return sum(self.parts.values())


def planned_step(work: Work, schedule: Schedule) -> PlannedStep:
    """Return the step of a single case."""
    mean = layers_of(work)
    parts = {name: float(times[0]) for name, times in step_parts(work, mean).items()}
    chunks, micro_batches = chunks_of(work, mean), round(float(work.plan.micro_batches[0]))
    jitter = parts["jitter"] / max(sum(parts.values()) - parts["jitter"], 1e-30)
    parts["bubble"] = bubble_seconds(chunks, schedule, micro_batches)
    parts["jitter"] = jitter * (sum(parts.values()) - parts["jitter"])
    traffic = _Tellers(work, mean, parts).all()
    flops, model_flops = _flops(work)
    return PlannedStep(
        ranks=round(float(work.plan.ranks[0])),
        micro_batches=micro_batches,
        parts=parts,
        hidden={name: float(times[0]) for name, times in hidden_seconds(work, mean).items()},
        traffic=traffic,
        flops=flops,
        flop_rate=float(work.chip.rate[0]),
        model_flops=model_flops,
        memory_bytes=_memory_bytes(work, parts),
        link_bytes=_link_bytes(work),
    )


@dataclass(frozen=True)
class _Tellers:
    """Finds the traffic of a step."""

    work: Work
    mean: Layers
    parts: dict[str, float]

    def all(self) -> tuple[Traffic, ...]:
        found = [*self._inner(), *self._stages(), *self._data()]
        return tuple(one for one in found if one.seconds > 0.0)

    def _number(self, name: str) -> int:
        return round(float(getattr(self.work.plan, name)[0]))

    def _far(self, size: int, stride: int) -> bool:
        """Return whether a group of ``size`` ranks that are ``stride`` apart leaves its domain."""
        return size > 1 and size * stride > round(float(self.work.links.domain[0]))

    def _mesh(self, *inner: tuple[str, int]) -> Mesh:
        """Return the axes of all ranks, stages outermost: what is left of a stage's ranks is the axis "rest"."""
        stages, held = self._number("pipeline"), 1
        for _, size in inner:
            held *= size
        rest = self._number("tensor") * self._number("context") * self._number("data") // held
        return (("stage", stages), ("rest", rest), *inner)

    def _inner(self) -> list[Traffic]:
        """Traffic of every micro batch inside a stage."""
        work, seconds = self.work, message_seconds(self.work)
        plan, habits, shape = work.plan, work.habits, work.shape
        again = float(plan.recomputed[0])
        layers = float((plan.micro_batches * (shape.layers + shape.extra_layers) / plan.pipeline)[0])
        stream = float(layer.stream_bytes(shape, plan, work.precision)[0])
        tensor, context, expert = (self._number(name) for name in ("tensor", "context", "expert"))
        found: list[Traffic] = []

        def add(name: str, kind: CollectiveKind, mesh: Mesh, size: float, exposed_s: float) -> None:
            group = Group(kind, (name,))
            found.append(Traffic(name, name, "micro", group, mesh, size, float(seconds[name][0]), exposed_s))

        if self._far(tensor, 1):
            exposed_s = float((seconds["tensor"] * (1.0 - habits.hidden_tensor))[0])
            add(
                "tensor", "all-gather", self._mesh(("tensor", tensor)), layers * (2.0 + again) * 4.0 * stream, exposed_s
            )
        if self._far(context, tensor):
            size = layers * (3.0 + again) * float(key_bytes(shape, plan, work.precision)[0])
            exposed_s = self.parts["context"] * (1.0 + again / 3.0)
            add("context", "all-gather", self._mesh(("context", context), ("tensor", tensor)), size, exposed_s)
        if self._far(expert, 1):
            exposed_s = float((seconds["expert"] * (1.0 - hidden_dispatch(work)))[0])
            size = (2.0 + again) * self._dispatched_bytes()
            add("expert", "all-to-all", self._mesh(("expert", expert)), size, exposed_s)
        return found

    def _dispatched_bytes(self) -> float:
        """Return the payload of an all-to-all that puts as much on the network as dispatch and combination once do.

        A token crosses to a domain once or as often as it has experts there; in the collective, every rank sends an
        equal part straight to every other.
        """
        work = self.work
        shape, plan, precision = work.shape, work.plan, work.precision
        group = messages.members(plan.expert, plan.tensor / plan.tensor, work.links)
        far = plan.expert / group.near
        reached = crossings(work.routing, far, shape.chosen) * mean_load(work.routing)
        width = precision.dispatch_bytes + precision.activation_bytes
        token = layer.routed_elements(shape, plan) / shape.chosen * width
        layers = plan.micro_batches * shape.expert_layers / plan.pipeline
        return float((layers * token * reached * plan.expert / (plan.expert - group.near))[0])

    def _stages(self) -> list[Traffic]:
        work, plan = self.work, self.work.plan
        stages, virtual = self._number("pipeline"), self._number("virtual")
        rest = round(float(plan.ranks[0])) // stages
        if not self._far(stages, rest):
            return []
        size = layer.stream_bytes(work.shape, plan, work.precision) / plan.tensor * plan.micro_batches * plan.virtual
        scheduling = (plan.micro_batches * plan.virtual + plan.pipeline - 1.0) * work.habits.micro_s
        onward = [(stage, stage + 1) for stage in range(stages - 1)] + [(stages - 1, 0)] * (virtual > 1)
        pairs = tuple(dict.fromkeys([*onward, *((target, source) for source, target in onward)]))
        group = Group("permute", ("stage",), pairs)
        exposed_s = self.parts["pipeline"] - float(scheduling[0])
        seconds = max(float(message_seconds(work)["pipeline"][0]), exposed_s)
        return [Traffic("pipeline", "pipeline", "micro", group, self._mesh(), float(size[0]), seconds, exposed_s)]

    def _data(self) -> list[Traffic]:
        """Gradients and weights of data-parallel ranks, those of experts apart, and sums between replicas."""
        work, plan = self.work, self.work.plan
        own = trained(work.shape, plan, work.adapters)
        sent = {"gradients": own, "weights": held(work.shape, plan) if self._whole else own}
        sharded = round(float((plan.data * plan.context / plan.replicas)[0]))
        tensor, expert = self._number("tensor"), self._number("expert")
        others = max(sharded * tensor // expert, 1) if work.shape.mixture[0] else 1
        shards = self._mesh(("shard", sharded), ("tensor", tensor)), self._far(sharded, tensor)
        copies = self._mesh(("copy", others), ("expert", expert)), self._far(others, expert)
        widths = {"gradients": work.precision.gradient_bytes, "weights": work.precision.weight_bytes}
        found: list[Traffic] = []
        for one in data_messages(work, self.mean):
            if one.name == "between":
                found += self._between(float(one.seconds[0]), own.plain / sharded + own.expert / others)
                continue
            these = sent[one.name]
            groups = [("shard", *shards, these.plain), ("copy", *copies, these.expert)]
            share = self._share_of_plain(these, widths[one.name])
            for (axis, mesh, far, elements), part in zip(groups, (share, 1.0 - share), strict=True):
                if far and part > 0.0:
                    size = float((elements * widths[one.name])[0]) * self._repeats(one.name)
                    kind: CollectiveKind = "reduce-scatter" if one.name == "gradients" else "all-gather"
                    label = one.name if axis == "shard" else f"{one.name} of experts"
                    times = float(one.seconds[0]) * part, float(one.exposed_s[0]) * part
                    found.append(Traffic(label, "data", self._when(one.name), Group(kind, (axis,)), mesh, size, *times))
        return found

    def _between(self, seconds: float, shard: Floats) -> list[Traffic]:
        replicas = round(float(self.work.plan.replicas[0]))
        rest = round(float(self.work.plan.ranks[0])) // self._number("pipeline") // replicas
        if not self._far(replicas, rest):
            return []
        size = float((shard * self.work.precision.gradient_bytes)[0])
        mesh = self._mesh(("replica", replicas), ("inside", rest))
        return [Traffic("sums", "data", "after", Group("all-reduce", ("replica",)), mesh, size, seconds, seconds)]

    def _share_of_plain(self, own: Held, width: Floats) -> float:
        """Return the share of parameters that all data-parallel ranks hold alike in the time to gather all of them."""
        work, plan, links = self.work, self.work.plan, self.work.links
        sharded = plan.data * plan.context / plan.replicas
        plain = messages.gather_seconds(own.plain * width, messages.members(sharded, plan.tensor, links), links)
        if not work.shape.mixture[0]:
            return 1.0
        others = sharded * plan.tensor / plan.expert
        far = messages.members(others, plan.expert, links)
        experts = messages.gather_seconds(own.expert * width, far, links) if others[0] > 1 else 0.0 * plain
        return float((plain / (plain + experts))[0]) if (plain + experts)[0] > 0 else 1.0

    @property
    def _whole(self) -> bool:
        return bool(self.work.plan.sharding[0] >= EVERYTHING)

    def _when(self, name: str) -> str:
        return "micro" if self._whole else "after" if name == "gradients" else "before"

    def _repeats(self, name: str) -> float:
        """Return how often a step gathers: sharded weights come forward and backward with every micro batch."""
        if not self._whole:
            return 1.0
        return float(self.work.plan.micro_batches[0]) * (1.0 if name == "gradients" else 2.0)


def _flops(work: Work) -> tuple[float, float]:
    """Return what the mean rank executes in a step, and what of it the model asks for, no padding [FLOP]."""
    shape, plan = work.shape, work.plan
    core = layer.core_flops(shape, plan)
    dense = float((shape.dense_layers / shape.layers)[0]) if shape.mixture[0] else 1.0
    inside = _sum(layer.attention_products(shape, plan))
    inside += dense * _sum(layer.feed_products(shape, plan, shape.ffn))
    inside += (1.0 - dense) * _sum(layer.feed_products(shape, plan, shape.shared_ffn))
    load = float(mean_load(work.routing)[0])
    experts = [(1.0 - dense) * _sum(layer.expert_products(shape, plan, each)) for each in (load, 1.0)]
    head = (1.0 + float(shape.extra_layers[0])) * _sum(layer.head_products(shape, plan))
    last = float((work.habits.stopped / work.kept.group)[0]) * _sum(layer.last_products(shape, plan))
    layers = float((shape.layers + shape.extra_layers)[0])
    times = float((plan.micro_batches / plan.pipeline)[0])
    again, core_again = float(plan.recomputed[0]), float(plan.recomputed_core[0])
    attention, whole = float(core[0]), float(core[0]) * (2.0 if shape.causal[0] > 0 else 1.0)
    passes = 3.0 + again
    ups = (1.0 - again) * float(work.kept.ups[0]) * _sum(layer.widening_products(shape, plan))
    # A matrix that is not trained has no product for its gradient; adapters have all three.
    frozen, beside = float(plan.adapters[0]), 3.0 * _sum(adapter_products(shape, plan, work.adapters))
    beside += again * beside / 3.0 - frozen * (inside + experts[0])
    executed = layers * (
        ups + beside - again * last + passes * (inside + experts[0]) + (passes + (1.0 - again) * core_again) * attention
    )
    asked = layers * ((3.0 - frozen) * (inside + experts[1]) + 3.0 * whole) + (3.0 - frozen) * head
    return times * (executed + (3.0 - frozen) * head), times * asked


def _sum(products: Iterable[Product]) -> float:
    return sum(float(one.flops[0]) for one in products)


def whole_flops(work: Work) -> float:
    """Return what all ranks execute in a step: the model on one rank that takes the whole batch [FLOP].

    Heads of keys that are fewer than tensor ranks are there once a rank.
    """
    plan, one = work.plan, np.ones(1)
    batch = plan.micro * plan.micro_batches * plan.data
    alone = dict.fromkeys(("tensor", "pipeline", "virtual", "data", "context", "expert", "micro_batches"), one)
    groups = np.maximum(work.shape.groups, plan.tensor)
    return _flops(replace(work, plan=replace(plan, micro=batch, **alone), shape=replace(work.shape, groups=groups)))[0]


def _memory_bytes(work: Work, parts: dict[str, float]) -> float:
    """Return the memory traffic of a step: memory-bound kernels by their time, products by their operands [B]."""
    chip, plan, shape = work.chip, work.plan, work.shape
    kernels_s = parts["memory"] + parts["optimizer"] * (1.0 - float(work.offload.optimizer[0]))
    products = [*layer.attention_products(shape, plan), *layer.feed_products(shape, plan, shape.ffn)]
    moved = sum(float((p.count * p.batch * (p.m * p.k + p.k * p.n + p.m * p.n))[0]) for p in products)
    layers = float((plan.micro_batches * shape.layers / plan.pipeline)[0])
    return kernels_s * float((chip.bandwidth * chip.memory)[0]) + 3.0 * 2.0 * moved * layers


def _link_bytes(work: Work) -> float:
    """Return what the mean rank sends to its tensor group in the domain: reduce-scatters and all-gathers by rings [B].

    What data, context and expert groups send inside a domain is left out: little beside it.
    """
    shape, plan = work.shape, work.plan
    near = min(float(plan.tensor[0]), float(work.links.domain[0]))
    layers = float((plan.micro_batches * (shape.layers + shape.extra_layers) / plan.pipeline)[0])
    stream = float(layer.stream_bytes(shape, plan, work.precision)[0])
    return layers * (2.0 + float(plan.recomputed[0])) * 4.0 * stream * (near - 1.0) / near


def rounds_of(micro_batches: int) -> int:
    """Return in how many equal rounds a step's micro batches are played, one a round up to 32."""
    return micro_batches if micro_batches <= _ROUNDS else ceil(micro_batches / ceil(micro_batches / _ROUNDS))


_ROUNDS = 32
