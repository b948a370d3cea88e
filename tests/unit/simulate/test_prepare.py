"""What cannot be simulated is refused with its line, what is missing, and what to write instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dcsim
from dcsim.errors import ScenarioError
from dcsim.scenario.load import Loaded
from dcsim.simulate import Prepared, prepare

TEXT = """\
dcsim: 1
name: small
cluster:
  servers:
    - {name: train, type: dgx-h100, count: 2}
    - {name: more, type: dgx-h100, count: 1}
jobs:
  - name: one
    model: {family: transformer, layers: 2, hidden: 64, heads: 4, context: 64, vocabulary: 128}
    batch: {global: 48, micro: 3}
    parallel: {data: 16}
    steps: 5
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "scenario.yaml"
    file.write_text(TEXT, "utf-8")
    return file


def prepared(file: Path, *settings: str) -> Prepared:
    return prepare(dcsim.load(file, settings))


def problems(file: Path, *replacements: tuple[str, str]) -> list[str]:
    text = TEXT
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, "utf-8")
    loaded: Loaded = dcsim.load(file)
    with pytest.raises(ScenarioError) as refused:
        prepare(loaded)
    return str(refused.value).removeprefix(str(file.parent)).splitlines()


def test_the_ranks_of_a_job_are_on_the_first_pool_that_holds_them(file: Path) -> None:
    (plan,) = prepared(file).jobs
    assert plan.pool == frozenset({0, 1})
    assert plan.servers_needed == 2
    (pinned,) = prepared(file, "jobs.one.servers=more", "jobs.one.parallel.data=8").jobs
    assert pinned.pool == frozenset({2})


def test_more_ranks_than_accelerators(file: Path) -> None:
    (line,) = problems(file, ("data: 16", "data: 48"), ("micro: 3", "micro: 1"))
    assert re.search(r"scenario.yaml:11: jobs.one.parallel.data: found 48 ranks, expected at most 16\b", line)


def test_more_ranks_than_the_named_pool_has(file: Path) -> None:
    (line,) = problems(file, ("steps: 5", "steps: 5\n    servers: more"))
    assert "scenario.yaml:11: jobs.one.parallel.data" in line
    assert "at most 8, the accelerators of pool more" in line


def test_a_radix_that_does_not_hold_the_cards(file: Path) -> None:
    (line,) = problems(file, ("cluster:\n", "cluster:\n  network: {radix: 4}\n"))
    # 24 cards; a tree of radix 4 has 16 hosts, one of radix 6 has 54.
    assert "scenario.yaml:4: cluster.network.radix: found 4" in line
    assert "at least 6" in line
    assert "24 network cards" in line


def test_all_problems_of_structure_at_once(file: Path) -> None:
    lines = problems(
        file, ("cluster:\n", "cluster:\n  network: {radix: 4}\n"), ("data: 16", "data: 48"), ("micro: 3", "micro: 1")
    )
    assert len(lines) == 2


def test_a_checkpoint_needs_storage(file: Path) -> None:
    file.write_text(TEXT + "    checkpoint: {every: 2 steps}\n", "utf-8")
    with pytest.raises(
        ScenarioError, match=r"scenario.yaml:13: jobs.one.checkpoint: found .*no storage.*cluster.storage"
    ):
        prepare(dcsim.load(file))


LARGE = "{family: transformer, layers: 24, hidden: 4096, heads: 32, context: 2048, vocabulary: 50304}"
SMALL = "{family: transformer, layers: 2, hidden: 64, heads: 4, context: 64, vocabulary: 128}"


def test_a_replica_that_does_not_fit_says_what_is_missing_and_which_micro_batch_fits(file: Path) -> None:
    # Long enough that activations, not weights, fill the memory: 48 samples a rank in one micro batch.
    big = SMALL.replace("layers: 2, hidden: 64", "layers: 24, hidden: 1024").replace("context: 64", "context: 4096")
    change = (SMALL, big), ("{global: 48, micro: 3}", "{global: 768, micro: 48}")
    (line,) = problems(file, *change)
    assert "scenario.yaml:9: jobs.one.model: found" in line
    assert all(part in line for part in ("weights", "gradients", "optimizer", "activations", "are missing"))
    remedy = re.search(r"batch.micro: (\d+)", line)
    assert remedy is not None, line
    micro = int(remedy[1])
    assert 48 % micro == 0, "it must divide the 48 samples of a rank"
    (plan,) = prepared(file, f"jobs.one.batch.micro={micro}").jobs
    assert plan.memory.total_bytes <= plan.device.accelerator.memory


def test_a_model_whose_weights_do_not_fit_is_told_so(file: Path) -> None:
    (line,) = problems(file, (SMALL, LARGE.replace("layers: 24", "layers: 96")))
    assert "smaller model" in line


def test_the_digest_is_that_of_the_question(file: Path) -> None:
    first = prepared(file)
    assert first.folder_name == f"small-{first.digest[:12]}"
    assert prepared(file).digest == first.digest
    digests = {prepared(file, change).digest for change in ("seed=1", "jobs.one.steps=6", "site.climate=phoenix")}
    assert len(digests | {first.digest}) == 4
