"""The journal and the Parquet files of a study: nothing lost, nothing doubled, broken files set aside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

from dcsim.errors import RunError
from dcsim.results import dataset
from dcsim.results.dataset import Dataset
from dcsim.results.rows import Row, from_json

AXES = ("cluster.network.oversubscription", "jobs.a.model")


def _row(number: int, **more: Any) -> Row:
    changes = {AXES[0]: number / 2, AXES[1]: f"model-{number}"}
    metrics = {"site.energy": (float(number), "J", None, None)}
    plain = {"key": f"{number:032x}", "number": number, "changes": changes, "wall_s": 0.5, "metrics": metrics}
    return Row(**plain | more)


def _open(folder: Path, lines: int = 3) -> Dataset:
    return Dataset(folder, AXES, lines)


def test_a_row_survives_as_a_line() -> None:
    row = _row(3, metrics={"x": (None, "1", 0.5, None)}, reason="é\nü")
    assert from_json(row.to_json()) == row
    assert "\n" not in row.to_json()


def test_every_reader_sees_all_rows_of_the_folder(tmp_path: Path) -> None:
    kept = _open(tmp_path)
    for number in range(7):
        kept.append(_row(number))
    kept.append(_row(5))  # a point a second time
    kept.seal()
    files = tmp_path / dataset.FOLDER
    assert len(dataset.parts(tmp_path)) == 3
    assert sorted(pd.read_parquet(files)["number"]) == list(range(7))
    assert pl.scan_parquet(files / "part-*.parquet").select(pl.col("site.energy").sum()).collect().item() == 21.0
    query = f"select count(distinct key) from '{files}/part-*.parquet'"
    assert duckdb.connect().execute(query).fetchall() == [(7,)]


def test_columns_that_come_later_are_added_to_earlier_files(tmp_path: Path) -> None:
    kept = _open(tmp_path, 2)
    kept.append(_row(0))
    kept.append(_row(1))
    kept.append(_row(2, metrics={"site.pue": (1.2, "1", 1.1, 1.3)}))
    kept.append(_row(3, metrics={}, reason="too large"))
    frame = pd.read_parquet(tmp_path / dataset.FOLDER).sort_values("number")
    assert list(frame["site.pue.high"].fillna(0.0)) == [0.0, 0.0, 1.3, 0.0]
    assert list(frame["status"]) == ["done", "done", "done", "failed"]


def test_what_was_journaled_is_known_after_a_crash_and_a_torn_line_is_dropped(tmp_path: Path) -> None:
    kept = _open(tmp_path, 100)
    kept.append(_row(0))
    kept.append(_row(1))
    with (tmp_path / dataset.JOURNAL).open("a") as journal:
        journal.write(_row(2).to_json()[:40])
    again = _open(tmp_path, 100)
    assert again.done == {_row(0).key, _row(1).key}
    assert "1 unreadable line dropped" in again.notes[0]
    again.append(_row(2))
    again.seal()
    assert list(dataset.table(tmp_path, AXES)["number"].to_pylist()) == [0, 1, 2]


def test_a_crash_between_a_file_and_its_journal_doubles_nothing(tmp_path: Path) -> None:
    kept = _open(tmp_path, 100)
    kept.append(_row(0))
    journal = (tmp_path / dataset.JOURNAL).read_text()
    kept.seal()
    (tmp_path / dataset.JOURNAL).write_text(journal)
    again = _open(tmp_path, 100)
    assert again.done == {_row(0).key}
    again.seal()
    assert dataset.table(tmp_path, AXES).num_rows == 1


def test_a_broken_file_is_set_aside_and_told(tmp_path: Path) -> None:
    kept = _open(tmp_path, 1)
    kept.append(_row(0))
    kept.append(_row(1))
    broken = dataset.parts(tmp_path)[0]
    broken.write_bytes(b"PAR1 not really")
    again = _open(tmp_path, 1)
    assert again.done == {_row(1).key}
    assert "set aside as part-000000.broken-1" in again.notes[0]
    assert not broken.exists()


def test_a_full_disk_keeps_what_was_kept(tmp_path: Path) -> None:
    kept = _open(tmp_path, 100)
    kept.append(_row(0))

    kept._journal.close()
    kept._journal = open("/dev/full", "w")  # noqa: SIM115, PTH123  # every write to it fails as on a full disk
    with pytest.raises(RunError, match=r"journal\.jsonl: cannot be written \(No space left .* sweep again"):
        kept.append(_row(1))
    kept.close()  # drops what could not be written, quietly: it has been told
    assert _open(tmp_path).done == {_row(0).key}
