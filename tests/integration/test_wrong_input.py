"""Every kind of wrong input through the command line: exit status 2, its line, a remedy, and no run folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dcsim import cli

BASE = """\
dcsim: 1
name: small
cluster:
  servers:
    - {name: train, type: dgx-h100, count: 2}
  network: {link: 400 Gbit/s}
  storage: {nodes: 6}
jobs:
  - name: digits
    model: mlp-mnist
    batch: {global: 64, micro: 8}
    parallel: {data: 8}
    steps: 20
"""

GPT3 = "{family: transformer, layers: 96, hidden: 12288, heads: 96, context: 2048, vocabulary: 50257}"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)

# name: (what is replaced, by what, line of the problem or None, what the message says)
SLIPS = {
    "missing unit": ("400 Gbit/s", "400", 6, 'such as "400 Gbit/s"'),
    "wrong dimension": ("400 Gbit/s", "400 W", 6, 'such as "400 Gbit/s"'),
    "bytes for bits": ("400 Gbit/s", "400 Gb/s", 6, "Gbit/s"),
    "unknown key": ("network: {link", "network: {lnik", 6, 'did you mean "link"'),
    "negative count": ("count: 2", "count: -2", 5, "at least 1"),
    "huge number": ("count: 2", "count: 1e400", 5, "expected"),
    "model too large": ("model: mlp-mnist", f"model: {GPT3}", 10, "are missing"),
    "too many ranks": (
        "global: 64, micro: 8}\n    parallel: {data: 8}",
        "global: 17, micro: 1}\n    parallel: {data: 17}",
        12,
        "at most 16",
    ),
    "uneven batch": ("global: 64", "global: 60", 11, "multiple"),
    "unknown part": ("type: dgx-h100", "type: dgx-h10", 5, 'did you mean "dgx-h100"'),
    "unknown model": ("model: mlp-mnist", "model: mlp-mnst", 10, 'did you mean "mlp-mnist"'),
    "empty file": (BASE, "", None, "empty"),
    "syntax error": ("count: 2}", "count: 2", 6, "expected"),
    "duplicate key": ("name: small\n", "name: small\nname: large\n", 3, "once"),
    "two documents": ("name: small\n", "name: small\n---\nname: large\n", 3, "one document"),
    "code in a tag": ("name: small", "name: !!python/object/apply:os.system ['true']", 2, "without"),
    "exploding aliases": ("dcsim: 1\n", BOMB + "dcsim: 1\n", None, "alias"),
    "not a number": ("steps: 20", "steps: 20\n    optimizer: {learning_rate: .nan}", 14, "finite"),
    "infinity": ("steps: 20", "steps: 20\n    arrive: .inf s", 14, "expected"),
    "below absolute zero": ("cluster:\n", "site: {cooling: {supply: -300 degC}}\ncluster:\n", 3, "-273.15 degC"),
    "unsafe scenario name": ("name: small", "name: ../small", 2, "a name of"),
    "unsafe job name": ("name: digits", "name: a/b", 9, "a name of"),
    "two jobs of one name": (
        "steps: 20\n",
        "steps: 20\n  - {name: digits, model: mlp-mnist, batch: {global: 8, micro: 8}, steps: 1}\n",
        14,
        "digits",
    ),
    "include outside": ("dcsim: 1\n", "include: ../other.yaml\ndcsim: 1\n", 1, "folder"),
    "checkpoint without storage": ("  storage: {nodes: 6}\n", "", None, "storage"),
    "more replicas than nodes": ("{nodes: 6}", "{nodes: 2}", 7, "2"),
    "odd radix": ("link: 400 Gbit/s", "link: 400 Gbit/s, radix: 7", 6, "even"),
    "small radix": ("link: 400 Gbit/s", "link: 400 Gbit/s, radix: 2", 6, "at least"),
    "fault without target": (
        "steps: 20\n",
        "steps: 20\nfaults: [{at: 1 s, kind: server, target: train/9, repair: 1 s}]\n",
        14,
        "train",
    ),
}


def dcsim(*arguments: object) -> Result:
    return CliRunner().invoke(cli.application(), [str(each) for each in arguments], prog_name="dcsim")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_base_is_fine() -> None:
    Path("small.yaml").write_text(BASE)
    assert dcsim("check", "small.yaml").exit_code == 0


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_refused_with_its_line_and_leaves_nothing(slip: str) -> None:
    old, new, line, says = SLIPS[slip]
    text = BASE.replace(old, new)
    assert text != BASE
    if slip == "checkpoint without storage":
        text = text.replace("steps: 20", "steps: 20\n    checkpoint: {every: 5 steps}")
    Path("small.yaml").write_text(text)
    done = dcsim("run", "small.yaml")
    assert done.exit_code == 2, done.output
    place = "small.yaml" if line is None else f"small.yaml:{line}:"
    assert any(text.startswith(place) and says in text for text in done.stderr.splitlines()), done.stderr
    assert "expected" in done.stderr
    assert "Traceback" not in done.output
    assert [entry.name for entry in Path().iterdir()] == ["small.yaml"], "nothing is written"


def test_all_problems_of_a_phase_are_listed_at_once() -> None:
    text = BASE.replace("400 Gbit/s", "400").replace("count: 2", "count: -2").replace("steps: 20", "steps: 0")
    Path("small.yaml").write_text(text)
    problems = [row for row in dcsim("run", "small.yaml").stderr.splitlines() if row.startswith("small.yaml:")]
    assert [row.split(":")[1] for row in problems] == ["5", "6", "13"]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("jobs.digits.stps=5", 'did you mean "steps"'),
        ("jobs.digits.steps", "="),
        ("cluster.network.link=4 W", "Gbit/s"),
    ],
)
def test_a_wrong_setting_is_refused(setting: str, says: str) -> None:
    Path("small.yaml").write_text(BASE)
    done = dcsim("run", "small.yaml", "--set", setting)
    assert done.exit_code == 2
    assert says in done.stderr


def test_an_unwritable_place_is_told_before_anything_is_simulated() -> None:
    Path("small.yaml").write_text(BASE)
    Path("taken").write_text("a file")
    done = dcsim("run", "small.yaml", "--out", "taken")
    assert done.exit_code == 2
    assert "taken" in done.stderr
