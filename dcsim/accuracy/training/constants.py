"""The constants of the model: by device generation, by software era, and common to all; priors and where they are.

The fitted values are catalogue parts, written by ``analysis/fit_training.py``: one of kind ``generations`` for every
generation of devices, the section ``training`` of kind ``software`` for every era, and ``training`` of kind
``kernels`` for what is common.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
        "product16": Prior(0.75, 0.5, "share"),
        "product8": Prior(0.62, 0.5, "share"),
        "attention": Prior(0.55, 0.6, "share"),
        "memory": Prior(0.80, 0.4, "share"),
        "links": Prior(0.75, 0.5, "share"),
    }
)
"""By generation: see :class:`dcsim.catalogue.parts.Generation`."""

ERA: Mapping[str, Prior] = MappingProxyType(
    {
        "launch_us": Prior(8.0, 0.8),
        "traffic": Prior(1.0, 0.4),
        "hidden_tensor": Prior(0.3, 1.0, "share"),
        "hidden_data": Prior(0.7, 1.0, "share"),
        "step_ms": Prior(20.0, 1.0),
        "routing_us": Prior(300.0, 1.2),
        "unstated": Prior(0.1, 1.0, "share"),
    }
)
"""By era: see :class:`dcsim.catalogue.parts.Training`."""

COMMON: Mapping[str, Prior] = MappingProxyType(
    {
        "depth": Prior(200.0, 0.5),
        "network": Prior(0.8, 0.5, "share"),
        "half_mb": Prior(1.0, 0.7),
        "jitter": Prior(0.006, 0.7),
        "passes": Prior(6.0, 0.3),
        "routed": Prior(8.0, 0.4),
        "power": Prior(0.7, 0.4),
        "flash2": Prior(0.6, 0.3, "share"),
    }
)
"""Common to all: see :class:`dcsim.catalogue.parts.Kernels`."""

FUSED = MappingProxyType({"megatron-2021": 0.0, "deepspeed-2022": 0.0})
"""Eras whose attention is not one kernel; all others fuse."""

OLDER_ATTENTION = frozenset({"flash-2023", "torchtitan-2024"})
"""Eras whose fused attention was written for Ampere: FlashAttention-2 and its like on later GPUs."""

HIDDEN_PIPELINE = MappingProxyType({"megatron-2021": 0.0, "deepspeed-2022": 0.0, "torchtitan-2024": 0.0})
"""Eras whose stages wait for their messages; others send beside computation."""

GENERATIONS = ("volta", "ampere", "hopper", "blackwell", "cdna2", "cdna3", "tpu", "gaudi")
ERAS = (
    "megatron-2021", "deepspeed-2022", "flash-2023", "te-fp8-2024", "mlperf-2024", "bridge-2026", "torchtitan-2024",
    "maxtext",
)  # fmt: skip

_TRAINED_ERA = ("launch_us", "traffic", "hidden_tensor", "hidden_data", "step_ms")
FITTED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "volta": ("product16",),
        "ampere": ("product16", "attention", "memory", "links"),
        "hopper": ("product16", "product8", "attention", "memory", "links"),
        "blackwell": ("product16", "product8", "attention", "memory", "links"),
        "cdna2": (),
        "cdna3": ("product8",),
        "tpu": ("product16", "product8", "attention", "memory", "links"),
        "gaudi": ("product16",),
        "megatron-2021": _TRAINED_ERA,
        "deepspeed-2022": _TRAINED_ERA,
        "flash-2023": ("launch_us", "traffic", "hidden_data", "step_ms"),
        "te-fp8-2024": (*_TRAINED_ERA, "routing_us", "unstated"),
        "mlperf-2024": (*_TRAINED_ERA, "unstated"),
        "bridge-2026": (*_TRAINED_ERA, "routing_us", "unstated"),
        "torchtitan-2024": _TRAINED_ERA,
        "maxtext": ("traffic", "hidden_tensor", "hidden_data", "step_ms", "routing_us", "unstated"),
        "": tuple(COMMON),
    }
)
"""The constants that are fitted, by owner, "" for those that are common; all others keep their prior."""

Number = float | NDArray[np.float64]
Constants = Mapping[str, Number]
"""By name: "ampere.product16", "flash-2023.launch_us", "depth". Arrays, of shape (sets, 1), are many sets at once."""


def prior_of(name: str) -> Prior:
    """Return the prior of a constant by its name."""
    field = name.rpartition(".")[2]
    return {**GENERATION, **ERA, **COMMON}[field]


def value(constants: Constants, owner: str, field: str) -> Number:
    """Return a constant of a generation or an era, the prior's where none was fitted."""
    return constants.get(f"{owner}.{field}" if owner else field, prior_of(field).value)


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
