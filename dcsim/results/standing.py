"""Which of several results is best, metric by metric and in all objectives at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from dcsim.errors import InputError
from dcsim.results import dictionary
from dcsim.results.comparison import Comparison, MetricRow
from dcsim.scenario.suggest import nearest

# What people choose by, unless they say otherwise.
_USUAL = ("jobs.*.finish", "site.energy", "site.cost", "site.carbon")
_TIE = 1e-9  # relative; less is rounding

Objective = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Winner:
    """The result at ``place`` is best in a metric, ``lead`` [1] ahead of the next one, relative to that.

    ``tied`` are the places of all results that are as good, within rounding or within noise.
    """

    metric: str
    title: str
    place: int
    lead: float
    tied: tuple[int, ...]


def objectives(comparison: Comparison, asked: Sequence[str] = ()) -> tuple[Objective, ...]:
    """Return (metric, "minimize" or "maximize") of what to choose by: ``asked`` for, or what people usually choose by.

    Raises
    ------
    InputError
        If a metric asked for is not in all results, or nobody knows which direction is better.
    """
    names = [row.name for row in comparison.rows if _whole(row)]
    if not asked:
        usual = [name for pattern in _USUAL for name in names if fnmatchcase(name, pattern)]
        return tuple((name, "minimize") for name in usual)
    return tuple(_objective(text, names) for text in asked)


def _objective(text: str, names: Sequence[str]) -> Objective:
    name, _, direction = text.partition(":")
    if name not in names:
        hint = nearest(name, names)
        expected = "a metric that all results have" + (f"; {hint}" if hint else "")
        raise InputError(f'--objective: found "{name}", expected {expected}')
    entry = dictionary.find(name)
    known = {"lower": "minimize", "higher": "maximize"}.get(entry.better if entry else "", "")
    direction = direction or known
    if direction not in ("minimize", "maximize"):
        raise InputError(f'--objective: found "{text}", expected {name}:minimize or {name}:maximize')
    return name, direction


def winners(comparison: Comparison, by: Sequence[Objective]) -> tuple[Winner, ...]:
    """Return the best result in each objective; none where there is one result only."""
    rows = [(comparison.row(name), direction) for name, direction in by]
    found = [_winner(row, direction) for row, direction in rows if row is not None and len(row.values) > 1]
    return tuple(winner for winner in found if winner is not None)


def undominated(comparison: Comparison, by: Sequence[Objective]) -> tuple[int, ...]:
    """Return the places of the results that no other one is as good as in all objectives and better in one."""
    columns = [_costs(row, direction) for name, direction in by if (row := comparison.row(name)) is not None]
    return pareto(list(zip(*columns, strict=True)) if columns else [])


def pareto(costs: Sequence[Sequence[float]]) -> tuple[int, ...]:
    """Return the places of the costs, less being better in each, that no other ones beat in all at once."""
    return tuple(place for place, cost in enumerate(costs) if not any(_beats(other, cost) for other in costs))


def _whole(row: MetricRow) -> bool:
    return all(value is not None and math.isfinite(value) for value in row.values)


def _costs(row: MetricRow, direction: str) -> list[float]:
    sign = 1.0 if direction == "minimize" else -1.0
    return [sign * value for value in row.values if value is not None]


def _winner(row: MetricRow, direction: str) -> Winner | None:
    if not _whole(row):
        return None
    costs = _costs(row, direction)
    best, second, *_ = sorted(range(len(costs)), key=costs.__getitem__)
    close = [place for place, cost in enumerate(costs) if abs(cost - costs[best]) <= _TIE * abs(costs[best])]
    tied = [place for place in range(len(costs)) if place in close or row.within_noise(best, place)]
    lead = abs(costs[best] / costs[second] - 1.0) if costs[second] else 0.0
    return Winner(row.name, row.title, best, lead, tuple(tied))


def _beats(first: Sequence[float], second: Sequence[float]) -> bool:
    pairs = list(zip(first, second, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
