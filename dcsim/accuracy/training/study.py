"""Errors of runs that were left out of the fit: grouped halves, and one source group at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from dcsim.accuracy.score import quantile
from dcsim.accuracy.training.case import Case
from dcsim.accuracy.training.constants import Constants
from dcsim.accuracy.training.fit import fit
from dcsim.accuracy.training.predict import Facts, facts_of, seconds, subset
from dcsim.accuracy.training.setting import Setting, setting_of

Floats = NDArray[np.float64]

SPLITS = 4
"""How often runs are split into halves; every run is predicted once a split."""


@dataclass(frozen=True, slots=True)
class Study:
    """Relative errors of the same runs [1]: fitted on all, on the other half, on all other source groups."""

    settings: list[Setting]
    fitted: Floats
    halves: Floats
    """Shape (splits, runs)."""
    left_out: Floats


def halves_of(settings: Sequence[Setting], split: int) -> NDArray[np.bool_]:
    """Return which runs are in the first half: those of one source group, model, device and device count together."""
    keys = [
        "|".join(s.case.text(column) for column in ("source_group", "model", "device", "n_devices")) for s in settings
    ]
    return np.array([crc32(f"{split}|{key}".encode()) & 1 == 1 for key in keys])


def study(settings: Sequence[Setting], splits: int = SPLITS, left_out: bool = True) -> Study:
    """Fit and predict in all ways."""
    facts = facts_of(settings)
    everything = fit(facts).constants
    fitted = _errors(facts, everything)
    halves = []
    for split in range(splits):
        first, error = halves_of(settings, split), np.zeros(len(fitted))
        for inside in (first, ~first):
            constants = fit(subset(facts, inside)).constants
            error[~inside] = _errors(facts, constants)[~inside]
        halves.append(error)
    groups = np.array([s.case.text("source_group") for s in settings])
    without = np.zeros(len(fitted))
    for group in sorted(set(groups)) if left_out else ():
        inside = groups != group
        # Starting where the fit of all ended saves time; constants that no remaining run asks for are their priors.
        without[~inside] = _errors(facts, fit(subset(facts, inside), everything).constants)[~inside]
    return Study(list(settings), fitted, np.array(halves), without)


def _errors(facts: Facts, constants: Constants) -> Floats:
    return np.asarray(seconds(facts, constants) / facts.columns["target"] - 1.0)


def scored(errors: Floats) -> str:
    """Return median, mean, ninetieth percentile and worst of absolute errors as text."""
    sizes = sorted(np.abs(errors).tolist())
    if not sizes:
        return "no runs"
    shown = (median(sizes), fmean(sizes), quantile(sizes, 0.9), sizes[-1])
    return "  ".join(f"{100 * size:6.1f}" for size in shown)


def spearman(predicted: Floats, measured: Floats) -> float:
    """Return the rank correlation of two samples."""
    first, second = (np.argsort(np.argsort(sample)).astype(np.float64) for sample in (predicted, measured))
    return float(np.corrcoef(first, second)[0, 1])


def report(cases: Sequence[Case]) -> str:
    """Return all errors as text: over all, by kind of run, and by source group."""
    settings = [found for found in map(setting_of, cases) if isinstance(found, Setting)]
    found = study(settings)
    head = f"{'':28s}  runs  median    mean    90 %   worst"
    lines = []
    for title, errors in (
        ("fitted", found.fitted[None]),
        ("grouped halves", found.halves),
        ("one group left out", found.left_out[None]),
    ):
        lines += [f"{title}, errors in %", head]
        for name, chosen in kinds_of(settings).items():
            lines.append(f"{name:28s}  {chosen.sum():4d}  {scored(errors[:, chosen].ravel())}")
        lines.append("")
    lines += ["by source group: rank correlation; medians fitted, halves, left out", *_by_group(found)]
    return "\n".join(lines)


def kinds_of(settings: Sequence[Setting]) -> dict[str, NDArray[np.bool_]]:
    mixture = np.array([s.model.experts > 0 for s in settings])
    gpu = np.array(
        [s.sheet.generation in ("volta", "ampere", "hopper", "blackwell", "cdna2", "cdna3") for s in settings]
    )
    long = np.array([s.model.sequence > 16384 for s in settings])
    lora = np.array([s.plan.adapters > 0 for s in settings])
    return {
        "all": np.ones(len(settings), dtype=bool),
        "dense transformers on GPUs": gpu & ~mixture & ~lora,
        "mixtures of experts": mixture,
        "TPU": np.array([s.sheet.generation.startswith("tpu") for s in settings]),
        "long sequences": long,
        "adapters": lora,
    }


def _by_group(found: Study) -> list[str]:
    members: dict[str, list[int]] = defaultdict(list)
    for place, setting in enumerate(found.settings):
        members[setting.case.text("source_group")].append(place)
    lines = []
    for group, places in sorted(members.items()):
        measured = np.array([found.settings[place].target.step_s for place in places])
        ranks = spearman(measured * (1.0 + found.halves[0, places]), measured) if len(places) >= 5 else float("nan")
        medians = (
            median(np.abs(found.fitted[places]).tolist()),
            median(np.abs(found.halves[:, places]).ravel().tolist()),
            median(np.abs(found.left_out[places]).tolist()),
        )
        shown = "  ".join(f"{100 * size:6.1f}" for size in medians)
        lines.append(f"{group:28s}  {len(places):4d}  {ranks:6.3f}  {shown}")
    return lines
