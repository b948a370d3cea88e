"""What a long simulation shows of itself."""

from __future__ import annotations

import io
from dataclasses import dataclass

from dcsim.report.progress import Meter, describe


@dataclass(frozen=True)
class Now:
    simulated_s: float
    fraction: float | None
    events: int


class Watch:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.time_s = 0.0

    def __call__(self) -> float:
        return self.time_s


def test_a_line_has_simulated_time_percent_rate_and_time_left() -> None:
    # A quarter is done after 10 s, so 30 s are left; 5,000 events in 10 s are 500 a second.
    line = describe("run", Now(3.0, 0.25, 5_000), 10.0)
    assert line == "run: simulated 3 s, 25%, 500 events/s, 30 s left"


def test_without_a_known_end_there_is_no_percent_and_no_time_left() -> None:
    assert describe("run", Now(3.0, None, 0), 0.0) == "run: simulated 3 s, 0 events/s"
    assert "left" not in describe("run", Now(3.0, 0.0, 0), 1.0)


def test_a_pipe_gets_at_most_a_line_every_five_seconds() -> None:
    watch, pipe = Watch(), io.StringIO()
    with Meter("run", pipe, describe, watch) as meter:
        for second in range(12):
            watch.time_s = float(second)
            meter(Now(second, second / 12, second))
    # Due at 5 s and 10 s.
    assert len(pipe.getvalue().splitlines()) == 2


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_left_clean() -> None:
    terminal = Terminal()
    with Meter("run", terminal, describe, Watch()) as meter:
        meter(Now(1.0, 0.5, 10))
    assert terminal.getvalue().count("\n") <= 2
