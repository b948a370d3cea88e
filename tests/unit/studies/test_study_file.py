"""Slips in a study file, each with the line and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.errors import InputError, ScenarioError
from dcsim.scenario.study import load_study
from dcsim.studies.sweep import opened


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("keep:", "keeep:", 'did you mean "keep"'),
        ("base: tiny.yaml", "base: tinny.yaml", "tinny.yaml: found no such file"),
        ("{range: [1, 12], step: 1}", "[]", "at least one value"),
        ("{range: [1, 12], step: 1}", "{range: [1, 12], log: [1, 2]}", "one of range"),
        ("{range: [1, 12], step: 1}", "{log2: [1, 12], step: 1}", "step with range only"),
        ("dcsim: 1", "dcsim: 1\ncombine: {sample: sobol}", "sample and points together"),
        ("dcsim: 1", "dcsim: 1\ncombine: {zip: [[seed]]}", "axes of this study"),
        ("dcsim: 1", "dcsim: 1\nconstraints: [site.pue is low]", "a metric or an axis, a relation"),
        ("dcsim: 1", "dcsim: 1\nobjectives: {site.cost: lowest}", '"minimize" or "maximize"'),
    ],
)
def test_a_slip_names_its_line_and_remedy(study_file: Path, old: str, new: str, expected: str) -> None:
    study_file.write_text(study_file.read_text().replace(old, new))
    with pytest.raises(ScenarioError, match="yaml") as caught:
        load_study(study_file)
    assert expected in str(caught.value)


def test_an_axis_with_a_missing_path_names_the_nearest(study_file: Path, tmp_path: Path) -> None:
    study_file.write_text(study_file.read_text().replace("jobs.digits.steps", "jobs.digits.stepps"))
    with (
        pytest.raises(ScenarioError, match=r"study\.yaml:5: axes\.jobs\.digits\.stepps.*did you mean .*steps"),
        opened(load_study(study_file), tmp_path / "out"),
    ):
        pass
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_study_or_base_is_refused(study_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with opened(load_study(study_file), out):
        pass
    base = tmp_path / "tiny.yaml"
    base.write_text(base.read_text().replace("count: 2", "count: 3"))
    with pytest.raises(InputError, match="name another folder by --out"), opened(load_study(study_file), out):
        pass
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="no study"), opened(load_study(study_file), tmp_path / "other"):
        pass


def test_two_processes_do_not_sweep_in_one_folder(study_file: Path, tmp_path: Path) -> None:
    loaded, out = load_study(study_file), tmp_path / "out"
    with opened(loaded, out), pytest.raises(InputError, match="another process"), opened(loaded, out):
        pass


def test_constraints_that_no_point_keeps_are_refused(study_file: Path, tmp_path: Path) -> None:
    study_file.write_text(study_file.read_text() + "constraints: [jobs.digits.steps > 12]\n")
    with pytest.raises(InputError, match="no point that keeps"), opened(load_study(study_file), tmp_path / "out"):
        pass
