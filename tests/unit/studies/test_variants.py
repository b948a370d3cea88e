"""How ``--vary`` is read and what it makes of a scenario."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from dcsim.errors import InputError, Problem, ScenarioError
from dcsim.studies.variants import axis, vary


@dataclass(frozen=True)
class FakeLoaded:
    """Stands for a loaded scenario: remembers what was set, refuses the value "bad"."""

    settings: tuple[str, ...] = ()
    scenario: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(name="base"))

    def replace(self, changes: list[str], origin: str) -> FakeLoaded:
        wrong = [text.partition("=")[0] for text in changes if text.endswith("=bad")]
        if wrong:
            raise ScenarioError([Problem(origin, None, path, '"bad"', "something good") for path in wrong])
        return FakeLoaded(tuple(changes))


def test_an_axis_is_a_path_and_values() -> None:
    read = axis("cluster.network.oversubscription=1, 2,4")
    assert (read.path, read.values, read.word) == (
        "cluster.network.oversubscription",
        ("1", "2", "4"),
        "oversubscription",
    )


def test_values_keep_their_units_and_their_own_equals_signs() -> None:
    assert axis("a.link=100 Gbit/s,400 Gbit/s").values == ("100 Gbit/s", "400 Gbit/s")
    assert axis("a.b=x=1,y").values == ("x=1", "y")


def test_commas_in_brackets_and_quotes_belong_to_the_value() -> None:
    assert axis('a.b=[1,2],{c: 1, d: 2},"x,y"').values == ("[1,2]", "{c: 1, d: 2}", '"x,y"')


@pytest.mark.parametrize("text", ["", "a.b", "a.b=", "=1,2", "a.b=1,,2", "a.b=1,"])
def test_a_wrong_axis_is_an_input_error_that_shows_the_form(text: str) -> None:
    with pytest.raises(InputError, match="PATH=VALUE,VALUE"):
        axis(text)


def test_without_axes_there_is_the_scenario_itself() -> None:
    loaded = FakeLoaded()
    assert vary(loaded, []) == [("base", loaded)]


def test_axes_multiply_with_the_last_one_fastest() -> None:
    # 2 values x 2 values = 4 variants.
    variants = vary(FakeLoaded(), ["a.x=1,2", "b.y=3,4"])
    assert [label for label, _ in variants] == ["x=1, y=3", "x=1, y=4", "x=2, y=3", "x=2, y=4"]
    assert variants[1][1].settings == ("a.x=1", "b.y=4")


def test_equal_last_words_are_told_apart_by_their_paths() -> None:
    assert [label for label, _ in vary(FakeLoaded(), ["a.x=1,2"])] == ["1", "2"]
    assert [label for label, _ in vary(FakeLoaded(), ["a.x=1", "b.x=2"])] == ["a.x=1, b.x=2"]


def test_a_path_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match="each path once"):
        vary(FakeLoaded(), ["a.x=1", "a.x=2"])


def test_the_problems_of_all_variants_are_listed_once() -> None:
    # "bad" with 1 and "bad" with 2 is the same problem; the pair bad, bad has that of b.y too.
    with pytest.raises(ScenarioError) as caught:
        vary(FakeLoaded(), ["a.x=bad", "b.y=1,2,bad"])
    assert [problem.path for problem in caught.value.problems] == ["a.x", "b.y"]
