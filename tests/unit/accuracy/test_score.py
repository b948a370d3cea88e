"""The score of predictions: errors, quantiles, groups, the table and the JSON."""

from __future__ import annotations

import json

import pytest

from dcsim.accuracy.score import Row, quantile, score, summary, table, to_json

ROWS = [
    Row("a", "step time", "s", 1.0, 1.1, naive=0.5, groups={"family": "mlp", "mode": "training"}),
    Row("b", "step time", "s", 2.0, 1.6, naive=1.0, groups={"family": "mlp", "mode": "inference"}),
    Row("c", "step time", "s", 4.0, 4.0, naive=3.0, groups={"family": "cnn", "mode": "training"}),
    Row("d", "step time", "s", 4.0, None, reason="no such device", groups={"family": "cnn", "mode": "training"}),
]


def test_an_error_is_predicted_over_measured_less_one() -> None:
    assert [row.error for row in ROWS] == [pytest.approx(0.1), pytest.approx(-0.2), 0.0, None]
    assert ROWS[0].naive_error == -0.5


def test_a_row_without_a_prediction_counts_against_coverage() -> None:
    found = score([row.error for row in ROWS])
    # 0, 0.1 and 0.2; the 90 % quantile is 0.8 of the way from the second to the third
    assert (found.rows, found.median, found.worst, found.coverage) == (4, pytest.approx(0.1), pytest.approx(0.2), 0.75)
    assert (found.mean, found.ninetieth) == (pytest.approx(0.1), pytest.approx(0.18))


def test_nothing_predicted_has_no_errors() -> None:
    assert score([None]).median is None
    assert score([]).coverage == 0.0


def test_a_quantile_lies_between_the_values_of_a_sample() -> None:
    assert quantile([1.0, 2.0, 5.0], 0.5) == 2.0
    assert quantile([1.0, 2.0, 5.0], 0.75) == 3.5
    assert quantile([3.0], 0.9) == 3.0


def test_the_summary_has_every_group() -> None:
    found = summary(ROWS)
    assert set(found) == {"all", "naive", "by_family", "by_mode"}
    assert found["by_family"]["mlp"]["median"] == pytest.approx(0.15)
    assert found["by_family"]["cnn"]["coverage"] == 0.5
    assert found["naive"]["worst"] == 0.5


def test_the_json_has_the_columns_of_the_contract() -> None:
    found = json.loads(to_json(ROWS, {"conditions": "none"}))
    assert set(found) == {"rows", "summary"}
    contract = {"id", "metric", "unit", "measured", "predicted", "error", "low", "high", "fitted", "reason"}
    assert contract <= set(found["rows"][0])
    assert (found["rows"][3]["predicted"], found["rows"][3]["error"]) == (None, None)
    assert found["rows"][3]["reason"] == "no such device"
    assert found["rows"][0]["family"] == "mlp"
    assert found["summary"]["conditions"] == "none"


def test_the_table_shows_rows_reasons_and_scores() -> None:
    lines = table(ROWS).splitlines()
    assert lines[0].split() == ["id", "measured", "predicted", "error", "naive"]
    assert lines[1].split() == ["a", "1", "s", "1.1", "s", "+10.0%", "-50.0%"]
    assert "d: not predicted: no such device" in lines
    assert next(line for line in lines if line.startswith("all")).split() == [
        "all", "4", "10.0%", "10.0%", "18.0%", "20.0%", "75%",
    ]  # fmt: skip
    assert any(line.startswith("naive roofline") for line in lines)
