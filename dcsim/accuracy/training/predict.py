"""Predictions of many runs at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from dcsim.accuracy.training.constants import (
    COMMON,
    ERA,
    GENERATION,
    Constants,
    value,
)
from dcsim.accuracy.training.era import year_of
from dcsim.accuracy.training.setting import Setting
from dcsim.compute.kernels import Chip
from dcsim.estimate.habits import (
    DUAL_PIPELINE,
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
    hidden_data,
)
from dcsim.estimate.hidden import hidden_seconds
from dcsim.estimate.messages import Links
from dcsim.estimate.training import layers_of, step_parts
from dcsim.estimate.work import Habits, Work
from dcsim.parallel.adapters import Adapters
from dcsim.parallel.context import Context
from dcsim.parallel.parallelism import Parallelism, Precision
from dcsim.parallel.routing import Routing
from dcsim.parallel.shape import Shape

Floats = NDArray[np.float64]

_RANK = 16.0
"""Width of adapters, of attention alone: MLPerf Training's fine-tuning of Llama 2 70B, v4.0 to v5.0."""


@dataclass(frozen=True)
class Facts:
    """The settings of many runs as arrays, apart from constants; built once, evaluated for many constants."""

    shape: Shape
    plan: Parallelism
    precision: Precision
    columns: dict[str, Floats]
    generations: tuple[str, ...]
    eras: tuple[str, ...]
    generation: NDArray[np.int64]
    era: NDArray[np.int64]


def facts_of(settings: Sequence[Setting]) -> Facts:
    """Return settings as arrays of shape (runs,)."""

    def column(values: Sequence[float]) -> Floats:
        return np.array(values, dtype=np.float64)

    shape = Shape(**{f.name: column([getattr(s.model, f.name) for s in settings]) for f in fields(Shape)})
    plan = Parallelism(**{f.name: column([getattr(s.plan, f.name) for s in settings]) for f in fields(Parallelism)})
    precision = Precision(
        activation_bytes=column([2.0] * len(settings)),
        **{
            name: column([getattr(s.formats, name) for s in settings])
            for name in ("narrow", "block", "gathered_bytes", "weight_bytes", "gradient_bytes", "dispatch_bytes")
        },
    )
    columns = {
        "rate": column([s.formats.rate for s in settings]),
        **{
            name: column([getattr(s.sheet, name) for s in settings])
            for name in ("rate16", "bandwidth", "cores", "power")
        },
        **{
            name: column([getattr(s, name) for s in settings])
            for name in ("link", "half", "network", "domain", "slowed")
        },
        "unstated": column([s.plan.unstated for s in settings]),
        "target": column([s.target.step_s for s in settings]),
        "stopped": column([1.0 * (s.era in STOPPED and not s.early) for s in settings]),
        "added": column([_added(s) for s in settings]),
        "fused": column([s.fused for s in settings]),
        "backward": column([attention_backward(s.era, s.fused) for s in settings]),
        "age": column([s.age for s in settings]),
        "gathered": column([1.0 * (s.era == "mlperf-2024" and s.plan.adapters > 0) for s in settings]),
        "async": column([s.asynchronous for s in settings]),
        "eager": column([s.eager for s in settings]),
        "whole": column([s.mixing.whole for s in settings]),
        "once": column([s.mixing.once for s in settings]),
        "launched": column([s.mixing.launched for s in settings]),
        "gain": column([attention_gain(s.mixing.whole, s.sheet.memory) for s in settings]),
        "interleaved": column([1.0 * (s.era in INTERLEAVED_DISPATCH) for s in settings]),
        "older": column([1.0 * s.older for s in settings]),
        "crowded": column([crowded_bytes(s.era, s.sheet.memory) for s in settings]),
        "hidden_expert": column([DUAL_PIPELINE * s.plan.zero_bubble for s in settings]),
        "hidden_pipeline": column([HIDDEN_PIPELINE.get(s.era, MODERN_PIPELINE) for s in settings]),
    }
    generations = tuple(sorted({s.sheet.generation for s in settings}))
    eras = tuple(sorted({s.era for s in settings}))
    return Facts(
        shape, plan, precision, columns, generations, eras,
        np.array([generations.index(s.sheet.generation) for s in settings], dtype=np.int64),
        np.array([eras.index(s.era) for s in settings], dtype=np.int64),
    )  # fmt: skip


def _added(setting: Setting) -> float:
    formats, year = setting.formats, year_of(setting.case.text("release"))
    return added_bytes(setting.era, formats.weight_bytes, formats.sum_bytes, year)


def work_of(facts: Facts, constants: Constants) -> Work:
    """Return the arguments of the model for some constants."""
    of_generation = {field: _owned(constants, facts.generations, field)[..., facts.generation] for field in GENERATION}
    of_era = {field: _owned(constants, facts.eras, field)[..., facts.era] for field in ERA}
    common = {field: np.asarray(value(constants, "", field)) for field in COMMON}
    one = np.ones_like(facts.columns["rate"])
    return Work(
        facts.shape, _plan(facts, of_era["unstated"]), facts.precision, _chip(facts, of_generation, common),
        _links(facts, of_generation["links"], common),
        Habits(
            launch_s=of_era["launch_us"] * 1e-6,
            traffic=of_era["traffic"] * facts.columns["eager"],
            fused=facts.columns["fused"],
            backward=facts.columns["backward"],
            stopped=facts.columns["stopped"],
            added=facts.columns["added"],
            passes=common["passes"] * one,
            hidden_tensor=1.0 - (1.0 - of_era["hidden_tensor"]) * (1.0 - facts.columns["async"]),
            hidden_data=hidden_data(of_era["hidden_data"], facts.plan.sharding),
            hidden_pipeline=facts.columns["hidden_pipeline"],
            hidden_expert=np.maximum(
                facts.columns["hidden_expert"], facts.columns["whole"] * common["hidden_expert"]
            ),
            hidden_far=facts.columns["interleaved"] * common["hidden_expert"],
            merged=facts.columns["whole"],
            step_s=of_era["step_ms"] * 1e-3,
            micro_s=of_era["micro_ms"] * 1e-3,
            experts_s=common["experts_ms"] * 1e-3 * facts.columns["launched"],
            routed=common["routed"] * np.exp(-common["maturing"] * facts.columns["age"]),
            jitter=common["jitter"] * one,
            crowded=facts.columns["crowded"],
        ),
        routing=Routing(np.full_like(one, np.inf), one, np.zeros_like(one), facts.columns["once"]),
        context=Context(gathered=facts.columns["gathered"], in_order=0.0 * one),
        adapters=Adapters(_RANK * one, facts.plan.adapters, 0.0 * one),
    )  # fmt: skip


def _owned(constants: Constants, owners: Sequence[str], field: str) -> Floats:
    """Return a constant of every owner, shape (owners,), or (sets, owners) where there are many sets of constants."""
    found = [np.asarray(value(constants, owner, field), dtype=np.float64) for owner in owners]
    sets = max((one.shape[0] for one in found if one.ndim), default=0)
    if not sets:
        return np.array(found)
    return np.concatenate([np.broadcast_to(one, (sets, 1)) for one in found], axis=1)


def _plan(facts: Facts, unstated: Floats) -> Parallelism:
    given = {f.name: getattr(facts.plan, f.name) for f in fields(Parallelism)}
    blank = facts.columns["unstated"] > 0
    return Parallelism(**{**given, "recomputed": np.where(blank, unstated, given["recomputed"])})


def _chip(facts: Facts, shares: dict[str, Floats], common: dict[str, Floats]) -> Chip:
    columns = facts.columns
    limited = columns["power"] ** common["power"]
    narrow = facts.precision.narrow > 0
    return Chip(
        rate=columns["rate"] * limited,
        rate16=columns["rate16"] * limited,
        bandwidth=columns["bandwidth"],
        cores=columns["cores"],
        product=np.where(narrow, shares["product8"], shares["product16"]),
        product16=shares["product16"],
        attention=shares["attention"] * np.where(columns["older"] > 0, common["flash2"], columns["gain"]),
        memory=shares["memory"],
        depth=common["depth"] * np.ones_like(limited),
    )


def _links(facts: Facts, share: Floats, common: dict[str, Floats]) -> Links:
    columns = facts.columns
    one = np.ones_like(share)
    return Links(
        inside=columns["link"] * share,
        outside=columns["network"] * common["network"],
        domain=columns["domain"],
        hop_inside=HOP_INSIDE_S * one,
        hop_outside=HOP_OUTSIDE_S * one,
        half=common["half_mb"] * 1e6 * columns["half"],
    )


def parts(facts: Facts, constants: Constants) -> dict[str, Floats]:
    """Return the parts of every step [s]; they sum to the step time."""
    return _slowed(facts, step_parts(work_of(facts, constants)))


def parts_and_hidden(facts: Facts, constants: Constants) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return what :func:`parts` does, and what of the communication of every step computation covers, by part [s]."""
    work = work_of(facts, constants)
    mean = layers_of(work)
    return _slowed(facts, step_parts(work, mean)), hidden_seconds(work, mean)


def _slowed(facts: Facts, found: dict[str, Floats]) -> dict[str, Floats]:
    extra = facts.columns["slowed"] - 1.0
    return {**found, "jitter": found["jitter"] + extra * sum(found.values(), np.zeros_like(extra))}


def seconds(facts: Facts, constants: Constants) -> Floats:
    """Return every step time [s]."""
    found = parts(facts, constants)
    return np.asarray(sum(found.values(), np.zeros_like(facts.columns["rate"])))


def subset(facts: Facts, chosen: NDArray[np.bool_]) -> Facts:
    """Return some of the runs, and the owners of constants that they ask for."""

    def few(whole: object) -> dict[str, Floats]:
        return {f.name: getattr(whole, f.name)[chosen] for f in fields(whole)}  # type: ignore[arg-type]

    generations, generation = _few_owners(facts.generations, facts.generation[chosen])
    eras, era = _few_owners(facts.eras, facts.era[chosen])
    return Facts(
        Shape(**few(facts.shape)), Parallelism(**few(facts.plan)), Precision(**few(facts.precision)),
        {name: values[chosen] for name, values in facts.columns.items()}, generations, eras, generation, era,
    )  # fmt: skip


def _few_owners(names: Sequence[str], places: NDArray[np.int64]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    kept, inverse = np.unique(places, return_inverse=True)
    return tuple(names[place] for place in kept.tolist()), inverse.astype(np.int64)
