"""First scenarios: what is written runs, and what cannot be is refused with a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dcsim.catalogue.starter import Answers, starter
from dcsim.cli import application
from dcsim.errors import InputError
from dcsim.scenario.load import load


def test_the_file_loads_and_its_numbers_fit_together(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(starter("mine", Answers(server="xeon-2s", count=3, model="mlp-mnist", steps=7)))
    (job,) = load(tmp_path / "mine.yaml").scenario.jobs
    assert (job.parallel.data, job.batch.global_, job.batch.micro) == (6, 24, 4)  # two sockets a server


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r'--server: found "dgx-h10".*did you mean "dgx-h100"'):
        starter("mine", Answers(server="dgx-h10"))


def test_the_verb_writes_what_passes_check_and_overwrites_nothing(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    words = ["init", str(file), "--model", "mlp-mnist", "--count", "2"]
    made = CliRunner().invoke(application(), words)
    assert made.exit_code == 0, made.output
    assert CliRunner().invoke(application(), ["check", str(file)]).exit_code == 0
    again = CliRunner().invoke(application(), words)
    assert again.exit_code == 2
    assert "is there already" in again.output


def test_a_model_that_does_not_fit_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    made = CliRunner().invoke(application(), ["init", str(file), "--model", "gpt3-175b"])
    assert made.exit_code == 2
    assert "are missing" in made.output
    assert not file.exists()
