"""What a result says in short, for page and terminal: the question, the verdicts, the decision numbers, the limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dcsim.report.numbers import percent, shorten, show
from dcsim.report.tables import interval, number
from dcsim.results import dictionary, known_errors
from dcsim.results.known_errors import Basis
from dcsim.results.result import Metric, Result

_TIGHT, _OVER = 0.1, -1e-9  # headroom below which a limit is called near, or exceeded
_KILLED = " was killed after "  # what the warning of a job that was killed says
_AMPLE = 0.5  # headroom above which nobody asks how to lift a limit


@dataclass(frozen=True)
class Badge:
    """A verdict in a word or two; ``mood`` is good, warn or bad and is also said by ``sign``."""

    text: str
    mood: str

    @property
    def sign(self) -> str:
        """A sign beside the color."""
        return {"good": "✓", "warn": "!", "bad": "✗"}[self.mood]


@dataclass(frozen=True)
class Tile:
    """One decision number with what stands under it; ``reach`` says what the interval is."""

    label: str
    value: str
    interval: str
    basis: Basis
    bound_by: str
    notes: tuple[str, ...]
    name: str = ""
    reach: str = "95 % interval"


@dataclass(frozen=True)
class Limit:
    """One resource and how much of it is left; ``filled`` is how much of the bar is [%]."""

    what: str
    used: str
    room: str
    headroom: float
    filled: float
    lifted_by: str

    @property
    def mood(self) -> str:
        """How near the limit is: good, warn or bad."""
        return "bad" if self.headroom < _OVER else "warn" if self.headroom < _TIGHT else "good"


def scenario_of(text: str) -> Mapping[str, Any]:
    """Return the scenario kept with a run as plain values, empty where it is no YAML."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        return {}
    return found if isinstance(found, Mapping) else {}


def question(scenario: Mapping[str, Any], result: Result) -> str:
    """Return what was asked, in words such as "16 dgx-h100 servers: pretrain trains gpt2-small"."""
    cluster = scenario.get("cluster") or {}
    pools = [f"{pool.get('count', '?')} {pool.get('type', '')} servers" for pool in cluster.get("servers") or ()]
    jobs = [f"{job.get('name')} {_does(job)} {_model(job.get('model'))}" for job in scenario.get("jobs") or ()]
    more = f" and {len(jobs) - 3} more jobs" if len(jobs) > 3 else ""
    text = " and ".join(pools) + (": " if pools and jobs else "") + ", ".join(jobs[:3]) + more
    return text or result.name


def _does(job: Mapping[str, Any]) -> str:
    """Say what a job does with its model."""
    words = {"score": "scores with", "prefill": "reads prompts with", "decode": "writes tokens with"}
    return words.get(str((job.get("inference") or {}).get("step")), "trains")


def _model(model: Any) -> str:
    if not isinstance(model, Mapping):
        return str(model)
    return str(model.get("function") or f"its own {model.get('family', 'model')}")


def badges(result: Result) -> list[Badge]:
    """Return the verdicts: finished or not, checks, faults, limits."""
    warnings = [str(warning) for warning in result.manifest.get("warnings") or ()]
    killed = [warning for warning in warnings if _KILLED in warning]
    # Why a job never ended is what its user has to know first.
    found = [_ending(result), *(Badge(_reason(warning), "bad") for warning in killed)]
    checks = list(result.manifest.get("checks") or ())
    failed = [check for check in checks if not check.get("passed")]
    if failed:
        found.append(Badge(f"{len(failed)} of {len(checks)} checks failed", "bad"))
    elif checks:
        found.append(Badge(f"{len(checks)} conservation checks passed", "good"))
    events = result.table("events")
    faults = int((events["kind"] == "fault").sum())
    if faults:
        found.append(Badge(f"{faults} fault{'s' if faults > 1 else ''}", "warn"))
    worst = limits(result)[:1]
    if worst and worst[0].mood != "good":
        word = "over limit" if worst[0].mood == "bad" else "at limit" if worst[0].headroom <= 0.0 else "near limit"
        found.append(Badge(f"{word}: {shorten(worst[0].what, 40)}", worst[0].mood))
    if len(warnings) > len(killed):
        count = len(warnings) - len(killed)
        found.append(Badge(f"{count} warning{'s' if count > 1 else ''}", "warn"))
    return found


def _reason(killed: str) -> str:
    """Return "job killed: reason" of a warning "job was killed after so many steps: reason"."""
    name, _, rest = killed.partition(_KILLED)
    return f"{name} killed: {rest.partition(': ')[2]}"


def _ending(result: Result) -> Badge:
    """Say whether every job of the run finished, and if not why."""
    if result.manifest.get("stopped"):
        return Badge(f"failed: {result.manifest['stopped']}", "bad")
    if result.partial:
        return Badge("partial: interrupted", "bad")
    jobs = list(result.manifest.get("jobs") or ())
    undone = sum(1 for job in jobs if f"jobs.{job}.finish" not in result.metrics)
    if not undone:
        return Badge("finished", "good")
    at = show(_value(result, "run.duration"), "s")
    return Badge(f"stopped at {at}, {undone} of {len(jobs)} job{'s' if len(jobs) > 1 else ''} unfinished", "warn")


def limits(result: Result) -> list[Limit]:
    """Return the limits, the one with the least headroom first; rows without a headroom are left out."""
    table = result.table("limits")
    found = []
    for row in table.to_dict("records"):
        headroom = float(row["headroom"])
        if not math.isfinite(headroom):
            continue
        unit = str(row["unit"])
        used, capacity = float(row["used"]), float(row["capacity"])
        text = f"{_amount(used, unit)} of {_amount(capacity, unit)}"
        # A share of a temperature means nothing: its room is a difference, its bar begins at 0 degC.
        room = show(capacity - used, "K") if unit == "degC" else _left(headroom)
        share = used / capacity if unit == "degC" and capacity > 0.0 else 1.0 - headroom
        filled = 100.0 * min(1.0, max(0.0, share))
        remedy = str(row["lifted_by"] or "") if headroom <= _AMPLE else ""
        found.append(Limit(str(row["what"]), text, room, headroom, filled, remedy))
    return sorted(found, key=lambda limit: limit.headroom)


def _amount(value: float, unit: str) -> str:
    """Return a quantity, or a count with all its digits: 16,384 accelerators are not 16,400."""
    return f"{value:,.0f}" if unit == "1" and value.is_integer() else show(value, unit)


def _left(headroom: float) -> str:
    """Return a headroom in percent that never rounds to all or to nothing."""
    return ">99 %" if 0.99 < headroom < 1.0 else percent(max(0.0, headroom), 2)


def sentence(limit: Limit) -> str:
    """Return one limit as a sentence."""
    left = (
        "over its limit" if limit.headroom < _OVER else "none left" if limit.headroom <= 0.0 else f"{limit.room} left"
    )
    text = f"{limit.what[:1].upper()}{limit.what[1:]}: {left}, {limit.used}"
    return f"{text}; lifted by {limit.lifted_by}." if limit.lifted_by else f"{text}."


def main_job(result: Result) -> str:
    """Return the job that used the most energy, "" where there is none."""
    return max(result.jobs, key=lambda job: _value(result, f"jobs.{job}.energy") or 0.0, default="")


def tiles(result: Result) -> list[Tile]:
    """Return the decision numbers that the result has, at most eight."""
    job = main_job(result)
    others = [name for name in result.jobs if name != job]
    start = f"jobs.{job}."
    finish = [f"{shorten(name, 16)}: {show(_value(result, f'jobs.{name}.finish'), 's')}" for name in others[:2]]
    wanted: tuple[tuple[str, list[str]], ...] = (
        (f"{start}finish", finish + ([f"and {len(others) - 2} more jobs"] if len(others) > 2 else [])),
        (f"{start}token_rate", _notes(result, (f"{start}step_time", "a step"))),
        (f"{start}mfu", _notes(result, (f"{start}exposed_communication", "of a step exposed"))),
        ("site.energy", _notes(result, (f"{start}energy_per_token", f"by {shorten(job, 16)}"))),
        ("site.power_peak", _notes(result, ("site.power_mean", "on average"))),
        ("site.pue", _notes(result, ("site.it_energy", "by IT"))),
        ("site.cost", _notes(result, ("site.electricity_cost", "for electricity"), ("site.cost_per_token", "all in"))),
        ("site.carbon", [*_scope(result), *_notes(result, ("site.water", "of water"))]),
    )
    return [_tile(result, name, job, notes) for name, notes in wanted if name in result.metrics]


def _scope(result: Result) -> list[str]:
    return [str(result.manifest["carbon_scope"])] if result.manifest.get("carbon_scope") else []


def _tile(result: Result, name: str, job: str, notes: list[str]) -> Tile:
    metric = result.metrics[name]
    entry = dictionary.find(name)
    label = entry.title if entry else name
    if name.startswith("jobs.") and len(result.jobs) > 1:
        label = f"{label}, {shorten(job, 20)}"
    return Tile(
        label,
        number(name, metric.value, metric.unit),
        interval(name, metric),
        known_errors.of_result(result, name),
        metric.bound_by,
        tuple(notes),
        name,
        _reach(result, metric),
    )


def _reach(result: Result, metric: Metric) -> str:
    """Say what an interval holds: a calibrated number of one run has that of the model, not of chance."""
    of_model = metric.provenance == "calibrated" and int(result.manifest.get("replications") or 1) == 1
    return "four of five runs keep" if of_model else "95 % interval"


def _notes(result: Result, *wanted: tuple[str, str]) -> list[str]:
    return [
        f"{number(name, result.metrics[name].value, result.metrics[name].unit)} {words}"
        for name, words in wanted
        if name in result.metrics and result.metrics[name].value == result.metrics[name].value
    ]


def _value(result: Result, name: str) -> float | None:
    return result.metrics[name].value if name in result.metrics else None
