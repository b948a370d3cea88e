"""The domain "collectives": every case with its prediction, and how far predictions are off in which part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from dcsim.accuracy import score
from dcsim.accuracy.collectives import baseline
from dcsim.accuracy.collectives.case import Case, fitted_keys, read
from dcsim.accuracy.collectives.predict import Prediction, data_sheet_s, factor, measured_s, predict
from dcsim.accuracy.collectives.system import link_of
from dcsim.accuracy.score import Row
from dcsim.catalogue import Shelf

_MIB: Final = 2.0**20
_ONE_SMALL, _ONE_LARGE, _ACROSS = "one node, below 1 MiB", "one node, from 1 MiB", "across nodes"
# The interval is the prediction over and times one more than this: about nine of ten held-out shipped cases lie inside.
_SPREAD: Final = MappingProxyType({_ONE_SMALL: 0.2, _ONE_LARGE: 0.18, _ACROSS: 0.35})
_UNSEEN: Final = 2.0  # times as wide for links on which nothing was fitted
_FITTED_LINKS: Final = ("nvlink3", "nvlink4", "nvlink5")
FITTED, HELD_OUT, UNSEEN, FLAGGED = "fitted", "held out", "held out, no row of its system fitted", "flagged"


def score_cases(path: Path | None) -> tuple[list[Row], dict[str, Any]]:
    """Return a row for every case of a table, the shipped one if none is given, and facts on all.

    Raises
    ------
    InputError
        If the table cannot be read.
    """
    cases, shelf = read(path), Shelf()
    fitted = fitted_keys()
    systems = {(case.text("system"), case.text("source")) for case in read(None) if case.key in fitted}
    predictions = [predict(case, shelf) for case in cases]
    rows = []
    for case, prediction in zip(cases, predictions, strict=True):
        own = (case.text("system"), case.text("source")) in systems
        rows.append(_row(case, prediction, _Part(shelf, case.key in fitted, own)))
    return rows, _facts(cases, rows, shelf)


class _Part:
    """What is known of how a case was used: whether parameters were fitted on it, or on others of its system."""

    def __init__(self, shelf: Shelf, fitted: bool, own: bool) -> None:
        self.shelf, self.fitted, self.own = shelf, fitted, own

    def of(self, case: Case) -> str:
        """Return the part of the cases in which it is scored."""
        if case.flagged:
            return FLAGGED
        return FITTED if self.fitted else HELD_OUT if self.own else UNSEEN


def _row(case: Case, prediction: Prediction, part: _Part) -> Row:
    predicted = prediction.seconds if case.timed else prediction.rate
    value = None if predicted is None else predicted / case.scale
    place = _place(case)
    link = link_of(case, part.shelf)
    spread = _SPREAD[place] * (1.0 if link in _FITTED_LINKS else _UNSEEN)
    return Row(
        id=case.id,
        metric=case.row["metric"],
        unit=case.row["metric"].rpartition("_")[2].replace("GBps", "GB/s"),
        measured=case.value,
        predicted=value,
        low=None if value is None else value / (1.0 + spread),
        high=None if value is None else value * (1.0 + spread),
        fitted=part.fitted,
        reason=prediction.reason,
        naive=_naive(case, part.shelf),
        groups={
            "part": part.of(case),
            "place": place,
            "scored": f"{part.of(case)}: {place}",
            "collective": case.row["collective"],
            "device": case.row.get("gpu") or "not stated",
            "source_group": (case.row.get("source") or "").partition(":")[0],
            "link": link,
            "algorithm": prediction.algorithm,
        },
        more=_times(case, prediction),
    )


def _times(case: Case, prediction: Prediction) -> Mapping[str, float | None]:
    """Return times beside what was measured: errors of times are what is scored, whatever the metric."""
    measured = measured_s(case)
    seconds = prediction.seconds if measured is not None else None
    if seconds is not None and measured is not None:
        error: float | None = seconds / measured - 1.0
    elif prediction.rate is not None and not case.timed:
        error = case.value * case.scale / prediction.rate - 1.0
    else:
        error = None
    return {"measured_s": measured, "predicted_s": seconds, "time_error": error}


def _naive(case: Case, shelf: Shelf) -> float | None:
    seconds = data_sheet_s(case, shelf)
    if seconds is None:
        return None
    if case.timed:
        return seconds / case.scale
    return (case.size_bytes or 16 * 2.0**30) * factor(case) / seconds / case.scale


def _place(case: Case) -> str:
    if (case.nodes or 1) > 1:
        return _ACROSS
    return _ONE_SMALL if (case.size_bytes or _MIB) < _MIB else _ONE_LARGE


def _facts(cases: Sequence[Case], rows: Sequence[Row], shelf: Shelf) -> dict[str, Any]:
    found: dict[str, Any] = {"error": "of times, predicted over measured less one; time_error of a row"}
    parts = dict.fromkeys((FITTED, HELD_OUT, UNSEEN, FLAGGED))
    places = (_ONE_LARGE, _ONE_SMALL, _ACROSS)
    found["time"] = {
        f"{part}: {place}": asdict(score.score(errors))
        for part in parts
        for place in places
        if (errors := _errors(rows, part, place))
    }
    found["not_fitted"] = {
        place: asdict(score.score(_errors(rows, HELD_OUT, place) + _errors(rows, UNSEEN, place))) for place in places
    }
    good = [case for case, row in zip(cases, rows, strict=True) if (row.groups or {})["part"] != FLAGGED]
    found["baselines"] = {
        name: {place: asdict(score.score(errors[place])) for place in places if errors[place]}
        for name, errors in baseline.errors(good, shelf, _place).items()
    }
    return found


def _errors(rows: Sequence[Row], part: str, place: str) -> list[float | None]:
    chosen = [row for row in rows if row.groups and (row.groups["part"], row.groups["place"]) == (part, place)]
    return [(row.more or {}).get("time_error") for row in chosen]


def text(rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    """Return the scores as text for a terminal."""
    head = ("errors of times", "rows", "median", "mean", "90 %", "worst", "coverage")
    lines: list[tuple[str, ...]] = [head]
    for name, scores in (("", facts["time"]), ("all not fitted: ", facts["not_fitted"])):
        lines += [score.scored(name + label, found) for label, found in scores.items() if found["rows"]]
    for name, scores in facts["baselines"].items():
        lines += [score.scored(f"{name}: {label}", found) for label, found in scores.items()]
    for key in ("collective", "device", "source_group"):
        lines.append(("", "", "", "", "", "", ""))
        chosen = [row for row in rows if (row.groups or {})["part"] in (HELD_OUT, UNSEEN)]
        for value in dict.fromkeys((row.groups or {})[key] for row in chosen):
            own = [(r.more or {}).get("time_error") for r in chosen if (r.groups or {})[key] == value]
            lines.append(score.scored(value, asdict(score.score(own))))
    missing = [f"{row.id}: not predicted: {row.reason}" for row in rows if row.predicted is None]
    return "\n".join([score.columns(lines), *missing])
