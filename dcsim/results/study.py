"""The results of a study as a table: a row a point, its axes, and the metrics that were kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcsim.errors import InputError
from dcsim.results import dataset
from dcsim.results.known_errors import Basis, of_points

if TYPE_CHECKING:
    import pandas as pd

FIXED = dataset.FIXED


@dataclass(frozen=True)
class StudyResult:
    """Every finished point of a study.

    ``frame`` has a row a point in the study's order: number, key, status ("done" or "failed"), reason, digest,
    replications, wall_s [s], rests_on (what the metrics rest on, for :meth:`rests_on`), the axes by path as written in
    a scenario file, the metrics by name, and with several replications ``<metric>.low`` and ``<metric>.high``. Units
    of the metrics are in ``frame.attrs["units"]``. ``about`` is the manifest of the study: its objectives,
    constraints, base scenario and start.
    """

    name: str
    axes: tuple[str, ...]
    frame: pd.DataFrame
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def objectives(self) -> tuple[tuple[str, str], ...]:
        """(metric, "minimize" or "maximize") of the study file, as far as its points have the metrics."""
        asked = dict(self.about.get("objectives") or {})
        return tuple((name, str(aim)) for name, aim in asked.items() if name in self.frame.columns)

    @property
    def done(self) -> pd.DataFrame:
        """The points that have metrics."""
        return self.frame[self.frame["status"] == "done"]

    @property
    def failed(self) -> pd.DataFrame:
        """The points that have a reason instead."""
        return self.frame[self.frame["status"] == "failed"]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics, without the bounds of their intervals."""
        others = {*FIXED, *self.axes}
        bounds = {f"{name}.{bound}" for name in self.frame.columns for bound in ("low", "high")}
        return tuple(name for name in self.frame.columns if name not in others and name not in bounds)

    def rests_on(self, metric: str) -> tuple[Basis, ...]:
        """Return what a metric rests on, each once: points may differ."""
        return of_points(self.done["rests_on"].unique() if "rests_on" in self.frame.columns else (), metric)

    def unit(self, metric: str) -> str:
        """Return the unit of a metric, "" where it has none."""
        return str(self.frame.attrs["units"].get(metric, ""))


def is_study_folder(folder: Path | str) -> bool:
    """Return whether a folder holds a study."""
    return (Path(folder) / dataset.FOLDER).is_dir()


def load(folder: Path | str) -> StudyResult:
    """Read the folder of a study, finished or not.

    Raises
    ------
    InputError
        If it is none or a file of it is broken.
    """
    folder = Path(folder).expanduser()
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        name, axes = str(manifest["study"]), tuple(map(str, manifest["axes"]))
    except FileNotFoundError:
        raise InputError(f"{folder}: is no folder of a study, it has no manifest.json") from None
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise InputError(f"{folder}/manifest.json: is not that of a study ({error})") from error
    try:
        table = dataset.table(folder, axes)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: a file of its points cannot be read ({error}); run dcsim sweep again") from error
    frame = table.to_pandas()
    frame.attrs["units"] = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in table.schema}
    frame.attrs["units"]["wall_s"] = "s"
    return StudyResult(name, axes, frame, manifest)
