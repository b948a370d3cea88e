"""Every way to write a wrong scenario, and the one message it gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dcsim.errors import ScenarioError
from dcsim.scenario.load import load

SAMPLE = (Path(__file__).parent / "sample.yaml").read_text()
SLIPS = YAML(typ="safe", pure=True).load(Path(__file__).parent / "slips.yaml")
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
)


def messages(folder: Path, content: str | bytes, settings: tuple[str, ...] = ()) -> list[str]:
    """Return the problems of a file, its name cut off."""
    path = folder / "x.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ScenarioError) as caught:
        load(path, settings)
    return [str(problem).replace(str(path), "x.yaml") for problem in caught.value.problems]


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip.get("set") or f"{slip['old']} -> {slip['new']}"[:60])
def test_one_slip_gets_one_message(tmp_path: Path, slip: dict[str, str]) -> None:
    if "set" in slip:
        assert messages(tmp_path, SAMPLE, (slip["set"],)) == [slip["message"]]
    else:
        assert slip["old"] in SAMPLE
        assert messages(tmp_path, SAMPLE.replace(slip["old"], slip["new"], 1)) == [slip["message"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", '1: found an empty file, expected keys such as "dcsim: 1"'),
        ("# nothing yet\n", '1: found an empty file, expected keys such as "dcsim: 1"'),
        ("hello", '1: found "hello", expected keys such as "dcsim: 1"'),
        ("- a\n- b\n", '1: found a list, expected keys such as "dcsim: 1"'),
        (SAMPLE + "---\n" + SAMPLE, '41: found a second document, expected one document ("---" at most once)'),
        (BOMB, "6: found more than 100000 values, aliases expanded, expected fewer"),
        ("a: " + "[" * 100_000, "1: found more than 32 levels of nesting, expected fewer"),
        ("\n".join(" " * i + "a:" for i in range(500)), "34: found more than 32 levels of nesting, expected fewer"),
        ("a: 1\nb: \x07\n", None),
        ("? [a]\n: 1\n", "1: found a key that is not text, expected a word as key"),
        ("%YAML 9.9\n---\na: 1\n", None),
        ('a: "\\UFFFFFFFF"\n', None),
        (b"dcsim: 1\n\x00\x01", "2: found a zero byte, expected a text file in UTF-8"),
        (b"dcsim: 1\nname: \xe9\n", "2: found the byte 0xe9, which is not UTF-8, expected a text file in UTF-8"),
        (SAMPLE.encode("utf-16"), "1: found the byte 0xff, which is not UTF-8, expected a text file in UTF-8"),
        ("#" * (1 << 20) + "\n", None),
    ],
)
def test_what_is_no_scenario_gets_one_message(tmp_path: Path, content: str | bytes, message: str | None) -> None:
    (found,) = messages(tmp_path, content)
    assert message is None or found == f"x.yaml:{message}"


def test_all_problems_at_once_in_order_of_lines(tmp_path: Path) -> None:
    text = SAMPLE.replace("400 Gbit/s", "400").replace("train/15", "train/99").replace("steps: 200\n", "stepz: 200\n")
    text = text.replace("22 degC", "22 K/s").replace("seed: 7", "seed: 7\nseed: 7")
    found = [message.split(": found")[0] for message in messages(tmp_path, text)]
    assert found == [
        "x.yaml:4",
        "x.yaml:15: site.cooling.supply",
        "x.yaml:19: cluster.network.link",
        "x.yaml:31: jobs.learn.steps",
        "x.yaml:36: jobs.learn.stepz",
        "x.yaml:39: faults.0.target",
    ]


def test_messages_are_free_of_jargon_and_of_what_moves_a_cursor(tmp_path: Path) -> None:
    text = SAMPLE.replace("name: learn", 'name: "\\e[31mred"').replace("seed: 7", '"\\e[2J": 7')
    found = messages(tmp_path, text)
    assert len(found) == 2
    assert all(message.isprintable() for message in found)


def test_several_wrong_settings_are_told_at_once(tmp_path: Path) -> None:
    assert len(messages(tmp_path, SAMPLE, ("jobs.pretran.steps=5", "jobs.larn.steps=5"))) == 2


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "quickstart.yaml").write_text(SAMPLE)
    for path, message in {
        tmp_path / "quickstrat.yaml": 'found no such file, expected a scenario file; did you mean "quickstart.yaml"?',
        tmp_path: "found a folder, expected a scenario file",
        tmp_path / "no" / "x.yaml": "found no such file, expected a scenario file",
        Path("/dev/null"): "found no regular file, expected a scenario file",
    }.items():
        with pytest.raises(ScenarioError) as caught:
            load(path)
        assert str(caught.value) == f"{path}: {message}"


def test_a_path_that_the_system_refuses(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError):
        load(tmp_path / ("x" * 5000))
    with pytest.raises(ScenarioError):
        load(str(tmp_path) + "/a\0b")
