"""The dictionary of metrics and the list of tables."""

from __future__ import annotations

import subprocess
import sys

from dcsim import units
from dcsim.results import dictionary
from dcsim.results.tables import TABLES, empty


def test_names_find_their_definition() -> None:
    found = dictionary.find("jobs.pretrain.v2.step_time")
    assert found is not None
    assert found.pattern == "jobs.*.step_time"
    assert dictionary.variable("jobs.pretrain.v2.step_time") == "pretrain.v2"
    assert dictionary.title("jobs.pretrain.mfu") == "pretrain: utilization of peak (MFU)"
    assert dictionary.title("site.pue") == "PUE"
    assert dictionary.variable("network.peak_utilization_nvlink") == "nvlink"
    assert dictionary.find("site.unheard_of") is None
    assert dictionary.title("site.unheard_of") == "site.unheard_of"


def test_job_energy_is_not_taken_for_energy_a_token() -> None:
    patterns = [dictionary.find(f"jobs.x.{name}") for name in ("energy", "energy_per_token", "energy_to_target")]
    assert [found.pattern for found in patterns if found] == [
        "jobs.*.energy",
        "jobs.*.energy_per_token",
        "jobs.*.energy_to_target",
    ]


def test_every_metric_and_column_has_a_unit_that_can_be_shown() -> None:
    shown = {entry.unit for entry in dictionary.DEFINITIONS} | {
        unit for table in TABLES.values() for unit in table.columns.values()
    }
    for unit in shown - {""}:
        assert units.show(1.0, unit)


def test_shares_are_told_from_other_plain_numbers() -> None:
    names = ("jobs.a.mfu", "network.peak_utilization_host", "jobs.a.final_loss", "jobs.a.restarts", "site.pue")
    assert [dictionary.share(name) for name in names] == [True, True, False, False, False]


def test_order_follows_the_dictionary() -> None:
    names = ["zzz", "jobs.b.finish", "site.energy", "jobs.a.finish"]
    assert sorted(names, key=dictionary.order) == ["site.energy", "jobs.a.finish", "jobs.b.finish", "zzz"]


def test_an_absent_table_has_its_columns() -> None:
    assert list(empty("links").columns) == list(TABLES["links"].columns)
    assert empty("unheard of").empty


def test_importing_results_loads_no_heavy_package() -> None:
    code = "import sys\nfrom dcsim.results import dictionary, statistics, store, tables, timeline\n"
    code += "print([m for m in ('pandas', 'pyarrow', 'matplotlib', 'jax', 'scipy', 'numpy') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
