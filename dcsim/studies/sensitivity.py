"""Which axes of a study matter: elementary effects and variance shares by SALib, each point simulated once.

Morris: M. D. Morris, Technometrics 33 (1991) 161; mu* of F. Campolongo et al., Environ. Model. Softw. 22 (2007) 1509.
Sobol: A. Saltelli et al., Comput. Phys. Commun. 181 (2010) 259, with bootstrapped 95 % intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.errors import InputError, RunError
from dcsim.results.rows import Row
from dcsim.results.search import Effect, Ranking
from dcsim.scenario.study import Axis, LoadedStudy
from dcsim.studies.axes import Changes, factors, span, values
from dcsim.studies.evaluation import Evaluation, value

Floats = NDArray[np.float64]
_Design = tuple[dict[str, Any], Floats]  # the problem as SALib knows it, and the sample, shape (points, axes)


def sensitivity(loaded: LoadedStudy, evaluation: Evaluation) -> tuple[Ranking, ...]:
    """Simulate the sample of a study and rank its axes for every metric that varies.

    Metrics are the objectives, or all that are kept where there are none.

    Raises
    ------
    InputError
        If there is one axis only, all are zipped together, or SALib is not installed.
    RunError
        If a point failed: an index without it would be wrong.
    """
    study = loaded.study
    moved = factors(loaded)
    if len(moved) < 2:
        raise InputError(f"{loaded.path}: axes: found one that moves by itself, expected at least two to rank")
    problem = {"num_vars": len(moved), "names": [*map(_name, moved)], "bounds": [[0.0, 1.0]] * len(moved)}
    sample = _sample(loaded, problem)
    rows = evaluation.rows([_changes(loaded, moved, shares) for shares in sample])
    failed = [row for row in rows if row.reason]
    if failed:
        raise RunError(
            f"{len({row.key for row in failed})} points failed, the first: {failed[0].reason}; narrow the axes"
        )
    metrics = tuple(study.objectives) or tuple(sorted(rows[0].metrics))
    found = [_ranking(loaded, (problem, sample), rows, metric) for metric in metrics]
    return tuple(ranking for ranking in found if ranking is not None)


def _sample(loaded: LoadedStudy, problem: dict[str, Any]) -> Floats:
    try:
        from SALib.sample import morris, sobol
    except ImportError:
        raise InputError('dcsim sensitivity: SALib is not installed; write: pip install "dcsim[explore]"') from None
    settings = loaded.study.sensitivity
    if settings.method == "morris":
        rows = morris.sample(problem, settings.samples, num_levels=4, seed=settings.seed)
    else:
        if settings.samples & (settings.samples - 1):
            raise InputError(
                f"{loaded.path}: sensitivity.samples: found {settings.samples}, expected a power of two for sobol"
            )
        rows = sobol.sample(problem, settings.samples, calc_second_order=False, seed=settings.seed)
    return np.asarray(rows, dtype=np.float64)


def _name(group: tuple[str, ...]) -> str:
    """Return how axes that move together are called, such as ``site.cooling.economizer + supply``."""
    return " + ".join((group[0], *(path.rpartition(".")[2] for path in group[1:])))


def _changes(loaded: LoadedStudy, moved: dict[tuple[str, ...], list[Changes]], shares: Sequence[float]) -> Changes:
    chosen: Changes = {}
    for (group, joint), share in zip(moved.items(), shares, strict=True):
        if joint:
            chosen |= joint[min(int(share * len(joint)), len(joint) - 1)]
        else:
            chosen[group[0]] = _at(loaded.study.axes[group[0]], float(share))
    return {path: chosen[path] for path in loaded.study.axes}


def _at(axis: Axis, share: float) -> Any:
    """Return the value of an axis ``share`` of the way [1] along it; lists are cut into equal parts."""
    bounds = span(axis)
    if bounds is not None and axis.log2 is None and axis.step is None:
        return bounds.at(share)
    listed = values(axis)
    return listed[min(int(share * len(listed)), len(listed) - 1)]


def _ranking(loaded: LoadedStudy, design: _Design, rows: Sequence[Row], metric: str) -> Ranking | None:
    """Return the effects on one metric, None where it never changes."""
    found = np.array([value(row, metric) for row in rows])
    if not np.all(np.isfinite(found)) or np.ptp(found) == 0.0:
        return None
    columns = _analyze(loaded, design, found)
    effects = [Effect(axis, *map(float, cells)) for axis, *cells in zip(design[0]["names"], *columns, strict=True)]
    effects.sort(key=lambda effect: -effect.total)
    return Ranking(metric, rows[0].metrics[metric][1], float(found.min()), float(found.max()), tuple(effects))


def _analyze(loaded: LoadedStudy, design: _Design, found: Floats) -> tuple[Any, ...]:
    from SALib.analyze import morris, sobol

    problem, sample = design
    seed = loaded.study.sensitivity.seed
    if loaded.study.sensitivity.method == "morris":
        morrised = morris.analyze(problem, sample, found, num_levels=4, seed=seed)
        zeros = np.zeros(problem["num_vars"])
        return morrised["mu_star"], morrised["mu_star_conf"], morrised["sigma"], zeros
    standard = (found - found.mean()) / found.std()
    shares = sobol.analyze(problem, standard, calc_second_order=False, seed=seed)
    return shares["ST"], shares["ST_conf"], shares["S1"], shares["S1_conf"]
