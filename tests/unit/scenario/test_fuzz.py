"""Whatever a file holds, loading it returns a scenario or says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dcsim.errors import ScenarioError
from dcsim.scenario.load import load

SAMPLE = (Path(__file__).parent / "sample.yaml").read_text()
MARKS = [
    "\n",
    "\t",
    ":",
    "-",
    "[",
    "]",
    "{",
    "}",
    ",",
    "?",
    "|",
    ">",
    "'",
    '"',
    "#",
    "~",
    "@",
    "`",
    "%",
    "\x00",
    "\x85",
    "é",
]
WORDS = ["&a", "*a", "!!int", "!x", "<<:", "---", "...", "%YAML", "null", "-1", "1e999", ".nan", "\\x", "name", "jobs"]
PIECES = st.sampled_from([*MARKS, *WORDS, " ", "  ", ": ", "- ", "---\n", "%YAML 1.2\n"])
BOUNDED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(folder: Path, content: str | bytes) -> None:
    path = folder / "x.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    try:
        load(path)
    except ScenarioError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.found
            assert problem.expected
            assert "\n" not in str(problem)
            assert "pydantic" not in str(problem)


@BOUNDED
@given(edits=st.lists(st.tuples(st.integers(0, len(SAMPLE)), st.integers(0, 8), PIECES), min_size=1, max_size=4))
def test_a_damaged_scenario(tmp_path: Path, edits: list[tuple[int, int, str]]) -> None:
    text = SAMPLE
    for start, cut, piece in edits:
        text = text[:start] + piece + text[start + cut :]
    read(tmp_path, text)


@BOUNDED
@given(data=st.one_of(st.binary(max_size=60), st.text(max_size=60), st.lists(PIECES, max_size=30).map("".join)))
@example(data="a: &a [*a]")
@example(data="? : ?")
def test_any_bytes(tmp_path: Path, data: str | bytes) -> None:
    read(tmp_path, data)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(max_size=5),
    st.sampled_from(["5 W", "1 h", "x"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
PATHS = """
dcsim name seed start until detail parts parts.accelerators replications services record record.series
site site.climate site.grid site.grid.carbon site.power.capacity site.cooling
cluster cluster.servers cluster.servers.train cluster.servers.train.name cluster.servers.train.count
cluster.network cluster.network.link cluster.storage cluster.storage.nodes
jobs jobs.learn jobs.learn.name jobs.learn.model jobs.learn.model.family jobs.learn.batch jobs.learn.batch.global
jobs.learn.checkpoint jobs.learn.checkpoint.every jobs.learn.execute.target.loss jobs.learn.steps
faults faults.0 faults.0.target faults.0.at
"""


@BOUNDED
@given(path=st.sampled_from(["", *PATHS.split()]), value=VALUES)
def test_any_value_anywhere(path: str, value: object) -> None:
    loaded = load(Path(__file__).parent / "sample.yaml")
    try:
        loaded.replace({path: value})
    except ScenarioError as error:
        assert error.problems
