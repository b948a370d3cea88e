"""The plan of a run: what the table states, what its words mean, and defaults for what it leaves blank."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dcsim.accuracy.training.case import Case
from dcsim.accuracy.training.device import DataSheet
from dcsim.accuracy.training.model import Model, parameters
from dcsim.accuracy.training.policy import again_by_policy
from dcsim.parallel.parallelism import EVERYTHING, GRADIENTS, NOT_SHARDED, OPTIMIZER


@dataclass(frozen=True, slots=True)
class Plan:
    """Numbers of one plan, by the names of :class:`dcsim.parallel.parallelism.Parallelism`."""

    tensor: float
    pipeline: float
    virtual: float
    data: float
    context: float
    expert: float
    sequence: float
    sharding: float
    micro: float
    micro_batches: float
    recomputed: float
    recomputed_core: float
    balanced: float
    zero_bubble: float
    adapters: float
    unstated: float
    """1 where the table does not say what is recomputed."""
    replicas: float = 1.0

    @property
    def batch(self) -> float:
        """Sequences of a step."""
        return self.micro * self.micro_batches * self.data


_USUAL_TENSOR = 8.0
_MOST_DEVICES = 1e7
_FULL = 0.4  # of the memory, for weights and what belongs to them: blanked plans of the table are nearest
_DENSE_KEEPS = ("hopper", "blackwell")  # where recent recipes of dense models recompute nothing unless they say so
_ONE_MICRO = 2.0**18  # tokens of a device up to which sharded weights are gathered once a step: an assumption
_EVERY_OTHER = 0.35  # of a layer where attention and every other matrix product are kept
_BRIM = 0.9  # of the memory, for all that training holds: an assumption
_TUNED = re.compile("nemo|bridge|core|mlperf|megascale|hai", re.IGNORECASE)
"""Frameworks whose recipes recompute parts by a list, which leaves most of the layers alone."""

_XLA = re.compile("maxtext|jax|t5x|pax", re.IGNORECASE)
"""Frameworks whose recipes recompute most of the layers, unless all of them fit."""

_RECOMPUTED = (
    # Words of the column and the share of the layers' forward pass that runs again.
    ("full", 1.0),
    ("every layer", 1.0),
    ("all layers", 1.0),
    ("none", 0.0),
    ("false", 0.0),
    ("true", 1.0),
    # PaLM, Appendix B: hardware over model FLOP utilization, 57.8 / 46.2 = 1.25, is 3/4 of a forward pass more.
    ("partial", 0.75),
    ("selective", 0.0),
    ("norm", 0.05),
)


def plan_of(case: Case, model: Model, sheet: DataSheet, software: str) -> Plan | str:
    """Return the plan of a run, or in words what is missing."""
    devices = case.positive("n_devices")
    if devices is None:
        found = case.text("n_devices")
        return f'the table states "{found}" devices' if found else "the table does not state the number of devices"
    if devices > _MOST_DEVICES:
        return f"the table states {devices:g} devices, more than there are"
    told = " ".join(case.text(column) for column in ("notes", "model", "software"))
    adapters = 1.0 if re.search(r"\bq?lora\b", told, re.IGNORECASE) else 0.0
    tensor, pipeline, context, data = _sizes(case, model, sheet, (devices, adapters))
    if tensor * pipeline * context > devices * 1.001:
        asked = f"tp {tensor:g} x pp {pipeline:g} x cp {context:g}"
        return f"{asked} needs {tensor * pipeline * context:g} devices, the table states {devices:g}"
    batch = _batch(case, data)
    if batch is None:
        batch = data * _usual_batch(model, pipeline)
    micro, count = _micro(case, batch, (data, pipeline), software)
    recomputed, core, unstated = _recompute(case, software, model)
    if unstated and not _TUNED.search(software):
        overflows = _overflows(case, model, sheet, (tensor, context, micro, data))
        # Eager frameworks run all again where activations overflow, recipes of XLA nothing where all of them fit.
        if overflows != bool(_XLA.search(software)):
            recomputed, unstated = float(overflows), 0.0
    if adapters or (sheet.generation in _DENSE_KEEPS and not model.experts and "mlperf" not in software.lower()):
        unstated = 0.0
    virtual = case.positive("virtual_stages")
    return Plan(
        tensor=tensor,
        pipeline=pipeline,
        virtual=max(virtual or _virtual(model, pipeline, software), 1.0) if pipeline > 1 else 1.0,
        data=data,
        context=context,
        expert=min(case.positive("ep") or 1.0, max(model.experts, 1.0)) if model.experts else 1.0,
        sequence=_sequence(case, software, tensor),
        sharding=_sharding(case, sheet),
        micro=micro,
        micro_batches=count,
        recomputed=recomputed,
        recomputed_core=core,
        balanced=_balanced(case, model, pipeline * (virtual or 1.0)),
        zero_bubble=1.0 if re.search(r"dualpipe|zero.?bubble", case.text("virtual_stages"), re.IGNORECASE) else 0.0,
        adapters=adapters,
        unstated=unstated,
    )


def _sizes(case: Case, model: Model, sheet: DataSheet, given: tuple[float, float]) -> tuple[float, float, float, float]:
    """Return tensor, pipeline, context and data sizes.

    Where the table has none: TPUs and sharded weights need no further split; others split tensors inside the node and
    add stages until what a device holds fits most of its memory.
    """
    devices, adapters = given
    tensor, pipeline, context = (case.positive(column) for column in ("tp", "pp", "cp"))
    data = case.positive("dp")
    node = case.positive("node_size") or sheet.domain
    context = context or 1.0
    if sheet.generation.startswith("tpu") or _sharding(case, sheet) >= EVERYTHING:
        tensor, pipeline = tensor or 1.0, pipeline or 1.0
    own, shared = _held_bytes(case, sheet, adapters)
    space = _FULL * sheet.memory / parameters(model) - shared / devices
    if tensor is None:
        tensor, limit = 1.0, min(node, _USUAL_TENSOR, devices / (pipeline or 1.0))
        while own > space * tensor * (pipeline or 1.0) and tensor * 2.0 <= limit:
            tensor *= 2.0
    if pipeline is None:
        pipeline = 1.0
        while own > space * tensor * pipeline and tensor * pipeline * context * 2.0 <= devices:
            pipeline *= 2.0
    whole = tensor * pipeline * context
    if data is None or data * whole > devices * 1.001:
        data = max(devices / whole, 1.0)
    return tensor, pipeline, context, data


def _held_bytes(case: Case, sheet: DataSheet, adapters: float) -> tuple[float, float]:
    """Return bytes for a parameter that a replica holds, and that data-parallel ranks share: weights, gradients, Adam.

    Adapters train next to nothing of what they hold, which stays in the format of products.
    """
    if adapters:
        return 1.0 if "fp8" in case.text("precision").lower() else 2.0, 0.0
    return (4.0, 12.0) if _sharding(case, sheet) >= OPTIMIZER else (16.0, 0.0)


def _batch(case: Case, data: float) -> float | None:
    found = case.positive("global_batch")
    micro = case.positive("micro_batch")
    if found is None and micro is not None:
        return micro * data
    return found


def _usual_batch(model: Model, pipeline: float) -> float:
    """Return sequences of a data-parallel rank where the table states no batch.

    An assumption: 16,384 tokens, and eight micro batches for every stage of a pipeline.
    """
    return 8.0 * pipeline if pipeline > 1 else max(round(16384.0 / model.sequence), 1.0)


def _micro(case: Case, batch: float, sizes: tuple[float, float], software: str) -> tuple[float, float]:
    """Return the micro batch and how many a data-parallel rank has.

    torchtitan states what a rank has in all; its pipelines cut that into as many micro batches as stages or more.
    """
    data, pipeline = sizes
    each = batch / data
    micro = case.positive("micro_batch")
    if micro is None:
        whole = pipeline == 1 and ("fsdp" in case.text("dp_sharding").lower() or not case.text("dp_sharding"))
        micro = each if whole and each * (case.positive("seq") or 2048.0) <= _ONE_MICRO else 1.0
    if "maxtext" in software.lower() and pipeline == 1:
        micro = each  # what it states is a device's share; a tensor group computes all of its devices' shares at once
    if "torchtitan" in software.lower() and pipeline > 1 and micro >= each:
        micro = max(each / max(pipeline, each), min(1.0, each))
    micro = min(micro, each)
    return micro, each / micro


def _recompute(case: Case, software: str, model: Model) -> tuple[float, float, float]:
    """Return the shares of layers and of attention cores that run again, and 1 where nothing is stated."""
    words = case.text("recompute").lower()
    if not words or "custom" in words:
        return 0.0, 0.0, 1.0
    if "selective" in words and "torchtitan" in software.lower():
        return _EVERY_OTHER, 0.0, 0.0
    policy = again_by_policy(words, model) if _XLA.search(software) else None
    if policy is not None:
        return policy, 0.0, 0.0
    share = next((share for word, share in _RECOMPUTED if word in words), 0.0)
    return share, 1.0 if "selective" in words and share == 0.0 else 0.0, 0.0


def _overflows(case: Case, model: Model, sheet: DataSheet, sizes: tuple[float, float, float, float]) -> bool:
    """Return whether activations of all layers do not fit beside what a device holds, so that they are recomputed.

    34 bytes for an element of the stream (Korthikanti et al., 2022, section 4.1), for as many micro batches as stages.
    """
    tensor, context, micro, data = sizes
    own, shared = _held_bytes(case, sheet, 0.0)
    devices = case.positive("n_devices") or 1.0
    whole = _sharding(case, sheet) >= EVERYTHING
    each = (own if whole else own * data * context) / devices + shared / devices
    kept = 34.0 * micro * model.sequence / context * model.hidden * model.layers / tensor
    return parameters(model) * each + kept > _BRIM * sheet.memory


def _virtual(model: Model, pipeline: float, software: str) -> float:
    """Return the chunks of a stage where none are stated: recent frameworks deal two layers a chunk, older ones all.

    One layer a chunk where a stage has an odd number. Embedding and head are layers where only then all stages are
    alike. Of plans that state their chunks, those of MLPerf's submissions and NVIDIA's recipes have one or two layers.
    """
    if not re.search(r"nemo|bridge|core|meta\)|mlperf|megascale", software.lower()):
        return 1.0
    slots = next((n / pipeline for n in (model.layers, model.layers + 2.0) if n % pipeline == 0), None)
    if slots is None:
        return 4.0
    return slots / 2.0 if slots % 2.0 == 0 else slots


def _sequence(case: Case, software: str, tensor: float) -> float:
    stated = case.number("seq_parallel")
    if stated is not None:
        return stated
    modern = re.search(r"nemo|bridge|core|mlperf|maxtext|t5x|titan|megascale|meta\)|hai", software.lower())
    return 1.0 if tensor > 1 and modern else 0.0


def _sharding(case: Case, sheet: DataSheet) -> float:
    words = case.text("dp_sharding").lower()
    if "hsdp" in words:
        return EVERYTHING
    if "grad_op" in words or "zero2" in words or "zero-2" in words:
        return GRADIENTS
    if "fsdp" in words or "zero3" in words or "zero-3" in words:
        return EVERYTHING
    if "zero" in words or "optimizer" in words:
        return OPTIMIZER
    if not words and sheet.generation.startswith("tpu"):
        return EVERYTHING
    return NOT_SHARDED


def _balanced(case: Case, model: Model, chunks: float) -> float:
    """Return 1 where embedding and head are dealt like layers: as stated, or where only then all chunks are alike."""
    if "own layer slot" in case.text("notes"):
        return 1.0
    if chunks <= 1:
        return 0.0
    alone = model.layers % chunks == 0
    return 1.0 if not alone and (model.layers + 2.0) % chunks == 0 else 0.0
