"""Several results beside each other: metrics, differences to the first, and the inputs that differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dcsim.errors import InputError
from dcsim.results import dictionary
from dcsim.results.known_errors import Basis, of_result
from dcsim.results.result import Metric, Result
from dcsim.results.statistics import Interval, paired_difference

if TYPE_CHECKING:
    import pandas as pd

_ABSENT = "-"
_NO_TIME_S = 1e-15  # a shorter time is what rounding left of a difference of two clock readings


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric of every result; None where a result has no such metric.

    ``samples`` are the values of each result's replications [unit], empty where there is one only.
    """

    name: str
    title: str
    unit: str
    metrics: tuple[Metric | None, ...]
    samples: tuple[tuple[float, ...], ...] = ()

    def pair(self, first: int, second: int) -> Interval | None:
        """Return the 95 % interval of the mean of second - first over replications with the same random numbers.

        None where either has no replications, or another number of them.
        """
        found = [self.samples[place] if self.samples else () for place in (first, second)]
        if len(found[0]) < 2 or len(found[0]) != len(found[1]):
            return None
        return paired_difference(found[0], found[1])

    def within_noise(self, first: int, second: int) -> bool:
        """Return whether a difference cannot be told from none: its paired interval has a width, and holds zero."""
        pair = None if first == second else self.pair(first, second)
        if pair is None or pair.low is None or pair.high is None:
            return False
        return pair.low < pair.high and pair.low <= 0.0 <= pair.high

    @property
    def noisy(self) -> bool:
        """Whether any difference to the first is within noise."""
        return any(self.within_noise(0, place) for place in range(len(self.metrics)))

    @property
    def values(self) -> tuple[float | None, ...]:
        """The values [unit]."""
        return tuple(None if metric is None else _settled(metric) for metric in self.metrics)

    @property
    def differences(self) -> tuple[float | None, ...]:
        """Each value relative to the first, minus one; None where that is no number."""
        first = self.values[0]
        return tuple(_relative(first, value) for value in self.values)

    def differs(self, tolerance: float = 0.0) -> bool:
        """Return whether any value differs from the first by more than ``tolerance``, relative to the first."""
        pairs = zip(self.values, self.differences, strict=True)
        first = self.values[0]
        return any(not _same(first, value) and (change is None or abs(change) > tolerance) for value, change in pairs)


@dataclass(frozen=True, slots=True)
class InputRow:
    """One key of the scenario whose value is not the same everywhere; "-" where a scenario has no such key."""

    path: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Results of several scenarios or runs, the first being what the others are compared with."""

    labels: tuple[str, ...]
    results: tuple[Result, ...]
    rows: tuple[MetricRow, ...]
    inputs: tuple[InputRow, ...]

    def row(self, name: str) -> MetricRow | None:
        """Return the row of the metric ``name``, None where no result has it."""
        return next((row for row in self.rows if row.name == name), None)

    def rests_on(self, name: str) -> dict[str, Basis]:
        """Return what the metric ``name`` rests on in every result that has it, by label."""
        pairs = zip(self.labels, self.results, strict=True)
        return {label: of_result(one, name) for label, one in pairs if name in one.metrics}

    @property
    def frame(self) -> pd.DataFrame:
        """The metrics as a pandas frame, a row a result; their units are in ``frame.attrs["units"]``."""
        import pandas as pd

        frame = pd.DataFrame({row.name: row.values for row in self.rows}, index=pd.Index(self.labels, name="result"))
        frame.attrs["units"] = {row.name: row.unit for row in self.rows}
        return frame

    @property
    def axis(self) -> str:
        """The path of the only input that differs, if the labels are its values; else nothing."""
        if len(self.inputs) != 1:
            return ""
        (only,) = self.inputs
        named = all(_alike(label, value) for label, value in zip(self.labels, only.values, strict=True))
        return only.path if named else ""

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scope by which every result counts the carbon of its electricity, "-" where it is not known."""
        return tuple(str(result.manifest.get("carbon_scope") or _ABSENT) for result in self.results)

    @property
    def warning(self) -> str:
        """What makes the results hard to compare; nothing if they can be."""
        if len(set(self.scopes)) < 2:
            return ""
        listed = "; ".join(f"{scope} in {label}" for label, scope in zip(self.labels, self.scopes, strict=True))
        return f"carbon is counted by different scopes and cannot be compared: {listed}"

    def as_dict(self) -> dict[str, Any]:
        """Return what ``dcsim compare --json`` writes; a value that is no number is null."""
        metrics = {
            row.name: {
                "unit": row.unit,
                "values": [_finite(v) for v in row.values],
                "differences": list(row.differences),
                "within_noise": [row.within_noise(0, place) for place in range(len(row.values))],
                "rests_on": {label: basis.short for label, basis in self.rests_on(row.name).items()},
            }
            for row in self.rows
        }
        inputs = {row.path: list(row.values) for row in self.inputs}
        return {"labels": list(self.labels), "metrics": metrics, "inputs": inputs}


def compare(results: Sequence[Result], labels: Sequence[str] = ()) -> Comparison:
    """Compare results with the first of them.

    ``labels`` name the results in tables and figures; their names and, where these are equal, digests do unless given.

    Raises
    ------
    InputError
        If there is no result, or the number of labels is not that of the results.
    """
    if not results:
        raise InputError("nothing to compare: name at least one scenario or run")
    if labels and len(labels) != len(results):
        raise InputError(f"{len(results)} results cannot carry {len(labels)} labels")
    return Comparison(
        labels=tuple(labels) or _labels(results), results=tuple(results), rows=_rows(results), inputs=_inputs(results)
    )


def _labels(results: Sequence[Result]) -> tuple[str, ...]:
    names = [result.name for result in results]
    if len(set(names)) == len(names):
        return tuple(names)
    labels = [f"{result.name} {result.digest[:8]}".strip() for result in results]
    if len(set(labels)) == len(labels):
        return tuple(labels)
    return tuple(f"{label} #{place}" for place, label in enumerate(labels, 1))


def _rows(results: Sequence[Result]) -> tuple[MetricRow, ...]:
    names = sorted({name for result in results for name in result.metrics}, key=dictionary.order)
    rows, samples = [], [_samples(result) for result in results]
    for name in names:
        metrics = tuple(result.metrics.get(name) for result in results)
        unit = next(metric.unit for metric in metrics if metric is not None)
        replicated = tuple(found.get(name, ()) for found in samples)
        rows.append(MetricRow(name, dictionary.title(name), unit, metrics, replicated))
    return tuple(rows)


def _samples(result: Result) -> dict[str, tuple[float, ...]]:
    """Return the values of every metric over the replications, in their order; nothing of a single one."""
    if "replications" not in result.tables:
        return {}
    frame = result.tables["replications"].sort_values("replication", kind="stable")
    return {str(name): tuple(map(float, values)) for name, values in frame.groupby("metric")["value"]}


def _settled(metric: Metric) -> float:
    return 0.0 if metric.unit == "s" and abs(metric.value) < _NO_TIME_S else metric.value


def _same(first: float | None, value: float | None) -> bool:
    """Return whether two values are equal, as two that are no numbers are."""
    return first == value or (first is not None and value is not None and math.isnan(first) and math.isnan(value))


def _alike(label: str, value: str) -> bool:
    """Return whether a label says the same as the value of an input: "1" and "1.0" do."""
    try:
        return float(label) == float(value)
    except ValueError:
        return label == value


def _relative(first: float | None, value: float | None) -> float | None:
    if first is None or value is None or not (math.isfinite(first) and math.isfinite(value)):
        return None
    if first == value:
        return 0.0
    return value / first - 1.0 if first else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _inputs(results: Sequence[Result]) -> tuple[InputRow, ...]:
    flat = [dict(_flatten(_parse(result.scenario_text))) for result in results]
    paths = dict.fromkeys(path for each in flat for path in each)
    rows = (InputRow(path, tuple(each.get(path, _ABSENT) for each in flat)) for path in paths)
    return tuple(row for row in rows if len(set(row.values)) > 1)


def _parse(text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise InputError(f"the scenario kept with a run is no YAML ({error})") from error


def _flatten(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (dotted path, text) of every leaf; items of a list are named by their ``name``, else by their place."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flatten(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for place, item in enumerate(value):
            name = item.get("name", place) if isinstance(item, dict) else place
            yield from _flatten(item, f"{path}.{name}")
    elif value is not None:
        yield path, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
