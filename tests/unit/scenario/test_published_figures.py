"""Published figures of a job: read with units, refused without a figure, and no part of the question."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.errors import ScenarioError
from dcsim.results.result import Metric
from dcsim.scenario.dump import digest_input, dump
from dcsim.scenario.load import load
from dcsim.simulate.measured import rows

SAMPLE = Path(__file__).parents[3] / "scenarios" / "megatron-175b.yaml"
KEY = "jobs.pretrain.measured"


def test_a_published_figure_is_told_beside_the_predicted_one() -> None:
    scenario = load(SAMPLE, [f'{KEY}=[{{step_time: 10 s, mfu: 50 %, source: "A, Table 1"}}]']).scenario
    metrics = {"jobs.pretrain.step_time": Metric(11.0, "s"), "jobs.pretrain.mfu": Metric(0.4, "1")}
    assert [row[:5] for row in rows(scenario, metrics)] == [
        ("pretrain", "step_time", "s", 10.0, 11.0),
        ("pretrain", "mfu", "1", 0.5, 0.4),
    ]
    assert [row[5] for row in rows(scenario, metrics)] == pytest.approx([0.1, -0.2], rel=1e-12)
    assert [row[6] for row in rows(scenario, metrics)] == ["A, Table 1"] * 2
    assert not list(rows(scenario, {}))  # a run that was broken off has no step


def test_what_was_measured_elsewhere_changes_no_digest() -> None:
    given, none = load(SAMPLE).scenario, load(SAMPLE, [f"{KEY}=[]"]).scenario
    assert digest_input(given) == digest_input(none)
    assert "Korthikanti" in dump(given)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{source: "A"}]', r"measured.0: found a block of keys, expected a figure too: step_time"),
        ("[{mfu: 50 %}]", r"measured.0.source: "),
        ('[{mfu: 150 %, source: "A"}]', r"measured.0.mfu: .*at most"),
        ('[{flop_rate: 400, source: "A"}]', r"measured.0.flop_rate: found 400, expected "),
    ],
)
def test_half_a_measurement_is_refused(text: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        load(SAMPLE, [f"{KEY}={text}"])
