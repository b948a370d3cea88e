"""The timeline file: valid trace events whose slices nest strictly."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd

from dcsim.results import Result, timeline


def spans(*rows: tuple[str, int, str, float, float]) -> pd.DataFrame:
    columns = ["job", "attempt", "kind", "start_s", "end_s"]
    return pd.DataFrame([dict(zip(columns, row, strict=True), detail="") for row in rows])


def make_result() -> Result:
    tables = {
        "spans": spans(
            ("a", 1, "launch", 0.0, 20.0),
            ("a", 1, "run", 20.0, 70.0),
            ("a", 1, "checkpoint", 60.0, 80.0),
            ("a", 1, "checkpoint", 30.0, 31.0),
            ("a", 2, "run", 90.0, 100.0),
            ("b", 1, "run", 0.1 + 0.2, 0.7),
        ),
        "segments": pd.DataFrame(
            {
                "job": ["a", "a"],
                "attempt": [1, 1],
                "first_step": [0, 5],
                "steps": [5, 1],
                "start_s": [20.0, 45.0],
                "end_s": [45.0, 50.0],
                "step_time_s": [5.0, 5.0],
                "exposed_s": [0.0, 0.0],
                "stall_s": [0.0, float("nan")],
                "power_w": [1e4, 1e4],
            }
        ),
        "series": pd.DataFrame(
            {"series": ["power"] * 2, "name": ["psu"] * 2, "unit": ["W"] * 2, "time_s": [0.0, 1.5], "value": [1.0, 2.0]}
        ),
        "step": pd.DataFrame(
            {
                "job": ["a", "a"],
                "stream": ["kernels", "collectives"],
                "label": ["forward", "gradients 0"],
                "start_s": [0.0, 3.0],
                "end_s": [4.0, 5.0],
            }
        ),
        "events": pd.DataFrame(
            {"time_s": [80.0, 90.0], "kind": ["fault", "restart"], "target": ["train/15", "a"], "detail": ["", "2"]}
        ),
    }
    return Result("x", "d", {}, tables)


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as file:
        found: list[dict[str, Any]] = json.load(file)["traceEvents"]
    return found


def test_slices_of_a_thread_nest_strictly(tmp_path: Path) -> None:
    timeline.write(make_result(), tmp_path / "t.json.gz")
    threads: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for event in read(tmp_path / "t.json.gz"):
        if event["ph"] == "X":
            threads.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
    assert len(threads) == 6  # a: phases, its overlapping checkpoint apart, steps, two of one step; b: phases
    for slices in threads.values():
        for one in slices:
            for other in slices:
                disjoint = one[1] <= other[0] or other[1] <= one[0]
                nested = (one[0] <= other[0] and other[1] <= one[1]) or (other[0] <= one[0] and one[1] <= other[1])
                assert disjoint or nested


def test_processes_counters_and_instants(tmp_path: Path) -> None:
    timeline.write(make_result(), tmp_path / "t.json.gz")
    events = read(tmp_path / "t.json.gz")
    names = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    assert names == {1: "data center", 2: "job a", 3: "job b"}
    assert [(event["ts"], event["args"]["value"]) for event in events if event["ph"] == "C"] == [
        (0.0, 1.0),
        (1.5e6, 2.0),
        (100e6, 2.0),  # and so to the end
    ]
    places = {event["pid"]: event["args"]["sort_index"] for event in events if event["name"] == "process_sort_index"}
    assert sorted(places, key=places.__getitem__) == [2, 3, 1]
    assert [(event["name"], event["pid"]) for event in events if event["ph"] == "i"] == [
        ("fault train/15", 1),
        ("restart a", 2),
    ]
    steps = [event for event in events if event["ph"] == "X" and event["cat"] == "steps"]
    assert [event["name"] for event in steps] == ["steps 0 to 4", "step 5"]
    assert steps[1]["args"]["stall_s"] is None


def test_the_bytes_depend_on_the_result_alone(tmp_path: Path) -> None:
    for name in ("one", "two"):
        timeline.write(make_result(), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_an_empty_result_gives_an_empty_timeline(tmp_path: Path) -> None:
    timeline.write(Result("x", "d", {}, {}), tmp_path / "t.json.gz")
    assert [event["ph"] for event in read(tmp_path / "t.json.gz")] == ["M", "M"]


def test_what_a_step_is_made_of_lies_over_the_first(tmp_path: Path) -> None:
    timeline.write(make_result(), tmp_path / "t.json.gz")
    found = {e["name"]: e for e in read(tmp_path / "t.json.gz") if "of a step" in str(e.get("cat"))}
    assert (found["forward"]["ts"], found["forward"]["dur"]) == (20e6, 4e6)
    assert (found["gradients 0"]["ts"], found["gradients 0"]["dur"]) == (23e6, 2e6)
    assert found["forward"]["tid"] != found["gradients 0"]["tid"]


def test_outages_are_slices_of_the_network_and_stalls_those_of_their_job(tmp_path: Path) -> None:
    made = make_result()
    columns = ["target", "kind", "state", "start_s", "end_s", "detail"]
    rows = [
        ("edge 0.0 > agg 0.0", "link", "down", 3.0, 7.0, ""),
        ("a", "job", "stalled", 3.5, 4.0, "at edge 0.0 > agg 0.0"),
        ("core 1", "switch", "slower", 5.0, 6.0, "50% of its rate lost"),
    ]
    made.tables["outages"] = pd.DataFrame(rows, columns=columns)
    timeline.write(made, tmp_path / "t.json.gz")
    found = read(tmp_path / "t.json.gz")
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in found if e["name"] == "thread_name"}
    processes = {e["pid"]: e["args"]["name"] for e in found if e["name"] == "process_name"}
    slices = [
        (processes[e["pid"]], names[e["pid"], e["tid"]], e["name"], e["ts"], e["dur"])
        for e in found
        if e["ph"] == "X" and e["name"] in ("down", "slower", "stalled")
    ]
    assert sorted(slices) == [
        ("job a", "stalls", "stalled", 3.5e6, 0.5e6),
        ("network", "core 1", "slower", 5e6, 1e6),
        ("network", "edge 0.0 > agg 0.0", "down", 3e6, 4e6),
    ]
