"""The constants of the model: by device generation, by software era, and common to all; priors and where they are.

The fitted values are catalogue parts, written by ``analysis/fit_training.py``: one of kind ``generations`` for every
generation of devices, the section ``training`` of kind ``software`` for every era, and ``training`` of kind
``kernels`` for what is common.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Scale = Literal["log", "share"]


@dataclass(frozen=True, slots=True)
class Prior:
    """What a constant is before any run is seen, and by how much it may differ, on the scale on which it is fitted."""

    value: float
    spread: float
    scale: Scale = "log"


GENERATION: Mapping[str, Prior] = MappingProxyType(
    {
        "product16": Prior(0.75, 0.15, "share"),
        "product8": Prior(0.65, 0.15, "share"),
        "attention": Prior(0.45, 0.21, "share"),
        "memory": Prior(0.85, 0.18, "share"),
        "links": Prior(0.75, 0.18, "share"),
    }
)
"""By generation: see :class:`dcsim.catalogue.parts.Generation`.

Spreads are where errors of runs that the fit did not see are smallest: 1.5 times narrower or wider is no better.
"""

ERA: Mapping[str, Prior] = MappingProxyType(
    {
        "launch_us": Prior(8.0, 0.24),
        "traffic": Prior(0.8, 0.1),
        "hidden_tensor": Prior(0.4, 0.24, "share"),
        "hidden_data": Prior(0.8, 0.24, "share"),
        "step_ms": Prior(15.0, 0.32),
        "micro_ms": Prior(0.1, 0.5),
        "unstated": Prior(0.1, 0.4, "share"),
    }
)
"""By era: see :class:`dcsim.catalogue.parts.Training`."""

COMMON: Mapping[str, Prior] = MappingProxyType(
    {
        "depth": Prior(200.0, 0.2),
        "network": Prior(0.8, 0.2, "share"),
        "half_mb": Prior(2.0, 0.2),
        "jitter": Prior(0.006, 0.16),
        "passes": Prior(6.0, 0.12),
        "routed": Prior(20.0, 0.15),
        "power": Prior(0.7, 0.06),
        "flash2": Prior(0.8, 0.12, "share"),
        "maturing": Prior(0.3, 0.12),
        "hidden_expert": Prior(0.5, 0.25, "share"),
        # 1.2 ms forward and 2.1 ms backward on the host for 64 experts' products as fused kernels (NVIDIA/
        # TransformerEngine issue 2897, 2026), and as much for router, permutation and dispatch: an assumption.
        "experts_ms": Prior(6.6, 0.1),
    }
)
"""Common to all: see :class:`dcsim.catalogue.parts.Kernels`."""

OWN: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        # Large products in public micro-benchmarks: 0.82 of an A100's peak (NVIDIA), 0.73 and 0.65 of an H100's, 0.47
        # and 0.38 of an MI300X's (SemiAnalysis, 2024-12) (recalled); matrix units of TPUs run at 0.85 to 0.9 (MaxText),
        # those of the v5e beyond: its best run is at 0.87 in all, counting what runs again. Those of the v6e are 4.7
        # times as fast by its data sheet, little over 4 times in training (Google, Trillium TPU, 2024-12).
        "volta": {"product16": 0.78},
        "ampere": {"product16": 0.82},
        "hopper": {"product16": 0.72, "product8": 0.65, "memory": 0.75},
        "blackwell": {"product16": 0.60, "product8": 0.58},
        "cdna2": {"product16": 0.55},
        "cdna3": {"product16": 0.47, "product8": 0.38},
        "tpu": {"product16": 0.85, "product8": 0.80},
        "tpu-e": {"product16": 0.92, "product8": 0.80},
        "tpu-6": {"product16": 0.79, "product8": 0.80},
        # Kernels that are fused by hand or compiled move about half of what those of eager frameworks do; graphs take
        # launches off the host; XLA cuts products so that collectives run beside them. That hides less of the weights
        # of FSDP: Llama 3 70B is at 50 % of a TPU v6e's peak with 40,960 tokens a chip, at 46 % with 16,384
        # (tpu-recipes, 2025).
        "megatron-2021": {"launch_us": 30.0, "traffic": 0.65, "hidden_tensor": 0.3},
        "deepspeed-2022": {"launch_us": 30.0, "traffic": 0.65, "hidden_tensor": 0.3},
        "flash-2023": {"traffic": 1.0},
        "te-fp8-2024": {"launch_us": 5.0, "traffic": 0.6, "hidden_tensor": 0.6, "unstated": 0.0},
        "mlperf-2024": {"launch_us": 2.0, "traffic": 0.5, "hidden_tensor": 0.7, "step_ms": 3.0, "unstated": 0.0},
        "bridge-2026": {"launch_us": 2.0, "traffic": 0.5, "hidden_tensor": 0.7, "unstated": 0.0},
        "torchtitan-2024": {"launch_us": 5.0, "traffic": 0.55},
        "maxtext": {"launch_us": 2.0, "traffic": 0.8, "hidden_tensor": 0.75, "hidden_data": 0.6, "unstated": 0.9},
    }
)
"""Priors of single owners where more is known of them."""

DEFINED: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "megatron-2021": {"hidden_data": 0.0, "unstated": 1.0},
        "deepspeed-2022": {"hidden_data": 0.0, "unstated": 1.0},
        "torchtitan-2024": {"hidden_tensor": 0.0},
    }
)
"""Constants by definition of an era: gradients were reduced after the backward pass, unless weights were sharded.

All layers were recomputed before Korthikanti et al. (2022) recomputed parts of them.
"""

GENERATIONS = ("volta", "ampere", "hopper", "blackwell", "cdna2", "cdna3", "tpu", "tpu-e", "tpu-6", "gaudi")
ERAS = (
    "megatron-2021", "deepspeed-2022", "flash-2023", "te-fp8-2024", "mlperf-2024", "bridge-2026", "torchtitan-2024",
    "maxtext",
)  # fmt: skip

_TRAINED_ERA = ("launch_us", "traffic", "hidden_tensor", "hidden_data", "step_ms")
_EARLY_ERA = ("launch_us", "traffic", "hidden_tensor", "step_ms", "micro_ms")
FITTED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "volta": ("product16",),
        "ampere": ("product16", "attention", "memory", "links"),
        "hopper": ("product16", "product8", "attention", "memory", "links"),
        "blackwell": ("product16", "product8", "attention", "memory", "links"),
        "cdna2": (),
        "cdna3": ("product8",),
        "tpu": ("product16", "product8", "attention", "links"),
        "tpu-e": ("product16",),
        "tpu-6": ("product16",),
        "gaudi": ("product16",),
        "megatron-2021": _EARLY_ERA,
        "deepspeed-2022": _EARLY_ERA,
        "flash-2023": ("traffic", "hidden_data", "step_ms"),
        "te-fp8-2024": _TRAINED_ERA[1:],
        "mlperf-2024": _TRAINED_ERA,
        "bridge-2026": _TRAINED_ERA[1:],
        "torchtitan-2024": ("traffic", "hidden_data", "step_ms"),
        "maxtext": ("traffic", "hidden_tensor", "hidden_data", "step_ms", "unstated"),
        "": tuple(COMMON),
    }
)
"""The constants that are fitted, by owner, "" for those that are common; all others keep their prior."""

Number = float | NDArray[np.float64]
Constants = Mapping[str, Number]
"""By name: "ampere.product16", "flash-2023.launch_us", "depth". Arrays, of shape (sets, 1), are many sets at once."""


def prior_of(name: str) -> Prior:
    """Return the prior of a constant by its name."""
    owner, _, field = name.rpartition(".")
    common = {**GENERATION, **ERA, **COMMON}[field]
    own = OWN.get(owner, {}).get(field)
    return common if own is None else replace(common, value=own)


def value(constants: Constants, owner: str, field: str) -> Number:
    """Return a constant of a generation or an era, the prior's where none was fitted."""
    if field in DEFINED.get(owner, {}):
        return DEFINED[owner][field]
    name = f"{owner}.{field}" if owner else field
    found = constants.get(name)
    return prior_of(name).value if found is None else found


def shipped() -> dict[str, float]:
    """Return the constants of the catalogue."""
    from dcsim import catalogue
    from dcsim.catalogue.parts import Generation, Kernels, Software

    shelf = catalogue.Shelf()
    found: dict[str, float] = {}
    for name in GENERATIONS:
        generation = shelf.take(Generation, name)
        found |= {f"{name}.{field}": float(getattr(generation, field)) for field in GENERATION}
    for name in ERAS:
        training = shelf.take(Software, name).training
        found |= {f"{name}.{field}": float(getattr(training, field)) for field in ERA if training is not None}
    kernels = shelf.take(Kernels, "training")
    return found | {field: float(getattr(kernels, field)) for field in COMMON}
