"""A realistic result of 16 servers, two jobs and a failure, made of all tables a run produces; no simulator needed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from dcsim.results import Metric, Result
from dcsim.results.tables import TABLES

SCENARIO = """\
dcsim: 1
name: quickstart-failure
seed: 7
start: 2026-07-01T00:00:00+02:00
site:
  climate: stockholm
  grid: sweden
cluster:
  servers:
    - {name: train, type: dgx-h100, count: 16, per_rack: 4}
  network: {topology: fat-tree, link: 400 Gbit/s, oversubscription: 1}
  storage: {type: replicated, nodes: 6}
jobs:
  - {name: pretrain, model: gpt2-small, parallel: {data: 120}, steps: 1000}
  - name: learn
    model: {family: transformer, layers: 2, hidden: 64, heads: 4, context: 64, vocabulary: 128}
    parallel: {data: 8}
    steps: 200
faults:
  - {at: 40 s, kind: server, target: "train/15", repair: 30 s}
"""

STEP_S, LAUNCH_S, END_S = 0.062, 20.0, 92.0


def frame(name: str, rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Return the declared table ``name`` with these rows."""
    table = pd.DataFrame(rows, columns=list(TABLES[name].columns))
    table.attrs["units"] = dict(TABLES[name].columns)
    return table


def pretrain_spans() -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = [
        ("pretrain", 1, "launch", 0.0, LAUNCH_S, ""),
        ("pretrain", 1, "load", LAUNCH_S, 20.4, "first batch"),
    ]
    start = 20.4
    for _ in range(5):
        end = start + 200 * STEP_S
        rows += [
            ("pretrain", 1, "run", start, end, "200 steps"),
            ("pretrain", 1, "checkpoint", end, end + 0.9, "1.49 GB"),
        ]
        start = end + 0.9
    return rows


def learn_spans() -> list[tuple[Any, ...]]:
    return [
        ("learn", 1, "launch", 0.0, 20.0, ""),
        ("learn", 1, "run", 20.0, 32.0, "100 steps"),
        ("learn", 1, "checkpoint", 32.0, 32.1, ""),
        ("learn", 1, "run", 32.1, 40.0, "66 steps"),
        ("learn", 1, "down", 40.0, 70.0, "train/15 failed"),
        ("learn", 2, "launch", 70.0, 78.0, ""),
        ("learn", 2, "load", 78.0, 78.2, "checkpoint of step 100"),
        ("learn", 2, "run", 78.2, 90.2, "100 steps"),
        ("learn", 2, "checkpoint", 90.2, 90.3, ""),
    ]


def segments() -> pd.DataFrame:
    rows = [
        ("pretrain", 1, 200 * i, 200, 20.4 + 13.3 * i, 20.4 + 13.3 * i + 12.4, STEP_S, 0.006, 0.0, 95e3)
        for i in range(5)
    ]
    rows += [
        ("learn", 1, 0, 166, 20.0, 40.0, 0.12, 0.03, 0.0, 3.1e3),
        ("learn", 2, 100, 100, 78.2, 90.2, 0.12, 0.03, 0.0, 3.1e3),
    ]
    return frame("segments", rows)


def learning() -> pd.DataFrame:
    rng, rows = np.random.default_rng(1), []
    for attempt, first, last, start in ((1, 0, 166, 20.0), (2, 100, 200, 78.2)):
        for step in range(first, last):
            loss = 2.1 + 2.75 * math.exp(-step / 45) + 0.03 * rng.normal()
            time_s = start + 0.12 * (step - first + 1)
            rows.append(("learn", attempt, step, time_s, 3.1e3 * (time_s - (58.2 if attempt == 2 else 20.0)), loss))
    return frame("learning", rows)


def breakdown() -> pd.DataFrame:
    parts = {
        "pretrain": [
            ("compute", 54.8),
            ("exposed communication", 6.2),
            ("data stall", 1.0),
            ("checkpoint", 4.5),
            ("launch", 20.0),
            ("load", 0.4),
        ],
        "learn": [
            ("compute", 13.0),
            ("exposed communication", 3.2),
            ("checkpoint", 0.2),
            ("lost work", 7.9),
            ("launch", 28.0),
            ("queued", 30.0),
        ],
    }
    return frame("breakdown", [(job, part, seconds) for job, rows in parts.items() for part, seconds in rows])


def step() -> pd.DataFrame:
    """A step of 10 ms whose last bucket of gradients is exposed for 2 ms."""
    kernels = (("forward", 0.0, 3e-3), ("backward", 3e-3, 7e-3), ("optimizer", 9e-3, 1e-2))
    rows = [("kernels", *row) for row in kernels]
    rows += [("collectives", "gradients 0", 5e-3, 6e-3), ("collectives", "gradients 1", 7e-3, 9e-3)]
    return frame("step", [("pretrain", *row) for row in rows])


def energy() -> pd.DataFrame:
    leaves = {
        "transformer": {"transformer loss": 0.11e6},
        "ups": {"ups loss": 0.42e6},
        "pdu": {"pdu loss": 0.13e6},
        "servers": {
            "psu loss": 0.41e6,
            "cpus": 0.62e6,
            "server memory": 0.3e6,
            "nics": 0.28e6,
            "fans": 0.72e6,
            "other": 0.21e6,
        },
        "accelerators": {"FLOPs": 1.4e6, "HBM traffic": 1.1e6, "link traffic": 0.05e6, "idle": 2.1e6},
        "cooling": {"chiller": 0.21e6, "pumps": 0.09e6, "tower": 0.05e6, "crah fans": 0.24e6},
    }
    total = {name: sum(uses.values()) for name, uses in leaves.items()}
    accelerators = total["accelerators"]
    servers = total["servers"] + accelerators
    pdu = total["pdu"] + servers + 0.3e6 + 0.2e6
    ups = total["ups"] + pdu
    rows = [("grid", "transformer", total["transformer"] + ups + total["cooling"])]
    rows += [("transformer", "ups", ups), ("transformer", "cooling", total["cooling"]), ("ups", "pdu", pdu)]
    rows += [
        ("pdu", "servers", servers),
        ("pdu", "switches", 0.3e6),
        ("pdu", "storage", 0.2e6),
        ("servers", "accelerators", accelerators),
    ]
    rows += [(source, target, joules) for source, uses in leaves.items() for target, joules in uses.items()]
    return frame("energy", rows)


def links() -> pd.DataFrame:
    rng, rows = np.random.default_rng(2), []
    for tier, count, capacity, load in (
        ("nvlink", 128, 4.5e11, 0.11),
        ("host", 256, 5e10, 0.34),
        ("edge", 256, 5e10, 0.31),
        ("core", 128, 5e10, 0.16),
    ):
        for index in range(count):
            mean = min(1.0, max(0.0, load * (0.6 + 0.2 * rng.normal())))
            rows.append(
                (
                    f"train/{index // 8} {tier} {index % 8} out",
                    tier,
                    capacity,
                    mean * capacity * END_S,
                    mean,
                    min(1.0, 2.5 * mean),
                    0.4 * mean * END_S,
                )
            )
    return frame("links", rows)


def events() -> pd.DataFrame:
    rows = [(20.4 + 13.3 * i + 12.4, "checkpoint", "pretrain", f"step {200 * (i + 1)}") for i in range(5)]
    rows += [
        (32.0, "checkpoint", "learn", "step 100"),
        (40.0, "fault", "train/15", "kills learn"),
        (70.0, "repair", "train/15", ""),
    ]
    rows += [
        (70.0, "restart", "learn", "from step 100"),
        (86.9, "finish", "pretrain", ""),
        (90.3, "finish", "learn", ""),
    ]
    return frame("events", sorted(rows))


def operations() -> pd.DataFrame:
    rows = []
    for job, layers, scale in (("pretrain", 12, 1.0), ("learn", 2, 1e-4)):
        for phase, factor in (("forward", 1.0), ("backward", 2.0)):
            for name, scope, flops, size, seconds, bound in (
                ("qkv projection", "attention", 14.5e9, 55e6, 3.6e-5, "compute"),
                ("scores", "attention", 6.4e9, 210e6, 7.4e-5, "memory"),
                ("softmax", "attention", 0.4e9, 310e6, 1.1e-4, "memory"),
                ("values", "attention", 6.4e9, 210e6, 7.4e-5, "memory"),
                ("feed-forward in", "mlp", 19.3e9, 70e6, 4.9e-5, "compute"),
                ("gelu", "mlp", 0.2e9, 50e6, 1.8e-5, "memory"),
                ("layer norm", "", 0.1e9, 12e6, 4.5e-6, "launch"),
            ):
                kind = "matmul" if bound == "compute" else "elementwise"
                rows.append(
                    (
                        job,
                        name,
                        kind,
                        phase,
                        scope,
                        layers,
                        factor * flops * scale,
                        factor * size * scale,
                        factor * seconds,
                        bound,
                    )
                )
        rows.append((job, "logits", "matmul", "forward", "head", 1, 3.2e11 * scale, 5e8 * scale, 5.2e-4, "compute"))
        rows.append((job, "adamw", "elementwise", "optimizer", "", 1, 1.5e9 * scale, 3e9 * scale, 1.0e-3, "memory"))
    return frame("operations", rows)


def limits() -> pd.DataFrame:
    return frame(
        "limits",
        [
            (
                "Accelerator memory bandwidth (h100-sxm)",
                2.98e12,
                3.35e12,
                "B/s",
                0.11,
                "fusing attention, or H200's 4.8 TB/s",
            ),
            ("busiest link of tier host, on average", 2.6e10, 5e10, "B/s", 0.48, "800 Gbit/s links"),
            ("power feed", 148e3, 204e3, "W", 0.27, "a larger UPS"),
            ("cooling plant", 118e3, 245e3, "W", 0.52, "more chillers"),
            ("server inlet", 24.6, 35.0, "degC", 0.297, "colder supply air"),
            ("storage space", 1.1e13, 6.1e13, "B", 0.82, "more nodes"),
            ("accelerators in use", 104.0, 128.0, "1", 0.1875, "more servers"),
        ],
    )


def costs() -> pd.DataFrame:
    rows = [
        ("electricity", 0.21),
        ("servers", 0.93),
        ("network", 0.14),
        ("storage", 0.05),
        ("power and cooling plant", 0.06),
    ]
    return frame("costs", rows)


def series() -> pd.DataFrame:
    watts = {
        "accelerators": 61e3,
        "cpus": 6.4e3,
        "memory": 3.1e3,
        "nics": 2.9e3,
        "fans": 7e3,
        "other": 2.1e3,
        "psu": 4.4e3,
        "switches": 3.2e3,
        "storage": 2.1e3,
        "pdu": 1.4e3,
        "ups": 4.5e3,
        "transformer": 1.2e3,
        "chiller": 2.2e3,
        "pumps": 1e3,
        "tower": 0.5e3,
        "crah": 2.6e3,
    }
    changes = [(0.0, 0.35), (20.0, 0.5), (20.4, 1.0)]
    for i in range(5):
        changes += [(20.4 + 13.3 * i + 12.4, 0.45), (20.4 + 13.3 * (i + 1), 1.0)]
    changes += [(40.0, 0.96), (70.0, 0.97), (86.95, 0.4), (END_S, 0.3)]
    rows: list[tuple[Any, ...]] = []
    for name, peak in watts.items():
        swing = 1.0 if name == "accelerators" else 0.25
        rows += [("power", name, "W", time_s, peak * (1 - swing * (1 - level))) for time_s, level in sorted(changes)]
    for tier, load in (("nvlink", 0.1), ("host", 0.31), ("edge", 0.28), ("core", 0.12)):
        rows += [
            ("link_load", tier, "1", time_s, load * max(0.0, level - 0.4) / 0.6) for time_s, level in sorted(changes)
        ]
    for second in np.arange(0.0, END_S + 1, 2.0):
        warm = 1 - math.exp(-second / 40)
        for name, value in (
            ("inlet", 22.1 + 2.4 * warm),
            ("coolant", 15.2 + 3.1 * warm),
            ("outdoor", 17.4),
            ("wet_bulb", 13.2),
        ):
            rows.append(("temperature", name, "degC", float(second), value))
    return frame("series", rows)


def metrics() -> dict[str, Metric]:
    job = {
        "pretrain": {
            "finish": 86.9,
            "step_time": 0.062,
            "compute_time": 0.0548,
            "exposed_communication": 0.0062,
            "data_stall": 0.001,
            "mfu": 0.364,
            "throughput": 7742.0,
            "token_rate": 7.93e6,
            "energy": 7.4e6,
            "energy_per_token": 0.0151,
            "checkpoint_time": 4.5,
            "lost_time": 0.0,
            "restarts": 0.0,
        },
        "learn": {
            "finish": 90.3,
            "step_time": 0.12,
            "exposed_communication": 0.03,
            "throughput": 533.0,
            "token_rate": 34133.0,
            "energy": 0.21e6,
            "energy_per_token": 0.256,
            "lost_time": 45.9,
            "restarts": 1.0,
            "final_loss": 2.134,
            "time_to_target": 86.0,
            "energy_to_target": 3.1e3 * 27.8,
            "mfu": 0.00031,
        },
    }
    unit = {
        "mfu": "1",
        "throughput": "samples/s",
        "token_rate": "tokens/s",
        "energy": "J",
        "energy_per_token": "J/token",
        "restarts": "1",
        "final_loss": "1",
        "energy_to_target": "J",
    }
    found = {
        f"jobs.{name}.{key}": Metric(value, unit.get(key, "s"))
        for name, values in job.items()
        for key, value in values.items()
    }
    found["jobs.pretrain.step_time"] = Metric(0.062, "s", 0.0611, 0.0629, "calibrated", "HBM bandwidth")
    site = {
        "energy": (8.7e6, "J"),
        "it_energy": (7.5e6, "J"),
        "pue": (1.16, "1"),
        "power_peak": (124.3e3, "W"),
        "power_mean": (94.5e3, "W"),
        "water": (9.1, "L"),
        "carbon": (0.099, "kgCO2e"),
        "cost": (1.39, "USD"),
        "electricity_cost": (0.21, "USD"),
        "inlet_peak": (24.6, "degC"),
    }
    found |= {f"site.{name}": Metric(value, unit) for name, (value, unit) in site.items()}
    found["network.bytes"] = Metric(5.9e13, "B")
    found["network.peak_utilization_host"] = Metric(0.52, "1")
    found["storage.written"] = Metric(2.2e10, "B")
    found["run.duration"] = Metric(END_S, "s")
    return found


def manifest() -> dict[str, Any]:
    checks = [
        {
            "name": "joules in = heat out + stored",
            "left": 8.7e6,
            "right": 8.7e6,
            "unit": "J",
            "residual": 3.1e-15,
            "passed": True,
        },
        {
            "name": "bytes sent = bytes received",
            "left": 5.9e13,
            "right": 5.9e13,
            "unit": "B",
            "residual": 0.0,
            "passed": True,
        },
        {
            "name": "FLOPs done = FLOPs traced x steps",
            "left": 4.11e17,
            "right": 4.11e17,
            "unit": "FLOP",
            "residual": 0.0,
            "passed": True,
        },
    ]
    return {
        "dcsim": "0.1.0",
        "python": "3.11.7",
        "libraries": {"jax": "0.10.2", "numpy": "2.4.6"},
        "detail": "segment",
        "gradient_difference": {"learn": 3.1e-7},
        "weights": {"learn": "9e46b9c931a22778e31dcc9c50df12b2"},
        "seed": 7,
        "wall_s": 6.31,
        "events": 41_230,
        "cpu": "AMD EPYC",
        "date": "2026-11-22T14:05:00+00:00",
        "jobs": ["pretrain", "learn"],
        "warnings": ["the wet-bulb temperature left the range of the tower's curve and was clamped to 15.6 degC"],
        "checks": checks,
    }


def tables() -> dict[str, pd.DataFrame]:
    return {
        "spans": frame("spans", pretrain_spans() + learn_spans()),
        "segments": segments(),
        "learning": learning(),
        "breakdown": breakdown(),
        "step": step(),
        "energy": energy(),
        "links": links(),
        "events": events(),
        "operations": operations(),
        "limits": limits(),
        "costs": costs(),
        "series": series(),
    }


def result(**changes: Any) -> Result:
    """Return the result, with fields replaced by ``changes``."""
    fields: dict[str, Any] = {
        "name": "quickstart-failure",
        "digest": "9f3ac2d1e8b7465012aa",
        "metrics": metrics(),
        "tables": tables(),
        "manifest": manifest(),
        "scenario_text": SCENARIO,
    }
    return Result(**(fields | changes))


def variants() -> list[Result]:
    """Return four results that differ in oversubscription, as a comparison shows them."""
    found = []
    for factor in (1, 2, 4, 8):
        base = metrics()
        exposed = 0.0062 * factor**1.1
        base["jobs.pretrain.exposed_communication"] = Metric(exposed, "s")
        base["jobs.pretrain.step_time"] = Metric(
            0.0558 + exposed, "s", bound_by="core links" if factor > 2 else "HBM bandwidth"
        )
        base["site.energy"] = Metric(8.7e6 * (0.0558 + exposed) / 0.062, "J")
        base["site.cost"] = Metric(1.39 * (0.0558 + exposed) / 0.062, "USD")
        table = links()
        core = table["tier"] == "core"
        table.loc[core, ["mean_utilization", "peak_utilization"]] = (
            table.loc[core, ["mean_utilization", "peak_utilization"]] * factor
        ).clip(0, 1)
        text = SCENARIO.replace("oversubscription: 1", f"oversubscription: {factor}")
        found.append(
            result(
                name=f"oversubscription-{factor}", metrics=base, tables=tables() | {"links": table}, scenario_text=text
            )
        )
    return found
