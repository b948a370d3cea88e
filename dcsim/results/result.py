"""The outcome of one run as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

Provenance = Literal["measured", "calibrated", "first-principles"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One headline number.

    ``low`` and ``high`` [unit] bound a 95 % interval where there is one. ``provenance`` says what the number rests on,
    and ``bound_by`` names in a few words what keeps it from being better ("HBM bandwidth"), "" where nothing is named.
    """

    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    provenance: Provenance = "first-principles"
    bound_by: str = ""


@dataclass(frozen=True)
class Result:
    """Everything a run hands on: what the store keeps, what the report shows, what comparisons read.

    ``tables`` hold pandas frames whose units are in ``frame.attrs["units"]``; the tables and their columns are listed
    in :mod:`dcsim.results.tables`, the metric names in :mod:`dcsim.results.dictionary`. ``scenario_text`` is the
    resolved scenario as YAML. ``partial`` marks a run that was interrupted.
    """

    name: str
    digest: str
    metrics: Mapping[str, Metric]
    tables: Mapping[str, pd.DataFrame]
    manifest: Mapping[str, Any] = field(default_factory=dict)
    scenario_text: str = ""
    partial: bool = False

    def value(self, name: str) -> float:
        """Return the value of the metric ``name`` [its unit]; KeyError if the run has no such metric."""
        return self.metrics[name].value

    @property
    def frame(self) -> pd.DataFrame:
        """The metrics as a pandas frame, a row a metric: value, unit, low, high, provenance, bound_by."""
        import pandas as pd

        rows = [asdict(metric) for metric in self.metrics.values()]
        columns = [field.name for field in fields(Metric)]
        return pd.DataFrame(rows, index=pd.Index(self.metrics, name="metric"), columns=columns)

    def table(self, name: str) -> pd.DataFrame:
        """Return the table ``name``, an empty frame with its declared columns if the run has none."""
        if name in self.tables:
            return self.tables[name]
        from dcsim.results.tables import empty

        return empty(name)

    @property
    def jobs(self) -> tuple[str, ...]:
        """The names of the jobs that metrics were reported for, in the order of the scenario where that is known."""
        found: dict[str, None] = {}
        for name in self.metrics:
            # A job's name may itself contain dots: the metric is what follows the last one.
            if name.startswith("jobs."):
                found[name[len("jobs.") :].rpartition(".")[0]] = None
        listed = [job for job in self.manifest.get("jobs", ()) if job in found]
        return tuple(listed) + tuple(job for job in found if job not in listed)
