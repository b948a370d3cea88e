"""Who is best, what is noise, and what cannot be beaten: by numbers small enough to check by eye."""

from __future__ import annotations

import pandas as pd
import pytest

from dcsim.errors import InputError
from dcsim.report import plain
from dcsim.results.comparison import Comparison, compare
from dcsim.results.result import Metric, Result
from dcsim.results.standing import objectives, undominated, winners


def _result(name: str, cost: float, energy: float, samples: tuple[float, ...] = ()) -> Result:
    metrics = {"site.cost": Metric(cost, "USD"), "site.energy": Metric(energy, "J")}
    rows = [(number, "site.cost", value) for number, value in enumerate(samples)]
    frame = pd.DataFrame(rows, columns=["replication", "metric", "value"])
    return Result(name, name, metrics, {"replications": frame} if samples else {})


@pytest.fixture
def compared() -> Comparison:
    return compare([_result("a", 10.0, 5.0), _result("b", 8.0, 6.0), _result("c", 9.0, 7.0)])


def test_the_winner_leads_the_next_one(compared: Comparison) -> None:
    (cost, energy) = winners(compared, (("site.cost", "minimize"), ("site.energy", "minimize")))
    assert (cost.place, cost.tied) == (1, (1,))
    assert cost.lead == pytest.approx(1 - 8 / 9)
    assert energy.place == 0
    (dearest,) = winners(compared, (("site.cost", "maximize"),))
    assert dearest.place == 0


def test_what_another_beats_in_all_is_not_in_the_pareto_set(compared: Comparison) -> None:
    both = (("site.cost", "minimize"), ("site.energy", "minimize"))
    assert undominated(compared, both) == (0, 1)  # b is cheaper and needs less energy than c
    assert plain.verdicts(compared, both)[-1] == "Not beaten in all of these at once: a, b"


def test_a_difference_whose_paired_interval_holds_zero_is_noise() -> None:
    # Differences 1, -1, 1, -1: mean 0. Differences 1, 1.1, 0.9, 1: mean 1 +- 3.182 x 0.0816 / 2 = 0.13.
    first = _result("a", 10.0, 1.0, (9.0, 10.0, 10.5, 10.5))
    noise = _result("b", 10.0, 1.0, (10.0, 9.0, 11.5, 9.5))
    sure = _result("c", 11.0, 1.0, (10.0, 11.1, 11.4, 11.5))
    found = compare([first, noise, sure])
    row = found.row("site.cost")
    assert row is not None
    assert (row.within_noise(0, 1), row.within_noise(0, 2)) == (True, False)
    pair = row.pair(0, 2)
    assert pair is not None
    assert pair.half_width == pytest.approx(0.1299, abs=1e-4)
    (winner,) = winners(found, (("site.cost", "minimize"),))
    assert winner.tied == (0, 1)
    assert "a, b are equally good" in plain.verdicts(found, (("site.cost", "minimize"),))[0]
    lines = plain.comma_separated(found).splitlines()
    assert lines[0].startswith("metric,unit,variant,value")
    assert next(line for line in lines if line.startswith("site.cost,USD,b")).endswith("True")


def test_markdown_escapes_what_would_break_its_tables(compared: Comparison) -> None:
    text = plain.markdown(compare(list(compared.results), ["a|b", "c\nd", "e"]), (("site.cost", "minimize"),))
    assert "a\\|b" in text
    assert "c d" in text
    assert "(−20 %)" in text


def test_objectives_are_asked_for_by_name(compared: Comparison) -> None:
    assert objectives(compared) == (("site.energy", "minimize"), ("site.cost", "minimize"))
    assert objectives(compared, ["site.cost"]) == (("site.cost", "minimize"),)
    assert objectives(compared, ["site.cost:maximize"]) == (("site.cost", "maximize"),)
    with pytest.raises(InputError, match=r'did you mean "site\.cost"'):
        objectives(compared, ["site.csot"])
    with pytest.raises(InputError, match=r"expected site\.cost:minimize"):
        objectives(compared, ["site.cost:cheap"])
