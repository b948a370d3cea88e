"""What a search for the best points, or a ranking of axes, found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dcsim.results.rows import Row


@dataclass(frozen=True, slots=True)
class Candidate:
    """A point that the search looked at over the full horizon; ``values`` are its objectives, in their order."""

    changes: dict[str, Any]
    values: tuple[float, ...]
    feasible: bool
    row: Row


@dataclass(frozen=True)
class Found:
    """What a search found: all candidates, the best of them, and how many were dropped early or failed.

    ``best`` are those that no other one beats in every objective, among those that keep the constraints; of a single
    objective it is one.
    """

    objectives: tuple[tuple[str, str], ...]
    candidates: tuple[Candidate, ...]
    best: tuple[Candidate, ...]
    pruned: int
    failed: int

    @cached_property
    def points(self) -> tuple[Candidate, ...]:
        """The candidates, each point once: a search may propose one again, which is simulated once."""
        return tuple({candidate.row.key: candidate for candidate in self.candidates}.values())


@dataclass(frozen=True, slots=True)
class Effect:
    """How much an axis moves a metric, with half its 95 % interval.

    Of morris ``total`` is mu*, the mean absolute change of the metric over the whole range of the axis [unit of the
    metric], and ``other`` sigma, the spread of that change: large where the axis interacts or bends. Of sobol
    ``total`` is the share of the variance that goes when the axis is fixed [1], interactions included, and ``other``
    the share that it has alone.
    """

    axis: str
    total: float
    total_half: float
    other: float
    other_half: float


@dataclass(frozen=True)
class Ranking:
    """The effects of all axes on one metric, the largest first; ``low`` and ``high`` bound the metric [its unit]."""

    metric: str
    unit: str
    low: float
    high: float
    effects: tuple[Effect, ...]
