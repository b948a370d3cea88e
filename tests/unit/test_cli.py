"""The command line: what it prints, its exit status, and that wrong input leaves nothing behind."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from dcsim import cli, simulate

APP: Any = get_command(cli.application())
VERBS = sorted(APP.commands)

SCENARIO = """\
dcsim: 1
name: small
cluster:
  servers:
    - {name: train, type: dgx-h100, count: 1}
jobs:
  - name: digits
    model: mlp-mnist
    batch: {global: 64, micro: 8}
    parallel: {data: 8}
    steps: 20
"""


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scenario that runs in a moment, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    file = Path("small.yaml")
    file.write_text(SCENARIO)
    return file


def dcsim(*arguments: object) -> Result:
    return CliRunner().invoke(cli.application(), [str(each) for each in arguments], prog_name="dcsim")


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_bare_and_help_list_every_verb(arguments: list[str]) -> None:
    done = dcsim(*arguments)
    assert done.exit_code == 0
    for verb in VERBS:
        assert f"\n  {verb} " in done.output
    assert "..." not in done.output.partition("Commands:")[2]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_shows_an_example_that_it_takes(verb: str) -> None:
    written = dcsim(verb, "--help").output.partition(f"Example: dcsim {verb}")[2].partition("\n\n")[0]
    assert len(f"Example: dcsim {verb}{written}") <= 76  # a line, so that it can be copied
    APP.commands[verb].make_context(verb, shlex.split(written))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_shell_completes_by_the_script_that_is_printed(shell: str) -> None:
    done = dcsim("completion", shell)
    assert done.exit_code == 0
    assert f"_DCSIM_COMPLETE=complete_{shell}" in done.output.replace('" = "', "").replace(' = "', "=")


def test_bash_completes_verbs_options_and_choices(tmp_path: Path) -> None:
    script = tmp_path / "dcsim.bash"
    script.write_text(dcsim("completion", "bash").output)
    (tmp_path / "dcsim").write_text(f'#!/bin/sh\nexec {sys.executable} -m dcsim "$@"\n')
    (tmp_path / "dcsim").chmod(0o755)
    asked = f"source {script}; COMP_WORDS=(dcsim com); COMP_CWORD=1; _dcsim_completion dcsim; echo ${{COMPREPLY[@]}}"
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", asked], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["compare", "completion"]


def test_a_verb_has_its_options_whatever_they_are_grouped_in() -> None:
    done = dcsim("run", "--help")
    for option in ("--set", "--seed", "--out", "--timeline", "--no-report", "--json", "-q", "-v"):
        assert option in done.output


def test_version() -> None:
    import dcsim as package

    assert dcsim("--version").output == f"dcsim {package.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["run"],
        ["run", "small.yaml", "--nonsense"],
        ["run", "small.yaml", "--seed", "seven"],
        ["run", "missing.yaml"],
        ["check", "missing.yaml"],
        ["show", "missing"],
        ["report", "missing"],
        ["compare", "missing.yaml", "small.yaml"],
        ["compare", "small.yaml"],
        ["compare", "small.yaml", "--vary", "nonsense"],
        ["run", "small.yaml", "--set", "jobs.digits.stepz=3"],
        ["explain", "nonsense"],
        ["run", "small.yaml", "--out", "small.yaml"],
        ["run", "small.yaml", "--out", "small.yaml/inside"],
        ["catalogue", "nonsense"],
        ["catalogue", "accelerators", "nonsense"],
    ],
)
def test_wrong_input_is_status_2_and_writes_nothing(arguments: list[str], scenario: Path) -> None:
    done = dcsim(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr
    assert list(Path().iterdir()) == [scenario]


def test_every_problem_is_one_line_on_standard_error(scenario: Path) -> None:
    scenario.write_text(SCENARIO.replace("steps: 20", "steps: -20").replace("count: 1", "count: 0"))
    done = dcsim("run", scenario)
    assert done.exit_code == 2
    assert [line.split(": ")[:2] for line in lines(done.stderr)] == [
        ["small.yaml:5", "cluster.servers.train.count"],
        ["small.yaml:11", "jobs.digits.steps"],
    ]


def test_check_goes_on_after_a_wrong_file(scenario: Path) -> None:
    wrong = Path("wrong.yaml")
    wrong.write_text(SCENARIO.replace("mlp-mnist", "mlp-mnits"))
    done = dcsim("check", wrong, scenario)
    assert (done.exit_code, done.stdout) == (2, "small.yaml: ok\n")
    assert 'did you mean "mlp-mnist"?' in done.stderr


def test_a_run_writes_its_folder_and_names_it(scenario: Path) -> None:
    done = dcsim("run", scenario, "--no-report", "--timeline")
    assert done.exit_code == 0, done.output
    (folder,) = Path("runs").iterdir()
    assert folder.name.startswith("small-")
    assert str(folder) in done.stdout
    assert {"scenario.yaml", "manifest.json", "metrics.json", "tables", "timeline.json.gz"} <= {
        file.name for file in folder.iterdir()
    }


def test_a_run_is_repeated_in_place_with_equal_metrics(scenario: Path) -> None:
    metrics = []
    for _ in range(2):
        assert dcsim("run", scenario, "--no-report", "-q").exit_code == 0
        (folder,) = Path("runs").iterdir()
        metrics.append((folder / "metrics.json").read_bytes())
    assert metrics[0] == metrics[1]


def test_json_alone_is_on_standard_output(scenario: Path) -> None:
    done = dcsim("run", scenario, "--no-report", "--json", "-", "--out", "here")
    assert json.loads(done.stdout) == json.loads(Path("here/metrics.json").read_text())


def test_quiet_prints_nothing(scenario: Path) -> None:
    done = dcsim("run", scenario, "--no-report", "-q", "--out", "here")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")


def test_a_folder_that_is_no_run_is_refused_before_simulating(scenario: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine").mkdir()
    Path("mine/letter.txt").write_text("dear reader")
    monkeypatch.setattr(simulate, "run", None)
    assert dcsim("run", scenario, "--out", "mine").exit_code == 2
    assert [file.name for file in Path("mine").iterdir()] == ["letter.txt"]


def test_an_interrupted_run_is_kept_as_partial(scenario: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = simulate.run

    def broken_off(*given: Any) -> Any:
        return dataclasses.replace(whole(*given), partial=True)

    monkeypatch.setattr(simulate, "run", broken_off)
    done = dcsim("run", scenario, "--no-report", "--out", "here")
    assert done.exit_code == 130
    assert "here-partial" in done.stderr
    assert [file.name for file in Path().iterdir() if file.is_dir()] == ["here-partial"]


def test_a_failed_run_is_status_1(scenario: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dcsim.errors import RunError

    def fail(*_: Any) -> Any:
        raise RunError("nothing more can happen")

    monkeypatch.setattr(simulate, "run", fail)
    done = dcsim("run", scenario, "--out", "here")
    assert (done.exit_code, done.stderr) == (1, "dcsim: the run failed: nothing more can happen\n")


def test_an_interrupt_outside_the_simulation_is_status_130(scenario: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(simulate, "prepare", interrupted)
    done = dcsim("run", scenario)
    assert (done.exit_code, done.stderr) == (130, "dcsim: interrupted; nothing was written\n")


def test_an_interrupt_while_drawing_keeps_the_results(scenario: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dcsim.report import html

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(html, "write", interrupted)
    done = dcsim("run", scenario, "-q", "--out", "here")
    assert done.exit_code == 130
    (line,) = lines(done.stderr)
    assert line.startswith("dcsim: interrupted; the results are in ")
    assert line.endswith("/here")
    assert Path("here/metrics.json").is_file()
    assert dcsim("report", "here").exit_code == 130


def test_a_figure_that_fails_loses_no_results(scenario: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dcsim.report import html

    def failing(*_: Any) -> Any:
        raise ValueError("no such color")

    monkeypatch.setattr(html, "write", failing)
    done = dcsim("run", scenario, "-q", "--out", "here")
    assert done.exit_code == 1
    assert "could not be drawn (no such color); the results are in" in done.stderr
    assert {"metrics.json", "manifest.json"} <= {file.name for file in Path("here").iterdir()}
    assert [file.name for file in Path().iterdir() if file.name.startswith(".")] == []


def test_a_run_that_stopped_early_is_kept_and_is_status_1(scenario: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = simulate.run

    def overheated(*given: Any) -> Any:
        done = whole(*given)
        return dataclasses.replace(done, partial=True, manifest={**done.manifest, "stopped": "servers overheated"})

    monkeypatch.setattr(simulate, "run", overheated)
    done = dcsim("run", scenario, "--no-report", "-q", "--out", "here")
    assert done.exit_code == 1
    assert "the run failed: servers overheated; what was simulated is kept in" in done.stderr
    assert Path("here-partial").is_dir()
    assert dcsim("compare", scenario, "--vary", "jobs.digits.steps=5,6", "-q").exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--json", "nowhere/a.json"],
        ["run", "--json", "."],
        ["compare", "--vary", "jobs.digits.steps=5,6", "--html", "nowhere/a.html"],
        ["compare", "--vary", "jobs.digits.steps=5,6", "--json", "small.yaml/a.json"],
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_simulating(
    arguments: list[str], scenario: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate, "run", None)
    done = dcsim(*arguments, scenario)
    assert (done.exit_code, len(lines(done.stderr))) == (2, 1)
    assert list(Path().iterdir()) == [scenario]


def test_show_and_report_read_a_run(scenario: Path) -> None:
    assert dcsim("run", scenario, "--no-report", "-q", "--out", "here").exit_code == 0
    shown = dcsim("show", "here", "-v")
    assert shown.exit_code == 0
    assert "jobs.digits.step_time" in shown.stdout
    assert dcsim("report", "here").exit_code == 0
    assert Path("here/report.html").is_file()


def test_compare_names_the_input_that_differs(scenario: Path) -> None:
    vary = "cluster.network.link=100 Gbit/s,400 Gbit/s"
    done = dcsim("compare", scenario, "--vary", vary, "--json", "-", "-q")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["labels"] == ["100 Gbit/s", "400 Gbit/s"]
    assert set(found["inputs"]) == {"cluster.network.link"}


def test_compare_takes_files_and_runs_together(scenario: Path) -> None:
    assert dcsim("run", scenario, "--no-report", "-q", "--out", "here").exit_code == 0
    done = dcsim("compare", "here", scenario, "--json", "difference.json", "--html", "difference.html")
    assert done.exit_code == 0, done.output
    found = json.loads(Path("difference.json").read_text())
    assert found["labels"] == ["here", "small"]
    assert set(found["metrics"]["site.energy"]["differences"]) == {0.0}
    assert Path("difference.html").is_file()


def test_variants_are_all_checked_before_one_is_simulated(scenario: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "run", None)
    done = dcsim("compare", scenario, "--vary", "jobs.digits.steps=5,none,-1")
    assert done.exit_code == 2
    assert len(lines(done.stderr)) == 2


def test_trace_reads_a_compiled_module(tmp_path: Path) -> None:
    module = Path(__file__).parents[1] / "fixtures" / "hlo" / "layers.hlo"
    assert "all-reduce  4 groups of 2, such as {0,4}" in dcsim("trace", "--hlo", module).stdout
    found = json.loads(dcsim("trace", "--hlo", module, "--json", "-").stdout)
    assert sum(row["count"] for row in found["collectives"]) == 20
    for arguments in ((), (module, "--hlo", module), ("--hlo", tmp_path / "absent.hlo")):
        done = dcsim("trace", *arguments)
        assert (done.exit_code, done.stderr[:7]) == (2, "dcsim: ")


def test_trace_lists_the_operations(scenario: Path) -> None:
    assert "matmul" in dcsim("trace", scenario).stdout
    (step,) = json.loads(dcsim("trace", scenario, "--json", "-").stdout)
    assert step["jobs"] == ["digits"]
    assert {operation["phase"] for operation in step["operations"]} >= {"forward", "backward", "optimizer"}


def test_the_catalogue_shows_kinds_parts_and_sources() -> None:
    assert "accelerators" in dcsim("catalogue").stdout
    assert "h100-sxm" in dcsim("catalogue", "accelerators").stdout
    assert "datasheet" in dcsim("catalogue", "accelerators", "h100-sxm").stdout


def test_the_schema_is_json() -> None:
    assert json.loads(dcsim("schema").stdout)["$schema"].startswith("http://json-schema.org/draft-07")


@pytest.mark.parametrize("metric", ["jobs.any.mfu", "jobs.*.mfu", "mfu"])
def test_explain_knows_a_metric_by_name_pattern_and_last_word(metric: str) -> None:
    done = dcsim("explain", metric)
    assert (done.exit_code, lines(done.stdout)[0].split()[0]) == (0, "jobs.*.mfu")
