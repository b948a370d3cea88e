"""How ranks agree on a gradient, as the scenario says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.errors import ScenarioError
from dcsim.scenario.compression import Int8, Sign, TopK
from dcsim.scenario.load import load
from dcsim.scenario.parallel import Hierarchical, Library, ParameterServer, Plain

SAMPLE = Path(__file__).parent / "sample.yaml"
KEY = "jobs.learn.parallel.reduce"
BLOCKS = (
    "one of ring, tree, library, hierarchical, parameter-server, federated, "
    'or a block such as "{kind: parameter-server, shards: 4}"'
)


@pytest.mark.parametrize(
    ("text", "reduction"),
    [
        ("tree", Plain(kind="tree")),
        ("{kind: ring}", Plain(kind="ring")),
        ("library", Library(kind="library")),
        ("{kind: library, algorithm: in-switch}", Library(kind="library", algorithm="in-switch")),
        ("{kind: library, protocol: ll128}", Library(kind="library", protocol="ll128")),
        ("hierarchical", Hierarchical(kind="hierarchical", group=None)),
        ("{kind: hierarchical, group: 4}", Hierarchical(kind="hierarchical", group=4)),
        ("parameter-server", ParameterServer(kind="parameter-server", shards=1)),
        ("{kind: parameter-server, shards: 8}", ParameterServer(kind="parameter-server", shards=8)),
    ],
)
def test_a_name_or_a_block_says_the_reduction(text: str, reduction: object) -> None:
    parallel = load(SAMPLE, [f"{KEY}={text}"]).scenario.jobs[1].parallel
    assert parallel.reduction == reduction


def test_a_library_chooses_unless_told_otherwise_and_a_ring_where_math_follows_it() -> None:
    job = load(SAMPLE).scenario.jobs[1]
    assert job.execute is not None
    assert job.reduction == Plain(kind="ring")
    assert job.model_copy(update={"execute": None}).reduction == Library(kind="library")
    named = load(SAMPLE, [f"{KEY}=library"]).scenario.jobs[1]
    assert named.reduction == Library(kind="library")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "star",
            f'{KEY}: found "star", expected "ring", "tree", "library", "hierarchical", "parameter-server" '
            'or "federated"',
        ),
        ("3", f"{KEY}: found 3, expected {BLOCKS}"),
        ("{shards: 2}", f"{KEY}: found a block of keys, expected {BLOCKS}"),
        ("{kind: hierarchical, group: 3}", f"{KEY}.group: found 3, expected a number that divides parallel.data, 8"),
        ("{kind: parameter-server, shards: 9}", f"{KEY}.shards: found 9, expected at most parallel.data, 8"),
        ("{kind: federated, clients: 3}", f"{KEY}.clients: found 3, expected a number that divides parallel.data, 8"),
        (
            "{kind: federated, local_steps: 1, clients: 2, shares: [50 %, 30 %, 20 %]}",
            f"{KEY}.shares: found 3 shares, expected one for each of the 2 clients",
        ),
        (
            "{kind: federated, local_steps: 1, clients: 2, shares: [50 %, 30 %]}",
            f"{KEY}.shares: found a sum of 80 %, expected shares that sum to 100 %",
        ),
        ("{kind: tree, x: 1}", f'{KEY}.x: found an unknown key "x", expected one of kind'),
        (
            "{kind: parameter-server, shard: 9}",
            f'{KEY}.shard: found an unknown key "shard", expected one of kind, shards, updates; did you mean "shards"?',
        ),
    ],
)
def test_a_wrong_reduction_gets_one_message(text: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(SAMPLE, [f"{KEY}={text}"])
    assert [str(problem) for problem in caught.value.problems] == [f"--set: {message}"]


def test_local_steps_cut_the_batch() -> None:
    with pytest.raises(ScenarioError, match=r"x parallel.data x local_steps = 8 x 8 x 3 = 192"):
        load(SAMPLE, [f"{KEY}={{kind: federated, local_steps: 3}}"])


def test_only_executed_jobs_can_be_asynchronous() -> None:
    asynchronous = "jobs.{}.parallel.reduce={{kind: parameter-server, updates: asynchronous}}"
    assert load(SAMPLE, [asynchronous.format("learn")]).scenario.jobs[1].parallel.asynchronous
    with pytest.raises(ScenarioError, match='updates: found "asynchronous", expected synchronous: what'):
        load(SAMPLE, [asynchronous.format("pretrain")])


def test_clients_unless_told_otherwise_are_ranks() -> None:
    parallel = load(SAMPLE, ["jobs.learn.batch.global=320", f"{KEY}=federated"]).scenario.jobs[1].parallel
    assert (parallel.clients, parallel.local_steps) == (8, 5)


@pytest.mark.parametrize(
    ("text", "coding"),
    [
        ("null", None),
        ("int8", Int8(kind="int8", block=256, error_feedback=False)),
        ("sign", Sign(kind="sign", block=256, error_feedback=True)),
        ("top-k", TopK(kind="top-k", keep=0.01, error_feedback=True)),
        ("{kind: top-k, keep: 10 %, error_feedback: false}", TopK(kind="top-k", keep=0.1, error_feedback=False)),
    ],
)
def test_a_name_or_a_block_says_the_compression(text: str, coding: object) -> None:
    parallel = load(SAMPLE, [f"jobs.learn.parallel.compression={text}"]).scenario.jobs[1].parallel
    assert parallel.coding == coding


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zip", ': found "zip", expected "top-k", "int8" or "sign"'),
        ("{kind: top-k, keep: 0 %}", '.keep: found "0 %", expected a ratio above zero'),
        ("{kind: top-k, block: 3}", '.block: found an unknown key "block", expected one of error_feedback, keep, kind'),
        ("{kind: sign, block: 0}", ".block: found 0, expected a whole number of at least 1"),
    ],
)
def test_a_wrong_compression_gets_one_message(text: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(SAMPLE, [f"jobs.learn.parallel.compression={text}"])
    assert [str(problem) for problem in caught.value.problems] == [f"--set: jobs.learn.parallel.compression{message}"]


ALONE = (
    "expected nothing with data: 1, since gradients of one rank have no others to be summed with: leave reduce out, or "
    "write data: 2 or more; reduce: library suits sweeps that begin at 1"
)


@pytest.mark.parametrize(
    ("reduce", "found"),
    [
        ("ring", "ring"),
        ("{kind: tree}", "tree"),
        ("hierarchical", "hierarchical"),
        ("{kind: parameter-server, shards: 4}", "parameter-server"),
        ("{kind: federated, local_steps: 1}", "federated"),
        ("{kind: library, algorithm: tree}", "library"),
        ("{kind: library, protocol: ll}", "library"),
    ],
)
def test_a_schedule_for_the_gradients_of_one_rank_is_refused(reduce: str, found: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(SAMPLE, ["jobs.learn.parallel.data=1", f"{KEY}={reduce}"])
    assert str(caught.value) == f'--set: {KEY}: found "{found}", {ALONE}'


@pytest.mark.parametrize("reduce", ["library", "{kind: library}", "null"])
def test_a_sweep_may_begin_at_one_rank_where_no_schedule_is_named(reduce: str) -> None:
    jobs = [load(SAMPLE, [f"jobs.learn.parallel.data={n}", f"{KEY}={reduce}"]).scenario.jobs[1] for n in (1, 2, 4)]
    assert [job.ranks for job in jobs] == [1, 2, 4]
