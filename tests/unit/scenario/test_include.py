"""Scenarios laid over others."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.errors import ScenarioError
from dcsim.scenario.load import load

SAMPLE = (Path(__file__).parent / "sample.yaml").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "scenarios"
    inside.mkdir()
    (inside / "base.yaml").write_text(SAMPLE)
    (tmp_path / "outside.yaml").write_text(SAMPLE)
    return inside


def write(folder: Path, text: str, name: str = "x.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_the_including_file_lies_above(folder: Path) -> None:
    path = write(
        folder,
        "include: base.yaml\nname: other\nsite: {cooling: {supply: 24 degC}}\njobs:\n  - {name: learn, steps: 9}\n"
        "faults: []\nrecord: {series: [power]}\n",
    )
    loaded = load(path)
    scenario = loaded.scenario
    assert scenario.name == "other"
    assert (scenario.site.cooling.supply, scenario.site.climate) == (24.0, "stockholm")
    assert [(job.name, job.steps) for job in scenario.jobs] == [("pretrain", 1000), ("learn", 9)]
    assert scenario.faults == ()
    assert scenario.record.series == ("power",)
    assert loaded.files == (folder / "base.yaml", path)


def test_positions_name_the_right_file(folder: Path) -> None:
    loaded = load(write(folder, "include: base.yaml\n\njobs:\n  - {name: learn, steps: 9}\n"))
    assert (loaded.problem("jobs.learn.steps", "", "").file, loaded.problem("jobs.learn.steps", "", "").line) == (
        str(folder / "x.yaml"),
        4,
    )
    assert loaded.problem("jobs.learn.batch.micro", "", "").file == str(folder / "base.yaml")


def test_several_and_nested_includes_are_relative_to_their_own_file(folder: Path) -> None:
    write(folder, "seed: 1\nsite: {climate: phoenix}\n", "parts/a.yaml")
    write(folder, "include: a.yaml\nseed: 2\n", "parts/b.yaml")
    loaded = load(write(folder, "include: [base.yaml, parts/b.yaml]\n"))
    assert (loaded.scenario.seed, loaded.scenario.site.climate) == (2, "phoenix")
    assert [path.name for path in loaded.files] == ["base.yaml", "a.yaml", "b.yaml", "x.yaml"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("../outside.yaml", "a file inside the scenario's folder"),
        ("/etc/passwd", "a file relative to this one"),
        ("link.yaml", "a file inside the scenario's folder"),
        ("parts/../../outside.yaml", "a file inside the scenario's folder"),
        ("x.yaml", "no file that includes this one"),
        ("nowhere.yaml", "an existing file"),
        (".", "an existing file"),
        ("5", "the name of a file, or a list of names"),
        ("{a: b}", "the name of a file, or a list of names"),
        (r"'..\outside.yaml'", "a file relative to this one"),
    ],
)
def test_refused(folder: Path, target: str, expected: str) -> None:
    (folder / "link.yaml").symlink_to("../outside.yaml")
    (folder / "parts").mkdir()
    with pytest.raises(ScenarioError) as caught:
        load(write(folder, f"dcsim: 1\ninclude: {target}\n"))
    (problem,) = caught.value.problems
    assert (problem.line, problem.path, problem.expected) == (2, "include", expected)


def test_a_circle_is_refused(folder: Path) -> None:
    write(folder, "include: x.yaml\n", "b.yaml")
    with pytest.raises(
        ScenarioError, match=r"b.yaml:1: include: found \"x.yaml\", expected no file that includes this one"
    ):
        load(write(folder, "include: b.yaml\n"))


def test_includes_cannot_explode(folder: Path) -> None:
    for number in range(9):
        write(folder, f"include: [{', '.join([f'{number + 1}.yaml'] * 9)}]\n", f"{number}.yaml")
    write(folder, "seed: 1\n", "9.yaml")
    with pytest.raises(ScenarioError, match="more than 100 included files"):
        load(folder / "0.yaml")


def test_problems_come_from_both_files(folder: Path) -> None:
    write(folder, SAMPLE.replace("400 Gbit/s", "400"), "base.yaml")
    with pytest.raises(ScenarioError) as caught:
        load(write(folder, "include: base.yaml\nseed: x\n"))
    assert [(Path(each.file).name, each.line) for each in caught.value.problems] == [("x.yaml", 2), ("base.yaml", 18)]
