"""What a search of parallel plans found: a table, a scenario that is ready to run, and all of it as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dcsim import units
from dcsim.estimate.auto_plan import Searched
from dcsim.estimate.chosen import Chosen, savings, sizes, words
from dcsim.report.columns import columns
from dcsim.results import whole
from dcsim.scenario.dump import dump
from dcsim.scenario.load import Loaded

_SHOWN = 12
_HEAD = ("plan", "step", "simulated", "memory", "energy", "cost", "")


def write(loaded: Loaded, chosen: Chosen, folder: Path) -> str:
    """Write the plan that was taken as a scenario and all plans as JSON to a folder, and return what to tell."""
    found, times = chosen.searched, dict(enumerate(chosen.times))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "best.yaml"
    whole.write(path, dump(loaded.replace(chosen.changes, "parallel: auto").scenario))
    whole.write(folder / "plans.json", _json(found, times))
    return "\n\n".join(
        [summary(found, chosen.place), table(found, times), f"scenario {path}\nplans    {folder / 'plans.json'}"]
    )


def summary(found: Searched, best: int) -> str:
    """Return a paragraph: how many plans there are, how many fit, and the best."""
    all_plans, title = found.found, found.pool.accelerator.title
    looked = f"{all_plans.looked_at:,} plans of {found.job.name} on {found.question.ranks:,} {title}"
    fit = f"{all_plans.fitting:,} fit {units.show(found.question.memory_bytes, 'B')}"
    front = f"{len(all_plans)} of them are beaten by none in time, memory and energy at once"
    return f"{looked}: {fit}, {front}. Best: {words(found, best)}."


def table(found: Searched, times: Mapping[int, float]) -> str:
    """Return the fastest plans of the front as text."""
    rows = [_row(found, place, times.get(place)) for place in range(min(_SHOWN, len(found.found)))]
    left = len(found.found) - len(rows)
    return columns(_HEAD, rows, range(1, 6)) + (f"\n... {left} more" if left else "")


def _row(found: Searched, place: int, seconds: float | None) -> list[str]:
    plans = found.found
    return [
        sizes(found, place),
        units.show(float(plans.seconds[place]), "s"),
        "" if seconds is None else units.show(seconds, "s"),
        units.show(float(plans.memory_bytes[place]), "B"),
        units.show(float(plans.energy_j[place]), "J"),
        f"{_cost(found, place):.4g} USD",
        savings(found, place),
    ]


def _cost(found: Searched, place: int) -> float:
    """Return the price of a step [USD]: the servers' for its time, and its electricity."""
    return found.usd_per_s * float(found.found.seconds[place]) + found.usd_per_j * float(found.found.energy_j[place])


def _json(found: Searched, times: Mapping[int, float]) -> str:
    plans = found.found
    rows: list[dict[str, Any]] = [
        {
            "changes": found.changes(place),
            "step_s": float(plans.seconds[place]),
            "simulated_s": times.get(place),
            "memory_bytes": float(plans.memory_bytes[place]),
            "energy_j": float(plans.energy_j[place]),
            "cost_usd": _cost(found, place),
        }
        for place in range(len(plans))
    ]
    return json.dumps({"looked_at": plans.looked_at, "fitting": plans.fitting, "plans": rows}, indent=1) + "\n"
