"""A plan that is left open is the fastest of those played by events on the job's own cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dcsim import cli
from dcsim.catalogue import resolve
from dcsim.errors import ScenarioError
from dcsim.estimate.auto_plan import Searched
from dcsim.estimate.chosen import Chosen
from dcsim.scenario.load import Loaded, load
from dcsim.simulate import prepare, run
from dcsim.simulate.choose import choose

TEXT = """
dcsim: 1
name: auto
cluster:
  servers:
    - {name: train, type: dgx-h100, count: 2, per_rack: 1}
  network: {topology: fat-tree, link: 100 Gbit/s, oversubscription: 4}
jobs:
  - name: pretrain
    model: {family: transformer, layers: 8, hidden: 2048, heads: 16, context: 1024, vocabulary: 32000}
    software: te-fp8-2024
    batch: {global: 32, micro: 1}
    parallel: auto
    steps: 5
"""
KEY = "jobs.pretrain.parallel"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "auto.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def chosen(loaded: Loaded, told: list[int] | None = None) -> Chosen:
    inventory = resolve(loaded)

    def tell(_: Searched, place: int) -> None:
        if told is not None:
            told.append(place)

    return choose(inventory.jobs[0], loaded, inventory, tell)


def test_the_plan_that_runs_is_the_fastest_of_those_played_and_takes_as_long(file: Path) -> None:
    found = chosen(load(file))
    assert found.place > 0, "on slow uplinks the fastest in closed form is not the fastest on the cluster"
    result = run(prepare(load(file)))
    assert result.value("jobs.pretrain.step_time") == pytest.approx(min(found.times), rel=1e-9)
    for place, seconds in ((0, found.times[0]), (1, found.times[1])):
        other = run(prepare(load(file).replace(found.searched.changes(place))))
        assert other.value("jobs.pretrain.step_time") == pytest.approx(seconds, rel=1e-9)


def test_playing_ends_where_no_plan_that_is_left_could_be_faster(file: Path) -> None:
    found = chosen(load(file))
    ideal = found.searched.found.seconds
    best_so_far = [min(found.times[: count + 1]) for count in range(len(found.times))]
    assert all(ideal[place + 1] < best_so_far[place] for place in range(len(found.times) - 1))
    assert len(found.times) == 24 or ideal[len(found.times)] >= min(found.times)


def test_what_does_not_bear_on_the_choice_repeats_no_search(file: Path) -> None:
    base = load(file, ["jobs.pretrain.batch.global=16"])  # a question that no other test asks
    played: list[int] = []
    first = chosen(base, played)
    assert played == list(range(len(first.times)))
    again: list[int] = []
    traffic = [{"name": "others", "kind": "permutation", "load": "20 %"}]
    changes = {"site.climate": "singapore", "jobs.pretrain.steps": 7, "name": "other", "replications": 3}
    changes["cluster.network.background"] = traffic
    assert chosen(base.replace(changes), again).times == first.times
    assert again == []
    other = chosen(base.replace({"cluster.network.link": "50 Gbit/s"}), again)
    assert again
    assert min(other.times) > min(first.times)


def test_keys_are_set_beside_the_word_auto(file: Path) -> None:
    job = prepare(load(file, [f"{KEY}.tensor=4", f"{KEY}.context=1"])).loaded.scenario.jobs[0]
    assert (job.parallel.tensor, job.parallel.context, job.ranks) == (4, 1, 16)
    with pytest.raises(ScenarioError, match=r'unknown key "contxt".*did you mean "context"'):
        load(file, [f"{KEY}.contxt=1"])
    with pytest.raises(ScenarioError, match=r'"none" at jobs\.pretrain\.parallel\.sharding, expected a block of keys'):
        load(file, [f"{KEY}={{sharding: none}}", f"{KEY}.sharding.of=1"])


def test_the_plan_and_why_it_was_taken_are_told(file: Path, tmp_path: Path) -> None:
    found = chosen(load(file))
    told = found.told()
    all_plans = found.searched.found
    assert told["job"] == "pretrain"
    assert f"fastest of {len(found.times)} played by events" in told["why"]
    assert f"{all_plans.fitting:,} of {all_plans.looked_at:,} fit" in told["why"]
    arguments = ["check", str(file)], ["run", str(file), "--out", str(tmp_path / "run"), "--no-report"]
    for words in arguments:
        done = CliRunner().invoke(cli.application(), words, prog_name="dcsim")
        assert done.exit_code == 0, done.output
        assert f"pretrain, its plan: {told['plan']}\n  {told['why']}\n" in done.stdout
    assert json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))["plans"] == [dict(told)]


def test_a_plan_that_is_written_down_is_not_called_chosen(file: Path) -> None:
    prepared = prepare(load(file, [f"{KEY}={{data: 16, sharding: optimizer}}"]))
    assert prepared.choices == ()
