"""What software eras do, by their names, beside the constants that are fitted to them; none of it is fitted."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dcsim.parallel.parallelism import EVERYTHING

Floats = NDArray[np.float64]

FUSED = MappingProxyType({"megatron-2021": 0.0, "deepspeed-2022": 0.0})
"""Eras whose attention is not one kernel; all others fuse."""

ADDED = frozenset({"deepspeed-2022"})
"""Eras whose gradients of weights are added to their sums by a kernel of its own."""

ADDED_UNTIL = MappingProxyType({"megatron-2021": 2022.0})
"""The year from which products add them in eras that changed so: ``--no-gradient-accumulation-fusion`` undoes it.

Megatron-LM of 2022 (recalled), of V. Korthikanti et al. (2022); Megatron-LM of 2021 adds them in hooks of parameters.
"""

SUMMED_IN_HALF, SUMMED_IN_FULL, SUMMED_FROM_HALF = 6.0, 12.0, 18.0
"""What such a kernel moves for a weight and micro batch: it reads gradient and sum and writes the sum [B].

In 16 bits, in 32, and of a gradient in 16 for a sum in 32 bits, which is widened first by a kernel that reads 2 bytes
and writes 4 (DeepSpeed's bf16_optimizer.py of 2022, ``hp_grad.add_(grad.to(hp_grad.dtype))``).
"""

OLDER_ATTENTION = MappingProxyType({"flash-2023": ("hopper", "blackwell"), "torchtitan": ("hopper",)})
"""Fused attention that was written for Ampere, by era or framework, and the later GPUs on which it runs.

Kernels of 2023 in Triton; FlashAttention-2 in PyTorch, which torchtitan asks for on Hopper and leaves for cuDNN on
Blackwell. Meta's own framework, of the same era, is not known to.
"""

FLASH_BACKWARD, TRITON_BACKWARD = 2.5, 3.6
"""Time of fused attention's backward pass over that of its forward pass [1].

Five products instead of two (T. Dao, "FlashAttention-2", 2023); the same work's section 4.1 finds kernels in Triton 1.3
to 1.5 times slower forward and about twice backward: 2.5 x 2 / 1.4.
"""

TRITON = frozenset({"flash-2023"})
"""Eras whose fused attention is in Triton, the default of llm-foundry's benchmarks (``attn_impl: triton``)."""

STOPPED = frozenset({"flash-2023", "torchtitan-2024", "maxtext"})
"""Eras that compute layers again only up to the last result that a gradient reads, so without their last product.

torch.utils.checkpoint stops early unless re-entrant (``set_checkpoint_early_stop``, PyTorch 2.1, 2023); XLA removes
what nothing reads. Megatron-LM and DeepSpeed run whole layers again.
"""

NARROW_GATHERS = frozenset({"torchtitan-2024"})
"""Eras whose tensor groups gather their stream in 8 bits where products are, unless blocks or rows have scales.

torchao's ``Float8ColwiseParallel`` casts before the all-gather, ``Float8RowwiseParallel`` that of its gradient;
reduce-scatters stay in 16 bits.
"""

PREFETCHED = 0.8
"""Share of data-parallel communication beside computation where weights are sharded, if the era hides none else [1].

Weights of the next layer are gathered while one runs (ZeRO-3, SC 2020; Y. Zhao et al., "PyTorch FSDP", VLDB 2023,
section 3.3), also by frameworks that summed replicated gradients after the backward pass; the prior of later eras.
"""

HIDDEN_PIPELINE = MappingProxyType({"megatron-2021": 0.0, "deepspeed-2022": 0.0, "torchtitan-2024": 0.0})
"""Eras whose stages wait for their messages; others send beside computation."""

MODERN_PIPELINE = 0.8
"""Share of a stage's messages beside computation elsewhere [1]: an assumption."""

DUAL_PIPELINE = 0.9
"""Share of dispatch beside computation where two micro batches pass the stages at once, as in DualPipe [1].

DeepSeek-AI, DeepSeek-V3 Technical Report (2024), section 3.2.1: all of it is hidden; a tenth for what is not, an
assumption.
"""

WHOLE_STEP = frozenset({"bridge-2026"})
"""Eras whose latest release runs steps of mixtures as one graph on Blackwell where operands have scales a block.

Dispatch then runs beside computation, products of experts apply the activation function and cast its result, and
attention runs in 8 bits: Megatron-Bridge, recipes of 26.08 for DeepSeek-V3, Qwen3 and gpt-oss in MXFP8
(src/megatron/bridge/perf_recipes: ``full_iteration``, ``overlap_moe_expert_parallel_comm``,
``cutedsl_fused_grouped_mlp``, ``fp8_dot_product_attention``).
"""

WHOLE_STEP_AGE = 7.0 / 12.0
"""From which release on they do: 26.08, in years since 2026."""

ULTRA_BYTES = 250e9
"""Memory beyond which a Blackwell is a Blackwell Ultra (B300, GB300): 288 GB, against 180 to 192 [B]."""

NARROW_ATTENTION = 2.0
"""Rate of attention in 8 bits over 16 on Blackwell Ultra [1]: an assumption.

Exponentials bound attention on Blackwell, so that 8 bits alone gain nothing; Blackwell Ultra has twice their rate
(NVIDIA, "Making softmax more efficient with NVIDIA Blackwell Ultra", 2026).
"""

INTERLEAVED_DISPATCH = frozenset({"bridge-2026"})
"""Eras that run dispatch beside another micro batch where it leaves the domain and stages have several chunks.

``overlap_moe_expert_parallel_comm`` in Megatron-Bridge's recipes of 25.11 to 26.06 for Qwen3 235B on H100 and
DeepSeek-V3 on B200; those for experts within a domain do not.
"""

GRAPHED = frozenset({"mlperf-2024", "maxtext"})
"""Eras that do not launch kernels of experts one by one: CUDA graphs (submissions to MLPerf), whole programs (XLA)."""

REACHING_GRAPHED = frozenset({"bridge-2026"})
"""Eras that do not where links reach beyond a server.

Megatron-Bridge's recipes for GB200 and GB300 record attention, router and what prepares dispatch as graphs
(``cuda_graph_scope``), from 25.11 on; most of those for servers of eight record nothing.
"""

CROWDED = MappingProxyType({"flash-2023": 0.6})
"""Share of the memory that sharded states may take before an era's allocator frees and asks anew for every layer [1].

PyTorch's caching allocator frees its blocks and retries where it finds no room (``num_alloc_retries``); its expandable
segments came with release 2.1 and are off by default. The share is an assumption: nine published runs are above 0.64,
all others below 0.45.
"""

RETRY_S = 6e-3
"""What that takes for a layer and a micro batch, forward and backward [s]: an assumption, by those nine runs.

Freeing device memory waits for all kernels, as many milliseconds on an A100 as on an H100.
"""

HOP_INSIDE_S, HOP_OUTSIDE_S = 3e-6, 8e-6
"""Time of a round of a collective between neighbors in a domain and between domains [s]."""

EXPERTS_SPREAD, TPU_SPREAD, SPREAD = 0.20, 0.10, 0.10
"""Relative errors that four of five runs keep where the fit did not see them [1]: mixtures of experts, TPUs, others.

By the study of grouped halves (``analysis/fit_training.py --study``), rounded up.
"""


def hidden_data(of_era: Floats, sharding: Floats) -> Floats:
    """Return the share of data-parallel communication beside computation, of an era's and for what plans shard [1]."""
    return np.where((sharding >= EVERYTHING) & (of_era == 0.0), PREFETCHED, of_era)


def added_bytes(era: str, gradient: float, total: float, year: float | None = None) -> float:
    """Return what adding gradients of ``gradient`` bytes to sums of ``total`` moves for a weight and micro batch [B].

    0 where products add them, as they do in the releases of ``year`` or of the era's last.
    """
    if era not in ADDED and (year is None or year >= ADDED_UNTIL.get(era, 0.0)):
        return 0.0
    if total <= gradient:
        return SUMMED_IN_HALF if total <= 2.0 else SUMMED_IN_FULL
    return SUMMED_FROM_HALF


def older_attention(generation: str, *names: str) -> bool:
    """Return whether fused attention of an era or a framework by ``names`` was written for GPUs before these."""
    return any(generation in OLDER_ATTENTION.get(name, ()) for name in names)


def attention_backward(era: str, fused: float) -> float:
    """Return the time of the attention core's backward pass over that of its forward pass [1]."""
    if not fused:
        return 2.0
    return TRITON_BACKWARD if era in TRITON else FLASH_BACKWARD


def crowded_bytes(era: str, memory: float) -> float:
    """Return the sharded states of an accelerator with ``memory`` that leave no room for layers, 0 for none [B]."""
    return CROWDED.get(era, 0.0) * memory


def gathered_bytes(era: str, narrow: float, block: float) -> float:
    """Return the width of the stream as tensor groups gather it [B]."""
    return 1.0 if era in NARROW_GATHERS and narrow and not block else 2.0


def whole_step(era: str, generation: str, mixture: bool, block: bool, age: float = WHOLE_STEP_AGE) -> float:
    """Return 1 where a step of a mixture runs as one graph with products that do the work beside them, else 0.

    ``age`` is that of the release in years since 2026, the latest unless given.
    """
    late = age > WHOLE_STEP_AGE - 0.01
    return float(mixture and block and late and era in WHOLE_STEP and generation == "blackwell")


def one_by_one(era: str, mixture: bool, whole: float, reaching: bool) -> float:
    """Return 1 where the host launches the kernels of experts one by one, else 0.

    ``whole`` is 1 for steps as one graph; ``reaching`` tells whether links reach beyond a server.
    """
    graphed = era in GRAPHED or whole > 0 or (reaching and era in REACHING_GRAPHED)
    return float(mixture and not graphed)


def attention_gain(whole: float, memory_bytes: float) -> float:
    """Return the rate of attention over that in 16 bits [1]."""
    return NARROW_ATTENTION if whole and memory_bytes > ULTRA_BYTES else 1.0


def spread_of(mixture: bool, generation: str) -> float:
    """Return the relative error of a step's time that four of five runs keep [1]."""
    if mixture:
        return EXPERTS_SPREAD
    return TPU_SPREAD if generation.startswith("tpu") else SPREAD
