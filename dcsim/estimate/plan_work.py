"""From a job, its servers and the catalogue to the arguments of the model of training steps: one case."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf

import numpy as np
from numpy.typing import NDArray

from dcsim.catalogue.inventory import JobParts, PoolParts
from dcsim.catalogue.parts import Generation, Kernels, Training
from dcsim.catalogue.shelf import Shelf
from dcsim.compute.kernels import Chip
from dcsim.estimate.habits import (
    DUAL_PIPELINE,
    FUSED,
    HIDDEN_PIPELINE,
    HOP_INSIDE_S,
    HOP_OUTSIDE_S,
    INTERLEAVED_DISPATCH,
    MODERN_PIPELINE,
    STOPPED,
    added_bytes,
    attention_backward,
    attention_gain,
    crowded_bytes,
    gathered_bytes,
    hidden_data,
    older_attention,
    one_by_one,
    whole_step,
)
from dcsim.estimate.host import lacking, offload_of
from dcsim.estimate.messages import Links
from dcsim.estimate.work import Habits, Work
from dcsim.parallel.adapters import Adapters
from dcsim.parallel.context import Context
from dcsim.parallel.data_exchange import DataExchange
from dcsim.parallel.kept import Kept
from dcsim.parallel.legal import as_layers
from dcsim.parallel.model_shape import shape_of
from dcsim.parallel.parallelism import (
    EVERYTHING,
    GRADIENTS,
    NOT_SHARDED,
    OPTIMIZER,
    Parallelism,
    Precision,
)
from dcsim.parallel.routing import Routing
from dcsim.scenario.parallel import Parallel
from dcsim.scenario.recompute import computes_again, group_of, share_again
from dcsim.scenario.transformers import Decoder, MixtureModel
from dcsim.scenario.workload import NARROW, SCALED_BLOCKS, Job

Floats = NDArray[np.float64]

_SHARDING = {"none": NOT_SHARDED, "optimizer": OPTIMIZER, "gradients": GRADIENTS, "full": EVERYTHING}
_HALF_RATE = 0.5  # of matrix units in 32 bits (TF32) over 16, as data sheets of GPUs have it
_WIDE, _HALF = 4.0, 2.0
_EARLY = frozenset({"deepspeed-2022"})  # its gradients travelled in 32 bits beside bf16, and by all-reduce


@dataclass(frozen=True, slots=True)
class Setting:
    """The fitted parts that a job's step depends on."""

    generation: Generation
    kernels: Kernels
    training: Training
    fitted: bool
    """Whether runs on accelerators of the generation tell any of its shares; else all are assumptions."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a job's plan has no model: a key of the job, what was found there and what was expected."""

    key: str
    found: str
    expected: str


def setting_of(parts: JobParts, pool: PoolParts, shelf: Shelf) -> Setting | Missing:
    """Return the fitted parts of a job on a pool, or what is missing."""
    job, accelerator = parts.job, pool.accelerator
    if not isinstance(parts.model, Decoder):
        found = getattr(parts.model, "family", "a function")
        rule = "a decoder (transformer, mixture): only data-parallel replicas of other models are modelled"
        return Missing("model", f'the family "{found}" under a parallel plan', rule)
    if accelerator.generation is None or accelerator.cores is None:
        rule = "accelerators with a generation and cores, whose training runs were measured: H100, A100, TPU v5p, ..."
        return Missing("parallel", f"a parallel plan on {accelerator.title}", rule)
    if parts.software.training is None:
        rule = "an era fitted to training runs: megatron-2021, flash-2023, te-fp8-2024, bridge-2026, maxtext, ..."
        return Missing("software", f'"{job.software}"', rule)
    if job.precision == "nvfp4" and "fp4" not in accelerator.peak:
        return Missing(
            "precision", f'"nvfp4" on {accelerator.title}', "a format that it multiplies: bf16, fp8 or mxfp8"
        )
    if job.parallel.offload and (fields := lacking(pool.server)):
        own = f"or a part of your own that does: parts.servers.NAME: {{based_on: {pool.pool.type}, ...}}"
        rule = f"a server that tells what its host has, such as dgx-a100, dgx-h100 or gb200-nvl72, {own}"
        return Missing("parallel.offload", f"{pool.server.title} without {fields}", rule)
    generation = shelf.take(Generation, accelerator.generation)
    told = shelf.fields("generations", accelerator.generation).values()
    fitted = any(str(getattr(entry, "source", "")).startswith("fitted") for entry in told)
    return Setting(generation, shelf.take(Kernels, "training"), parts.software.training, fitted)


def work_of(parts: JobParts, pool: PoolParts, setting: Setting, link_rate: float) -> Work:
    """Return the work of one step, every field of shape (1,).

    ``link_rate`` is the rate of a link of the fabric [B/s], which may be below that of a network card.
    """
    if not isinstance(parts.model, Decoder):
        raise TypeError("only decoders have plans")  # setting_of told so before
    domain = domain_of(parts.job, pool)
    return Work(
        shape_of(parts.model),
        plan_of(parts.job, parts.model, _replicas(parts.job, pool, domain)),
        precision_of(parts.job),
        _chip(parts, pool, setting),
        _links(pool, setting, link_rate, domain),
        _habits(parts, pool, setting),
        context=context_of(parts.job.parallel),
        exchange=exchange_of(parts.job.parallel),
        routing=routing_of(parts.job.parallel),
        kept=kept_of(parts.job.parallel),
        adapters=adapters_of(parts.job.parallel),
        offload=offload_of(parts.job, pool),
    )


def domain_of(job: Job, pool: PoolParts) -> int:
    """Return how many accelerators the links of a server join: those of the server, or more where they reach on."""
    reach = pool.link.reach if pool.link is not None and pool.link.reach else pool.server.accelerators
    return min(max(reach, pool.server.accelerators), max(job.ranks, 1))


def plan_of(job: Job, model: Decoder, replicas: float = 1.0) -> Parallelism:
    """Return the plan of a job as numbers.

    Embedding and head take the place of a layer each where only then all chunks are alike, as recipes write it.
    """
    parallel = job.parallel
    chunks = parallel.pipeline * parallel.virtual
    balanced = chunks > 1 and as_layers(chunks, model)
    numbers = {
        **{name: getattr(parallel, name) for name in ("tensor", "pipeline", "virtual", "data", "context", "expert")},
        "sequence": parallel.sequence,
        "sharding": _SHARDING[parallel.sharding],
        "micro": job.batch.micro,
        "micro_batches": job.batch.global_ / (job.batch.micro * parallel.data),
        "recomputed": share_again(parallel.recompute, model.layers, chunks),
        "recomputed_core": computes_again(parallel.recompute, "attention"),
        "balanced": balanced,
        "zero_bubble": parallel.scheduled == "zero-bubble",
        "adapters": parallel.adapters is not None,
        "replicas": replicas,
    }
    return Parallelism(**{name: _one(float(number)) for name, number in numbers.items()})


def context_of(parallel: Parallel) -> Context:
    """Return how context ranks share sequences."""
    gathered = parallel.context_exchange == "all-gather"
    return Context(_one(float(gathered)), _one(float(parallel.context_order == "in-order")))


def exchange_of(parallel: Parallel) -> DataExchange:
    """Return how data-parallel ranks exchange gradients and weights."""
    return DataExchange(_one(parallel.bucket or inf), _one(float(parallel.prefetch)))


def routing_of(parallel: Parallel) -> Routing:
    """Return how tokens reach experts."""
    given = parallel.routing
    if given is None:
        return Routing()
    return Routing(_one(given.nodes or inf), _one(given.imbalance), _one(given.capacity or 0.0))


def kept_of(parallel: Parallel) -> Kept:
    """Return what of a forward pass is kept."""
    again, given = parallel.recompute, parallel.adapters
    return Kept(
        narrow=_one(float(parallel.activations == "fp8")),
        norms=_one(float(computes_again(again, "norms"))),
        functions=_one(float(computes_again(again, "activations"))),
        ups=_one(float(computes_again(again, "up-projections"))),
        group=_one(float(group_of(again))),
        attention_inputs=_one(float(given is None or "attention" in given.targets)),
        feed_inputs=_one(float(given is None or "feed-forward" in given.targets)),
    )


def adapters_of(parallel: Parallel) -> Adapters:
    """Return the adapters that are trained in place of the model's own weights."""
    given = parallel.adapters
    if given is None:
        return Adapters()
    return Adapters(
        _one(given.rank), _one(float("attention" in given.targets)), _one(float("feed-forward" in given.targets))
    )


def precision_of(job: Job) -> Precision:
    """Return the number formats of a job; in fp8, mxfp8 and nvfp4 all but the products of layers have 16 bits."""
    width = _WIDE if job.precision == "fp32" else _HALF
    narrow = job.precision in NARROW
    gradient = _sum_width(job)
    if job.software in _EARLY:
        gradient *= 2.0 if job.parallel.sharding == "optimizer" else 1.0
    return Precision(
        narrow=_one(float(narrow)),
        block=_one(float(job.precision in SCALED_BLOCKS)),
        activation_bytes=_one(width),
        gathered_bytes=_one(min(width, gathered_bytes(job.software, narrow, job.precision in SCALED_BLOCKS))),
        weight_bytes=_one(width),
        gradient_bytes=_one(gradient),
        dispatch_bytes=_one(1.0 if narrow else width),
    )


def _sum_width(job: Job) -> float:
    """Return the bytes of the sum of a gradient over the micro batches of a step."""
    early = job.software in _EARLY and job.precision == "bf16" and job.parallel.sharding != "full"
    return _WIDE if early or job.precision == "fp32" else _HALF


def peak_rate(job: Job, pool: PoolParts) -> float:
    """Return the peak of the format in which the products of layers run [FLOP/s].

    In 4 bits it is at most twice that of 8 bits, to which training steps were fitted.
    """
    peak = pool.accelerator.peak
    half = max(peak.get("bf16", 0.0), peak.get("fp16", 0.0))
    if job.precision == "fp32":
        return peak.get("tf32", peak.get("fp32", _HALF_RATE * half))
    if job.precision == "nvfp4":
        return min(peak.get("fp4", inf), 2.0 * peak.get("fp8", half))
    if job.precision in NARROW:
        return peak.get("fp8", peak.get("int8", half))
    return half


def _replicas(job: Job, pool: PoolParts, domain: int) -> float:
    """Return the groups of ranks that hold all shards: as many as the job says, or one a domain that links reach."""
    return float(job.parallel.shard_groups) if job.parallel.shard_groups > 1 else _slices(job, pool, domain)


def _slices(job: Job, pool: PoolParts, domain: int) -> float:
    """Return the domains that a job spans where links reach from server to server: weights are sharded inside each."""
    reaches = pool.link is not None and pool.link.reach
    return float(ceil(job.ranks / domain)) if reaches else 1.0


def _whole(parts: JobParts, pool: PoolParts) -> float:
    mixture = isinstance(parts.model, MixtureModel)
    generation, block = pool.accelerator.generation or "", parts.job.precision in SCALED_BLOCKS
    return whole_step(parts.job.software, generation, mixture, block)


def _one_by_one(parts: JobParts, pool: PoolParts) -> float:
    mixture, reaching = isinstance(parts.model, MixtureModel), pool.link is not None and bool(pool.link.reach)
    return one_by_one(parts.job.software, mixture, _whole(parts, pool), reaching)


def _chip(parts: JobParts, pool: PoolParts, setting: Setting) -> Chip:
    job, accelerator, generation, kernels = parts.job, pool.accelerator, setting.generation, setting.kernels
    fastest = accelerator.fastest_tdp or accelerator.tdp
    limited = (accelerator.tdp / fastest) ** kernels.power
    half = max(accelerator.peak.get("bf16", 0.0), accelerator.peak.get("fp16", 0.0))
    older = older_attention(accelerator.generation or "", job.software)
    gain = attention_gain(_whole(parts, pool), accelerator.memory)
    return Chip(
        rate=_one(peak_rate(job, pool) * limited),
        rate16=_one(half * limited),
        bandwidth=_one(accelerator.memory_bandwidth),
        cores=_one(float(accelerator.cores or 1)),
        product=_one(generation.product8 if job.precision in NARROW else generation.product16),
        product16=_one(generation.product16),
        attention=_one(generation.attention * (kernels.flash2 if older else gain)),
        memory=_one(generation.memory),
        depth=_one(kernels.depth),
    )


def _links(pool: PoolParts, setting: Setting, link_rate: float, domain: int) -> Links:
    server = pool.server
    outside = server.rank_nics * min(server.nic_rate, link_rate) / server.accelerators
    inside = pool.link.rate * (pool.link.ring or 1.0) if pool.link is not None else outside
    return Links(
        inside=_one(inside * setting.generation.links),
        outside=_one(outside * setting.kernels.network),
        domain=_one(float(domain)),
        hop_inside=_one(HOP_INSIDE_S),
        hop_outside=_one(HOP_OUTSIDE_S),
        half=_one(setting.kernels.half_mb * 1e6),
    )


def _habits(parts: JobParts, pool: PoolParts, setting: Setting) -> Habits:
    training, kernels, era, parallel = setting.training, setting.kernels, parts.job.software, parts.job.parallel
    whole = _whole(parts, pool)
    hidden = hidden_data(_one(training.hidden_data), _one(_SHARDING[parallel.sharding]))
    fused = FUSED.get(era, float(parts.software.fused_attention))
    dual = DUAL_PIPELINE if parallel.scheduled == "zero-bubble" and parallel.expert > 1 else 0.0
    return Habits(
        launch_s=_one(training.launch_us * 1e-6),
        traffic=_one(training.traffic),
        fused=_one(fused),
        backward=_one(attention_backward(era, fused)),
        stopped=_one(float(era in STOPPED)),
        added=_one(added_bytes(era, _WIDE if parts.job.precision == "fp32" else _HALF, _sum_width(parts.job))),
        passes=_one(kernels.passes),
        hidden_tensor=_one(training.hidden_tensor),
        hidden_data=hidden if parallel.overlap else _one(0.0),
        hidden_pipeline=_one(HIDDEN_PIPELINE.get(era, MODERN_PIPELINE)),
        hidden_expert=_one(max(whole * kernels.hidden_expert, dual)),
        hidden_far=_one(kernels.hidden_expert if era in INTERLEAVED_DISPATCH else 0.0),
        merged=_one(whole),
        step_s=_one(training.step_ms * 1e-3),
        micro_s=_one(training.micro_ms * 1e-3),
        experts_s=_one(_one_by_one(parts, pool) * kernels.experts_ms * 1e-3),
        routed=_one(kernels.routed),
        jitter=_one(kernels.jitter),
        crowded=_one(crowded_bytes(era, pool.accelerator.memory)),
    )


def _one(number: float) -> Floats:
    return np.array([float(number)])
