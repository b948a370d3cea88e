"""dcsim: a discrete-event simulator of AI data centers.

>>> import dcsim
>>> result = dcsim.run("scenarios/small-cluster.yaml")   # doctest: +SKIP
>>> result.metrics["jobs.pretrain.step_time"]              # doctest: +SKIP

Everything is imported when it is first asked for, so that ``import dcsim`` costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dcsim.results.comparison import Comparison
    from dcsim.results.result import Result
    from dcsim.results.study import StudyResult
    from dcsim.scenario import Scenario
    from dcsim.scenario.load import Loaded
    from dcsim.simulate import Progress

__version__ = "0.1.0"
__all__ = ["Result", "Scenario", "__version__", "compare", "load", "run", "sweep"]


def load(path: str | PathLike[str], settings: Sequence[str] = (), seed: int | None = None) -> Loaded:
    """Read a scenario file.

    Parameters
    ----------
    path
        The scenario file.
    settings
        Changes such as ``"jobs.pretrain.steps=500"``, as in ``dcsim run --set``.
    seed
        Replaces the seed of the file.

    Raises
    ------
    dcsim.errors.ScenarioError
        With every problem of the file, each with its line.
    """
    from dcsim.scenario.load import load as read

    return read(str(path), settings, seed)


def run(
    scenario: str | PathLike[str] | Loaded | Scenario,
    progress: Callable[[Progress], None] | None = None,
    allow_code: bool = False,
) -> Result:
    """Simulate a scenario, given as a file, as what :func:`load` returned, or as a :class:`Scenario`.

    Files that a :class:`Scenario` names are looked for in the current folder, those of a file beside it.

    ``allow_code`` lets it execute functions of the user's own that the scenario names as models.

    Nothing is written; ``dcsim.results.store.save(result, folder)`` does that. A KeyboardInterrupt during the
    simulation returns what was simulated, with ``result.partial`` set.

    Raises
    ------
    dcsim.errors.ScenarioError
        If the scenario is wrong or cannot be met.
    dcsim.errors.RunError
        If the simulation could not be finished.
    """
    from dcsim import simulate
    from dcsim.scenario.load import Loaded, located

    if not isinstance(scenario, Loaded):
        scenario = load(scenario) if isinstance(scenario, str | PathLike) else located(scenario)
    return simulate.run(simulate.prepare(scenario, allow_code), progress)


def compare(results: Sequence[Result]) -> Comparison:
    """Compare results metric by metric, each against the first."""
    from dcsim.results.comparison import compare as build

    return build(results)


def sweep(
    study: str | PathLike[str], folder: str | PathLike[str], processes: int = 1, allow_code: bool = False
) -> StudyResult:
    """Simulate every point of a study file that is not finished in ``folder`` yet, and return all of them.

    ``processes`` above one need a program that may be imported again: guard it by ``if __name__ == "__main__":``.

    Raises
    ------
    dcsim.errors.InputError
        If the study is wrong, or the folder holds something else.
    """
    from pathlib import Path

    from dcsim.studies.executors import expect, local

    expect(processes)
    from dcsim.results.study import load as read
    from dcsim.scenario.study import load_study
    from dcsim.studies.sweep import execute, opened

    with opened(load_study(study), Path(folder)) as ready:
        execute(ready, local(lambda: ready.context(allow_code), processes), lambda _: None)
    return read(Path(folder))


def __getattr__(name: str) -> Any:
    if name == "Scenario":
        from dcsim.scenario.root import Scenario

        return Scenario
    if name == "Result":
        from dcsim.results.result import Result

        return Result
    raise AttributeError(f"module 'dcsim' has no attribute {name!r}")
