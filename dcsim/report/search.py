"""What a search or a ranking found: plain words with numbers, a scenario that is ready to run, and a figure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import Any

from dcsim import units
from dcsim.report.columns import columns
from dcsim.report.figures import searches
from dcsim.report.figures.drawing import Drawing
from dcsim.report.study import plain, short
from dcsim.results import known_errors, whole
from dcsim.results.search import Candidate, Found, Ranking
from dcsim.scenario.dump import dump
from dcsim.scenario.study import LoadedStudy

_SHOWN, _WIDTH = 12, 100


def write(loaded: LoadedStudy, found: Found | tuple[Ranking, ...], folder: Path) -> str:
    """Write what was found to the study's folder, and return what to tell."""
    return _write_found(loaded, found, folder) if isinstance(found, Found) else _write_rankings(loaded, found, folder)


def _write_found(loaded: LoadedStudy, found: Found, folder: Path) -> str:
    lines = [words(loaded, found)]
    if len(found.best) > 1:
        lines.append(_table(loaded, found))
    paths = [_scenario(loaded, best, folder / _name(number, found)) for number, best in enumerate(found.best, 1)]
    if paths:
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        lines.append(f"scenario {paths[0]}{more}")
    lines += [rests] if (rests := _resting(found)) else []
    whole.write(folder / "optimum.json", _optimum(found))
    lines += _figure(folder / "optimum.svg", lambda: _drawn(found))
    return "\n\n".join(lines)


def _resting(found: Found) -> str:
    """Return what the objectives of the best candidates rest on."""
    texts = [best.row.rests_on for best in found.best]
    bases = {metric: known_errors.of_points(texts, metric) for metric, _ in found.objectives}
    return fill(known_errors.line_of_points(bases), _WIDTH)


def words(loaded: LoadedStudy, found: Found) -> str:
    """Return a paragraph: what is best, by how much, what it takes, and how many were looked at."""
    again = f", in {len(found.candidates):,} proposals," if len(found.points) < len(found.candidates) else ""
    looked = f"{len(found.points):,} candidates{again} were simulated in full"
    looked += f", {found.pruned:,} dropped early" if found.pruned else ""
    looked += f", {found.failed:,} could not be simulated" if found.failed else ""
    feasible = [candidate for candidate in found.points if candidate.feasible]
    if loaded.study.constraints:
        looked += f"; {len(feasible):,} keep {' and '.join(loaded.study.constraints)}"
    if not found.best:
        return f"{loaded.study.study}: nothing found. {looked}."
    if len(found.best) > 1:
        names = " and ".join(metric for metric, _ in found.objectives)
        ends = " ".join(_end(found, place) for place in range(len(found.objectives)))
        return f"{loaded.study.study}: {len(found.best)} points trade {names} against each other. {ends} {looked}."
    (metric, direction), best = found.objectives[0], found.best[0]
    unit = best.row.metrics[metric][1]
    middle = median(candidate.values[0] for candidate in feasible)
    share = abs(best.values[0] / middle - 1.0) if middle else 0.0
    side = "below" if direction == "minimize" else "above"
    takes = ", ".join(f"{path} = {value}" for path, value in best.changes.items())
    gain = f", {share:.1%} {side} the median candidate ({units.show(middle, unit)})" if share else ""
    return (
        f"{loaded.study.study}: {metric} is best at {units.show(best.values[0], unit)}{gain}, with {takes}. {looked}."
    )


def _end(found: Found, place: int) -> str:
    """Return the best in one objective of those that trade: what it reaches in all, and what it takes."""
    metric, direction = found.objectives[place]
    sign = 1.0 if direction == "minimize" else -1.0
    best = min(found.best, key=lambda candidate: sign * candidate.values[place])
    others = ", ".join(f"{name} {_shown(best, name)}" for name, _ in found.objectives if name != metric)
    takes = ", ".join(f"{short(path)} = {plain(value)}" for path, value in best.changes.items())
    return f"Best {metric}: {_shown(best, metric)}, with {others}, at {takes}."


def _table(loaded: LoadedStudy, found: Found) -> str:
    metrics = [metric for metric, _ in found.objectives]
    head = [*(short(path) for path in loaded.study.axes), *metrics]
    rows = [
        [*(plain(value) for value in best.changes.values()), *(_shown(best, metric) for metric in metrics)]
        for best in found.best[:_SHOWN]
    ]
    return columns(head, rows, range(len(head)))


def _shown(candidate: Candidate, metric: str) -> str:
    value, unit, *_ = candidate.row.metrics[metric]
    return units.show(value if value is not None else float("nan"), unit)


def _name(number: int, found: Found) -> str:
    return "best.yaml" if len(found.best) == 1 else f"best-{number}.yaml"


def _scenario(loaded: LoadedStudy, best: Candidate, path: Path) -> Path:
    """Write the scenario of a candidate, resolved, so that it runs as it stands."""
    whole.write(path, dump(loaded.base.replace(best.changes, "axes").scenario))
    return path


def _optimum(found: Found) -> str:
    names = [metric for metric, _ in found.objectives]
    rows = [{"changes": c.changes, "objectives": dict(zip(names, c.values, strict=True))} for c in found.best]
    plain: dict[str, Any] = {"objectives": dict(found.objectives), "best": rows}
    plain |= {"candidates": len(found.points), "pruned": found.pruned, "failed": found.failed}
    return json.dumps(plain, indent=1) + "\n"


def _write_rankings(loaded: LoadedStudy, found: Sequence[Ranking], folder: Path) -> str:
    if not found:
        return f"{loaded.study.study}: no metric varies between the bounds of the axes."
    whole.write(folder / "sensitivity.json", _rankings(found))
    parts = [_ranking(loaded, ranking) for ranking in found[:_SHOWN]]
    return "\n\n".join([*parts, *_figure(folder / "sensitivity.svg", lambda: searches.tornado(found))])


def _ranking(loaded: LoadedStudy, ranking: Ranking) -> str:
    first = ranking.effects[0]
    span = f"{units.show(ranking.low, ranking.unit)} to {units.show(ranking.high, ranking.unit)}"
    head = f"{ranking.metric} goes from {span}; {first.axis} moves it most."
    names = ("axis", "share of variance, interactions included", "+-", "alone")
    written: Callable[[float], str] = "{:.1%}".format
    if loaded.study.sensitivity.method == "morris":
        names = ("axis", "mean change over the range", "+-", "spread of the change")
        written = partial(units.show, unit=ranking.unit)
    rows = [[e.axis, *map(written, (e.total, e.total_half, e.other))] for e in ranking.effects]
    return f"{head}\n{columns(names, rows, (1, 2, 3))}"


def _rankings(found: Sequence[Ranking]) -> str:
    return json.dumps([asdict(ranking) for ranking in found], indent=1) + "\n"


def _drawn(found: Found) -> Drawing:
    return searches.history(found) if len(found.objectives) == 1 else searches.pareto(found)


def _figure(path: Path, draw: Callable[[], Drawing]) -> list[str]:
    """Draw a figure to a file and return the line that tells where it is, none where there is nothing to draw."""
    from dcsim.report import svg

    picture = svg.standalone(draw())
    if not picture:
        return []
    whole.write(path, picture)
    return [f"figure   {path}"]
