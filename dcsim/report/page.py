"""What stands on the page: every value that the templates show, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dcsim.report import capacity, figures, headline, svg, tables
from dcsim.report.capacity import Outlook
from dcsim.report.figures import Drawing
from dcsim.report.numbers import show
from dcsim.report.plain import verdicts
from dcsim.report.tables import Cell, Column, View
from dcsim.results.comparison import Comparison
from dcsim.results.result import Result
from dcsim.results.standing import Objective

_MOST_OPERATION_FIGURES = 4
_TRIAL_COLUMNS = ("job", "trial", "state", "score", "steps", "energy_j", "asked_s", "end_s", "settings")
_READABLE = 0.75  # share of a figure's width below which its text could not be read: narrower screens scroll


@dataclass(frozen=True)
class Item:
    """A figure on the page."""

    title: str
    subtitle: str
    svg: str
    width: float
    least: float


def item(drawing: Drawing) -> Item:
    """Return a figure as the page shows it; without one its title is the sentence that says why."""
    if drawing.figure is None:
        return Item(drawing.title, "", "", 0.0, 0.0)
    width = round(float(drawing.figure.get_size_inches()[0]) * 72.0)
    return Item(drawing.title, drawing.subtitle, svg.inline(drawing), width, round(width * _READABLE))


def jobs_with_operations(result: Result) -> list[str]:
    """Return the jobs whose operations get a figure."""
    named = set(result.table("operations")["job"])
    known = [job for job in result.jobs if job in named]
    return (known or sorted(map(str, named)))[:_MOST_OPERATION_FIGURES]


def of_result(result: Result, drawings: Mapping[str, Drawing], outlook: Outlook) -> dict[str, Any]:
    """Return the values of the template of a result."""
    items = {name: item(drawing) for name, drawing in drawings.items()}
    scenario = headline.scenario_of(result.scenario_text)
    return {
        "title": f"{result.name}: dcsim report",
        "heading": headline.question(scenario, result),
        "facts": _facts(result, scenario),
        "badges": headline.badges(result),
        "sections": _sections(bool(items["learning"].svg)),
        "tiles": headline.tiles(result),
        "limits": [(limit, headline.sentence(limit)) for limit in headline.limits(result)],
        "demand": items["demand"],
        "growth": items["growth"],
        **capacity.of_result(result, outlook),
        "over_time": items["over-time"],
        "time_by_part": items["time-by-part"],
        "plans": _plans(result.manifest),
        "one_step": items["one-step"],
        "measured_table": tables.published(result),
        "part_table": tables.view(result, "step_parts"),
        "energy_flow": items["energy-flow"],
        "learning": items["learning"],
        "link_load": items["link-load"],
        "link_heat": items["link-heat"],
        "operations": [found for name, found in items.items() if name.startswith("operations-")],
        "events": tables.view(result, "events"),
        "operation_table": tables.view(result, "operations"),
        "collective_table": tables.view(result, "collectives", sort="exposed_s"),
        "sharing_table": tables.view(result, "sharing", sort="slowdown"),
        "background_table": tables.view(result, "background"),
        "tier_table": tables.view(result, "tiers"),
        "link_table": tables.view(result, "links", sort="mean_utilization"),
        "trial_table": tables.view(result, "trials", _TRIAL_COLUMNS),
        "smaller_table": tables.view(result, "smaller"),
        "cost_table": tables.view(result, "costs", sort="usd"),
        "metrics": tables.metrics(result),
        "checks": _checks(result),
        "carbon": _carbon(result),
        "yearly": capacity.yearly(result),
        "provenance": _provenance(result),
        "headline_table": _headline(result),
        "warnings": [str(warning) for warning in result.manifest.get("warnings") or ()],
        "executed": _executed(result.manifest),
        "command": "dcsim run scenario.yaml",
        "same": _same(result),
        "scenario_text": result.scenario_text,
        "versions": _versions(result),
    }


def of_comparison(comparison: Comparison, by: Sequence[Objective], outlook: Outlook) -> dict[str, Any]:
    """Return the values of the template of a comparison."""
    labels, told = comparison.labels, verdicts(comparison, by)
    capacities = capacity.of_comparison(comparison, outlook)
    found = [
        ("headline", "Numbers", True),
        ("best", "Which is best", bool(told)),
        ("variants", "What changes", True),
        ("capacity", "Capacity", bool(capacities["capacity_table"].rows)),
        ("inputs", "Inputs", True),
        ("metrics", "Metrics", True),
        ("links", "Links", True),
        ("again", "Again", True),
    ]
    return {
        "title": "dcsim comparison",
        "heading": f"{len(labels)} variants compared",
        "facts": [f"{comparison.axis}: {', '.join(labels)}"] if comparison.axis else list(labels),
        "badges": [],
        "sections": [(anchor, text) for anchor, text, there in found if there],
        "verdicts": told,
        "headline": tables.comparison_headline(comparison, by),
        "pareto": item(figures.tradeoff(comparison, by)),
        **capacities,
        "noisy": any(row.noisy for row in comparison.rows),
        "warning": comparison.warning,
        "inputs": tables.comparison_inputs(comparison),
        "variants": item(figures.variants(comparison)),
        "metrics": tables.comparison_metrics(comparison),
        "links": tables.comparison_links(comparison),
        "runs": tables.comparison_runs(comparison),
        "first": f"{comparison.axis} {labels[0]}".strip(),
    }


def _sections(learned: bool) -> list[tuple[str, str]]:
    sections = [
        ("numbers", "Numbers"),
        ("limits", "Limits"),
        ("demand", "Demand"),
        ("growth", "Growth"),
        ("over-time", "Over time"),
        ("where", "Time and energy"),
        ("learning", "Learning"),
        ("operations", "Operations"),
        ("network", "Network"),
        ("costs", "Costs"),
        ("trust", "Trust"),
        ("metrics", "Metrics"),
        ("inputs", "Inputs"),
        ("again", "Again"),
    ]
    return [section for section in sections if learned or section[0] != "learning"]


def _facts(result: Result, scenario: Mapping[str, Any]) -> list[str]:
    manifest = result.manifest
    found = [f"scenario {result.name}", f"digest {result.digest[:12]}" if result.digest else ""]
    found.append(f"starts {scenario['start']}" if "start" in scenario else "")
    found.append(f"simulated on {str(manifest['date'])[:16].replace('T', ' ')}" if manifest.get("date") else "")
    found.append(f"dcsim {manifest['dcsim']}" if manifest.get("dcsim", "unknown") != "unknown" else "")
    found.append(f"detail {manifest['detail']}" if manifest.get("detail") else "")
    found.append(f"seed {manifest['seed']}" if "seed" in manifest else "")
    if "wall_s" in manifest:
        found.append(f"took {show(float(manifest['wall_s']), 's')}")
    return [fact for fact in found if fact]


def _plans(manifest: Mapping[str, Any]) -> list[str]:
    """Return the plans that were left to be chosen, and why each was."""
    return [f"Plan of {each['job']}: {each['plan']}; {each['why']}." for each in manifest.get("plans") or ()]


def _checks(result: Result) -> View:
    heads = (
        Column("check"),
        Column("left", "", True),
        Column("right", "", True),
        Column("relative difference", "", True),
        Column("verdict"),
    )
    rows = []
    for check in result.manifest.get("checks") or ():
        unit, residual = str(check.get("unit", "")), float(check.get("residual") or 0.0)
        sides = [float(check.get(side) or 0.0) for side in ("left", "right")]
        rows.append(
            (
                Cell(str(check.get("name", ""))),
                *(Cell(f"{show(side, unit, 6)}", repr(side)) for side in sides),
                Cell(f"{residual:.1e}" if residual else "0", repr(residual)),
                Cell("✓ passed" if check.get("passed") else "✗ failed"),
            )
        )
    return View("checks", "Conservation checks", heads, tuple(rows))


def _headline(result: Result) -> View:
    """Return what every decision number rests on, and how far off such numbers were where they were measured."""
    heads = (
        Column("number"),
        Column("value", "", True),
        Column("interval"),
        Column("rests on, and how far off such numbers were"),
    )
    rows = []
    for tile in headline.tiles(result):
        interval = f"{tile.interval} ({tile.reach})" if tile.interval else "one run, no interval"
        rows.append((Cell(tile.label), Cell(tile.value), Cell(interval), Cell(tile.basis.words)))
    return View("headline", "What the decision numbers rest on", heads, tuple(rows))


def _same(result: Result) -> list[tuple[str, str]]:
    """Return what has to be the same for the same numbers to the last bit."""
    manifest = result.manifest
    found = [
        ("digest of the resolved scenario", result.digest),
        ("seed", str(manifest.get("seed", ""))),
        ("replications", str(manifest.get("replications", ""))),
        ("processor", str(manifest.get("cpu", ""))),
        ("simulated on", str(manifest.get("date", ""))[:16].replace("T", " ")),
    ]
    return [(name, text) for name, text in found if text]


def _carbon(result: Result) -> str:
    parts = []
    for name, words in (
        ("site.carbon", "carbon of the electricity"),
        ("site.water", "water"),
        ("site.energy", "energy from the grid"),
    ):
        if name in result.metrics:
            parts.append(f"{show(result.metrics[name].value, result.metrics[name].unit)} {words}")
    scope = result.manifest.get("carbon_scope")
    counted = f" Carbon is counted by the scope {scope}." if scope and parts else ""
    return "; ".join(parts) + "." + counted if parts else ""


def _provenance(result: Result) -> str:
    counted = Counter(str(metric.provenance) for metric in result.metrics.values())
    if not counted:
        return "The run reports no metrics."
    words = {
        "measured": "measured by executing the real math",
        "calibrated": "calibrated on published measurements",
        "first-principles": "computed from first principles and the numbers of the catalogue",
    }
    listed = "; ".join(f"{counted[kind]} {words[kind]}" for kind in words if counted[kind])
    return f"Of {counted.total()} metrics: {listed}. The checks below are what the run verified about itself."


def _executed(manifest: Mapping[str, Any]) -> list[str]:
    """Return what the run knows of the math it executed: the sum of the simulated all-reduce, the final weights."""
    found = []
    differences, weights = manifest.get("gradient_difference") or {}, manifest.get("weights") or {}
    for job in sorted({*differences, *weights}):
        texts = []
        if differences.get(job) is not None:
            texts.append(
                f"the simulated all-reduce differs from the full-batch gradient by {differences[job]:.1e} (relative L2)"
            )
        if job in weights:
            texts.append(f"final weights have the digest {weights[job]}")
        found.append(f"{job}: {'; '.join(texts)}.")
    return found


def _versions(result: Result) -> str:
    manifest = result.manifest
    versions = {key: manifest[key] for key in ("dcsim", "python") if key in manifest} | dict(
        manifest.get("libraries") or {}
    )
    texts = [f"{name} {version}" for name, version in versions.items() if version != "unknown"]
    texts += [str(manifest[key]) for key in ("platform", "cpu") if manifest.get(key)]
    if "events" in manifest:
        texts.append(f"{int(manifest['events']):,} events".replace(",", "\u202f"))
    return " · ".join(texts)
