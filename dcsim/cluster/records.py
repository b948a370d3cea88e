"""The tables that jobs write while they run."""

from __future__ import annotations

from dcsim.engine import Recorder


class Records:
    """The sinks of everything that happens to jobs and servers."""

    def __init__(self, recorder: Recorder) -> None:
        job = {"job": "", "attempt": ""}
        self.spans = recorder.declare("spans", job | {"kind": "", "start_s": "s", "end_s": "s", "detail": ""})
        self.segments = recorder.declare(
            "segments",
            job
            | {"first_step": "", "steps": "", "start_s": "s", "end_s": "s", "step_time_s": "s", "exposed_s": "s"}
            | {"stall_s": "s", "power_w": "W"},
        )
        self.learning = recorder.declare("learning", job | {"step": "", "time_s": "s", "energy_j": "J", "loss": ""})
        self.validation = recorder.declare(
            "validation", job | {"step": "", "time_s": "s", "energy_j": "J", "loss": "", "accuracy": "1"}
        )
        self.events = recorder.declare("events", {"time_s": "s", "kind": "", "target": "", "detail": ""})
