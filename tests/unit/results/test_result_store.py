"""The run folder: what is written is what is read, nothing half is ever seen under a run's name."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest

from dcsim.errors import InputError, RunError
from dcsim.results import Metric, Result, store


def make_result(partial: bool = False, **metrics: Metric) -> Result:
    frame = pd.DataFrame({"item": ["electricity", "servers"], "usd": [1.25, 0.1 + 0.2]})
    frame.attrs["units"] = {"item": "", "usd": "USD"}
    return Result(
        name="small",
        digest="ab12",
        metrics=metrics or {"site.energy": Metric(0.1 + 0.2, "J", 0.2, 0.4, "calibrated", "UPS")},
        tables={"costs": frame},
        manifest={"wall_s": 1.5, "checks": []},
        scenario_text="dcsim: 1\nname: small\n",
        partial=partial,
    )


def test_a_run_reads_back_equal_to_the_last_bit(tmp_path: Path) -> None:
    saved = make_result()
    folder = store.save(saved, tmp_path / "run")
    read = store.load(folder)
    assert folder == tmp_path / "run"
    assert read.metrics == saved.metrics
    assert (read.name, read.digest, read.partial, read.scenario_text) == ("small", "ab12", False, saved.scenario_text)
    assert read.manifest["wall_s"] == 1.5
    pd.testing.assert_frame_equal(read.tables["costs"], saved.tables["costs"])
    assert read.tables["costs"].attrs["units"] == {"item": "", "usd": "USD"}
    assert list(read.tables) == ["costs"]
    assert read.table("spans").empty


def test_metrics_are_sorted_and_stable(tmp_path: Path) -> None:
    first = make_result(b=Metric(1.0, "s"), a=Metric(2.0, "s"))
    second = make_result(a=Metric(2.0, "s"), b=Metric(1.0, "s"))
    texts = [
        (store.save(result, tmp_path / name) / "metrics.json").read_bytes()
        for result, name in ((first, "x"), (second, "y"))
    ]
    assert texts[0] == texts[1]
    row = json.loads(texts[0])["metrics"]["a"]
    assert row == {
        "value": 2.0,
        "unit": "s",
        "low": None,
        "high": None,
        "provenance": "first-principles",
        "bound_by": "",
    }


def test_a_value_that_is_no_number_becomes_null_and_reads_back_as_nan(tmp_path: Path) -> None:
    folder = store.save(make_result(a=Metric(math.inf, "s")), tmp_path / "run")
    assert json.loads((folder / "metrics.json").read_text())["metrics"]["a"]["value"] is None
    assert math.isnan(store.load(folder).value("a"))


def test_a_partial_run_is_kept_beside_the_complete_one(tmp_path: Path) -> None:
    store.save(make_result(), tmp_path / "run")
    partial = store.save(make_result(partial=True), tmp_path / "run")
    assert partial.name == "run-partial"
    assert store.load(partial).partial
    assert not store.load(tmp_path / "run").partial


def test_a_second_run_replaces_the_first_and_keeps_the_readers_files(tmp_path: Path) -> None:
    folder = store.save(
        make_result(a=Metric(1.0, "s")), tmp_path / "run", also=lambda at: (at / "report.html").write_text("old")
    )
    (folder / "notes.txt").write_text("mine")
    store.save(make_result(a=Metric(2.0, "s")), tmp_path / "run")
    assert store.load(folder).value("a") == 2.0
    assert (folder / "notes.txt").read_text() == "mine"
    assert not (folder / "report.html").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_failure_while_writing_leaves_the_old_run(tmp_path: Path) -> None:
    store.save(make_result(a=Metric(1.0, "s")), tmp_path / "run")

    def disk_full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match="No space left"):
        store.save(make_result(a=Metric(2.0, "s")), tmp_path / "run", also=disk_full)
    assert store.load(tmp_path / "run").value("a") == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_prepare_creates_nothing(tmp_path: Path) -> None:
    assert store.prepare(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert list(tmp_path.iterdir()) == []


def test_prepare_refuses_what_is_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_text("")
    for name, words in (("file", "is a file"), ("photos", "no run of dcsim")):
        with pytest.raises(InputError, match=words):
            store.prepare(tmp_path / name)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1024})())
    with pytest.raises(InputError, match="0 MiB are free"):
        store.prepare(tmp_path / "run")


def test_prepare_refuses_an_unwritable_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(store.tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"cannot be written \(Permission denied\)"):
        store.prepare(tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("manifest.json", None, "no run folder"),
        ("manifest.json", "{", "cannot be read"),
        ("manifest.json", "[]", "expected an object"),
        ("metrics.json", "{}", "expected"),
        ("metrics.json", '{"metrics": {"a": {"unit": "s"}}}', "value"),
        ("metrics.json", '{"metrics": {"a": 3}}', "expected"),
    ],
)
def test_a_broken_run_is_told(tmp_path: Path, name: str, text: str | None, words: str) -> None:
    folder = store.save(make_result(), tmp_path / "run")
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_text(text)
    with pytest.raises(InputError, match=words):
        store.load(folder)


def test_a_broken_table_and_a_missing_folder_are_told(tmp_path: Path) -> None:
    folder = store.save(make_result(), tmp_path / "run")
    (folder / "tables" / "costs.parquet").write_text("no parquet")
    with pytest.raises(InputError, match=r"costs\.parquet: cannot be read"):
        _ = store.load(folder).tables["costs"]
    with pytest.raises(InputError, match="no such run folder"):
        store.load(tmp_path / "nowhere")


def test_jobs_are_read_from_metric_names() -> None:
    metrics = {
        "jobs.a.b.finish": Metric(1, "s"),
        "jobs.c.finish": Metric(1, "s"),
        "jobs.c.mfu": Metric(1, "1"),
        "site.pue": Metric(1, "1"),
    }
    assert Result("x", "", metrics, {}).jobs == ("a.b", "c")
    assert Result("x", "", metrics, {}, {"jobs": ["c", "a.b", "never-started"]}).jobs == ("c", "a.b")
