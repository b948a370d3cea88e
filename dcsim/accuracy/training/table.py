"""The domain "training": runs predicted by the constants of the catalogue, as rows of a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from dcsim.accuracy.score import Row
from dcsim.accuracy.training import convolution
from dcsim.accuracy.training.case import Case, misread, read
from dcsim.accuracy.training.constants import FITTED, Constants, shipped
from dcsim.accuracy.training.convolution import Images, images_of
from dcsim.accuracy.training.predict import facts_of, parts_and_hidden
from dcsim.accuracy.training.setting import Setting, setting_of
from dcsim.estimate.habits import spread_of

SHIPPED: Final = Path(__file__).parents[1] / "cases" / "training.csv"
"""The runs that the constants were fitted to."""

_HIDDEN = "hidden_"
_STYLES = (("expert", "experts"), ("context", "context"), ("pipeline", "pipeline"), ("tensor", "tensor"))


def score_runs(file: Path | None) -> tuple[list[Row], dict[str, str]]:
    """Return the rows of the runs in ``file``, the shipped ones if None, and facts about the prediction.

    Raises
    ------
    InputError
        If the file is no table of runs.
    """
    cases = read(file or SHIPPED)
    known = {case.id: case for case in (cases if file is None else read(SHIPPED))}
    rows = rows_of(cases, shipped(), known)
    fitted = sum(row.fitted for row in rows)
    facts = {
        "constants": "catalogue: generations, software, kernels",
        "fitted": f"{fitted} of {len(rows)} rows are among those that the constants were fitted to",
    }
    strange = misread(cases)
    return rows, facts | ({"ignored": strange} if strange else {})


def rows_of(cases: Sequence[Case], constants: Constants, fitted: Mapping[str, Case]) -> list[Row]:
    """Return one row a case, in their order; ``fitted`` are the cases that the constants were fitted to, by id."""
    settings = [_setting(case) for case in cases]
    found = [setting for setting in settings if isinstance(setting, Setting)]
    with np.errstate(all="ignore"):  # what does not fit together gives no finite time and is refused below
        steps = iter(_steps(found, constants))
    rows = []
    for case, setting in zip(cases, settings, strict=True):
        same = fitted.get(case.id)
        seen = same is not None and same.text("value") == case.text("value")
        if isinstance(setting, str):
            rows.append(_without(case, setting, seen))
        elif isinstance(setting, Setting):
            rows.append(_row(case, (setting, style_of(setting)), next(steps), seen))
        else:
            step = {"step": convolution.seconds(setting, constants)}
            rows.append(_row(case, (setting, "images"), step, False))
    return rows


def _steps(settings: Sequence[Setting], constants: Constants) -> list[dict[str, float]]:
    """Return the parts of every step [s], and as "hidden_" with a part's name what of its messages takes no time."""
    if not settings:
        return []
    found, covered = parts_and_hidden(facts_of(settings), constants)
    found |= {f"{_HIDDEN}{name}": times for name, times in covered.items()}
    return [{name: float(part[place]) for name, part in found.items()} for place in range(len(settings))]


def _setting(case: Case) -> Setting | Images | str:
    try:
        return images_of(case) or setting_of(case)
    except (ValueError, ZeroDivisionError, OverflowError, KeyError) as error:
        return f"the row does not fit together: {error}"


def _row(case: Case, run: tuple[Setting | Images, str], step: Mapping[str, float], seen: bool) -> Row:
    """Return the row of a run whose step has the parts ``step`` [s]; they are columns of their own."""
    setting, style = run
    target = setting.target
    step_s = sum(seconds for name, seconds in step.items() if not name.startswith(_HIDDEN))
    if not np.isfinite(step_s) or step_s <= 0.0:
        return _without(case, "the row does not fit together: no finite step time", seen)
    predicted = target.of_step(step_s)
    spread = _spread(setting)
    low, high = sorted((target.of_step(step_s / (1.0 + spread)), target.of_step(step_s * (1.0 + spread))))
    groups = {
        "source_group": case.text("source_group") or "unnamed",
        "device": setting.sheet.name,
        "style": style,
        "era": setting.era,
        "provenance": "calibrated" if FITTED.get(setting.sheet.generation) else "first-principles",
    }
    given = (case.id, target.metric, target.unit, target.measured, predicted, low, high, seen)
    return Row(*given, groups=groups, more={_column(name): part for name, part in step.items()})


def _column(part: str) -> str:
    """Return the column of a part: those of parts end in _s and sum to the step, what is hidden is beside them."""
    return f"{part}_seconds" if part.startswith(_HIDDEN) else f"{part}_s"


def _spread(run: Setting | Images) -> float:
    """Return the relative error that four of five runs of a kind keep where the fit did not see them [1].

    By the study of grouped halves (``analysis/fit_training.py --study``), rounded up.
    """
    if isinstance(run, Images):
        return 0.30
    if run.plan.adapters and not run.model.experts:
        return 0.22
    return spread_of(run.model.experts > 0, run.sheet.generation)


def style_of(setting: Setting) -> str:
    """Return the parallel style of a run by what it splits beside the batch."""
    plan = setting.plan
    names = [name for field, name in _STYLES if getattr(plan, field) > 1]
    if setting.model.experts and "experts" not in names:
        names.insert(0, "experts")
    sharded = "sharded" if plan.sharding >= 2 else "data"
    return " + ".join(names) if names else sharded


def _without(case: Case, reason: str, seen: bool) -> Row:
    measured = case.positive("step_s") or case.positive("value") or float("nan")
    metric = "step_s" if case.positive("step_s") else case.text("metric") or "step_s"
    groups = {
        "source_group": case.text("source_group") or "unnamed",
        "device": case.text("device") or "unknown",
        "style": "unknown",
        "era": "unknown",
        "provenance": "none",
    }
    unit = "s" if metric == "step_s" else ""
    return Row(case.id, metric, unit, measured, None, fitted=seen, reason=reason, groups=groups)
