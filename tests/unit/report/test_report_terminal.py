"""The terminal: at most 25 lines, nothing wider than 100 columns, nothing read as markup."""

from __future__ import annotations

import io
from dataclasses import replace
from types import ModuleType

from rich.console import Console

from dcsim.report import terminal
from dcsim.report.tables import published
from dcsim.results import Metric, Result, compare


def text(renderable: terminal.Sheet, width: int = 80) -> str:
    """Print as the command line does into a pipe."""
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, markup=False, soft_wrap=True).print(renderable)
    return stream.getvalue()


def test_the_summary_fits(result: Result) -> None:
    lines = text(terminal.summary(result)).splitlines()
    assert len(lines) <= 24  # and one for the folder
    assert max(len(line) for line in lines) <= 100
    assert not any("…" in line for line in lines)
    joined = "\n".join(lines)
    for words in (
        "86.9 s",
        "7.93 Mtokens/s",
        "36.4 %",
        "2.42 kWh",
        "124 kW",
        "1.16",
        "1.39 USD",
        "99 gCO2e",
        "10.4 K left",
        "✓ finished",
    ):
        assert words in joined


def test_published_figures_stand_beside_those_of_the_run(result: Result, synthetic: ModuleType) -> None:
    rows = [("pretrain", "mfu", "1", 0.5, 0.4, -0.2, "A, Table 1"), ("pretrain", "step_time", "s", 2.0, 2.5, 0.25, "B")]
    told = replace(result, tables={**result.tables, "measured": synthetic.frame("measured", rows)})
    printed = text(terminal.summary(told))
    assert "pretrain, published: 50 %, here 40 % (−20 %); A, Table 1" in printed
    assert "pretrain, published: 2 s, here 2.5 s (+25 %); B" in printed
    table = published(told)
    assert [head.title for head in table.columns] == ["job", "figure", "published", "here", "error", "source"]
    assert [cell.text for cell in table.rows[1]][2:] == ["2 s", "2.5 s", "+25 %", "B"]


def test_many_jobs_and_limits_still_fit(synthetic: ModuleType) -> None:
    metrics = {
        f"jobs.job-{i}-[red]{'x' * 60}.{name}": Metric(1.0, unit)
        for i in range(50)
        for name, unit in (("finish", "s"), ("energy", "J"))
    }
    limits = synthetic.frame(
        "limits", [(f"limit {i} [bold]" + "y" * 90, 1.0, 2.0, "W", i / 40, "z" * 90) for i in range(40)]
    )
    shown = text(terminal.summary(synthetic.result(metrics=synthetic.metrics() | metrics, tables={"limits": limits})))
    lines = shown.splitlines()
    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= 100
    assert "[red]" in shown
    assert "… 48 more" in shown


def test_an_empty_result_has_a_summary() -> None:
    assert "partial" in text(terminal.summary(Result("empty", "", {}, {}, partial=True)))


def test_the_comparison_fits(synthetic: ModuleType) -> None:
    lines = text(terminal.comparison(compare(synthetic.variants()))).splitlines()
    assert len(lines) <= 25
    assert max(len(line) for line in lines) <= 100
    joined = "\n".join(lines)
    assert "cluster.network.oversubscription" in joined
    step = next(line for line in lines if line.startswith("pretrain: step time [ms]"))
    assert step.split()[-2:] == ["117", "+88%"]
    assert "36 of 40 metrics differ by less than 0.1 %" in joined
    assert "75 %, 100 %" in joined  # core: 9.64 % x 8 less what is clipped at full load


def test_details_list_every_metric_and_check(result: Result) -> None:
    shown = text(terminal.details(result))
    assert all(name in shown for name in result.metrics)
    assert "bytes sent = bytes received" in shown


def quickstart(synthetic: ModuleType) -> Result:
    """The synthetic run with the words, numbers and limits of the quickstart."""
    limits = [
        ("power feed", 1.145e5, 2.04e5, "W", 0.439, "a larger site.power.capacity"),
        ("cooling plant", 1.108e5, 2.448e5, "W", 0.547, "a larger site.cooling.capacity"),
        ("accelerators in use", 128.0, 128.0, "1", 0.0, "more servers"),
        (
            "busiest link of tier edge, on average",
            3.6e10,
            4.575e10,
            "B/s",
            0.213,
            "less oversubscription, or another spread of flows",
        ),
    ]
    metrics = synthetic.metrics()
    metrics["jobs.pretrain.mfu"] = Metric(0.246, "1", bound_by="compute units")
    metrics["jobs.pretrain.token_rate"] = Metric(34.2e6, "tokens/s", bound_by="compute units")
    found: Result = synthetic.result(
        metrics=metrics,
        tables=synthetic.tables() | {"limits": synthetic.frame("limits", limits)},
        manifest=synthetic.manifest() | {"carbon_scope": "average-lifecycle"},
    )
    return found


def test_the_summary_of_the_quickstart_is_whole(synthetic: ModuleType) -> None:
    shown = text(terminal.summary(quickstart(synthetic)))
    lines = shown.splitlines()
    assert "…" not in shown
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100
    assert "lifted by less oversubscription, or another spread of flows" in shown
    assert "average-lifecycle, 9.1 L of water" in shown
    assert "site.cooling.capacity" not in shown  # more than half is left


def test_the_badge_says_how_the_run_ended(synthetic: ModuleType) -> None:
    unfinished = {name: metric for name, metric in synthetic.metrics().items() if name != "jobs.learn.finish"}
    stopped = text(terminal.summary(synthetic.result(metrics=unfinished)))
    assert "! stopped at 92 s, 1 of 2 jobs unfinished" in stopped
    assert "✓ finished" not in stopped
    failed = synthetic.result(partial=True, manifest=synthetic.manifest() | {"stopped": "servers overheated"})
    assert "✗ failed: servers overheated" in text(terminal.summary(failed))


def test_one_axis_is_named_once(synthetic: ModuleType) -> None:
    shown = text(terminal.comparison(compare(synthetic.variants(), ["1", "2", "4", "8"])))
    assert shown.count("oversubscription") == 1
    assert shown.splitlines()[0].split() == ["cluster.network.oversubscription", "1", "2", "4", "8"]


def test_different_carbon_scopes_are_warned_of(synthetic: ModuleType) -> None:
    runs = [
        synthetic.result(name=scope, manifest={"carbon_scope": scope}) for scope in ("average-lifecycle", "marginal")
    ]
    first = text(terminal.comparison(compare(runs))).splitlines()[0]
    assert first.startswith("! carbon is counted by different scopes")
    assert "different scopes" not in text(terminal.comparison(compare(runs[:1] * 2)))


def test_the_plan_that_was_chosen_is_told_with_the_reason(synthetic: ModuleType) -> None:
    result = synthetic.result()
    plan = {"job": "pretrain", "plan": "t8 d2 micro 1", "why": "fastest of 3 played by events"}
    shown = text(terminal.summary(replace(result, manifest={**result.manifest, "plans": [plan]})))
    assert "pretrain, its plan: t8 d2 micro 1\n  fastest of 3 played by events\n" in shown
    assert len(shown.splitlines()) <= 24
