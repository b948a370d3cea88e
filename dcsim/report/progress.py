"""How a long simulation shows where it is: a live line on a terminal, plain lines in a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Protocol, TextIO, TypeVar

from dcsim import units

if TYPE_CHECKING:
    from rich.status import Status

_LIVE_INTERVAL_S = 0.2
_PLAIN_INTERVAL_S = 5.0


Told = TypeVar("Told", contravariant=True)


class State(Protocol):
    """What a simulation tells of itself while it runs."""

    @property
    def simulated_s(self) -> float:
        """Simulated time [s]."""

    @property
    def fraction(self) -> float | None:
        """Share of the work that is done [1], None where it cannot be known."""

    @property
    def events(self) -> int:
        """Events handled so far."""


class Meter(Generic[Told]):
    """Shows the progress of one long work on ``stream``, a line in ``words``; use it as a context manager.

    On a terminal one line is rewritten and removed at the end; elsewhere at most one plain line is written every five
    seconds of wall time.
    """

    def __init__(
        self,
        name: str,
        stream: TextIO,
        words: Callable[[str, Told, float], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._stream, self._words, self._clock = name, stream, words, clock
        self._started_s = clock()
        self._live: Status | None = None
        self._interval_s = _LIVE_INTERVAL_S if stream.isatty() else _PLAIN_INTERVAL_S
        self._due_s = self._started_s + self._interval_s

    def __enter__(self) -> Meter[Told]:
        if self._stream.isatty():
            from rich.console import Console
            from rich.status import Status

            self._live = Status(f"{self._name}: starting", console=Console(file=self._stream, highlight=False))
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, state: Told) -> None:
        """Show ``state`` if it is time to."""
        now_s = self._clock()
        if now_s < self._due_s:
            return
        self._due_s = now_s + self._interval_s
        line = self._words(self._name, state, now_s - self._started_s)
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text(line))
        else:
            self._stream.write(line + "\n")
            self._stream.flush()


def describe(name: str, state: State, elapsed_s: float) -> str:
    """Return one line: simulated time, percent, events per second of wall time and the wall time left [s]."""
    rate_per_s = state.events / elapsed_s if elapsed_s > 0.0 else 0.0
    parts = [f"simulated {units.show(state.simulated_s, 's')}", f"{rate_per_s:,.0f} events/s"]
    if state.fraction:
        parts.insert(1, f"{state.fraction:.0%}")
        parts.append(f"{units.show(elapsed_s * (1.0 / state.fraction - 1.0), 's')} left")
    return f"{name}: {', '.join(parts)}"


class Count(Protocol):
    """What a sweep tells of itself while it runs: points finished, by this process, failed, and in all."""

    @property
    def finished(self) -> int:
        """Points that need not run again."""

    @property
    def fresh(self) -> int:
        """Points of them that ran since the start."""

    @property
    def failed(self) -> int:
        """Points that have a reason instead of metrics."""

    @property
    def total(self) -> int:
        """All points."""


def count(name: str, state: Count, elapsed_s: float) -> str:
    """Return one line: points finished, failed, points per second of wall time and the wall time left [s]."""
    rate_per_s = state.fresh / elapsed_s if elapsed_s > 0.0 else 0.0
    parts = [f"{state.finished:,} of {state.total:,} points ({state.finished / state.total:.0%})"]
    parts += [f"{state.failed:,} failed"] if state.failed else []
    if rate_per_s:
        parts += [f"{rate_per_s:.3g}/s", f"{units.show((state.total - state.finished) / rate_per_s, 's')} left"]
    return f"{name}: {', '.join(parts)}"


def looked_at(name: str, state: int, elapsed_s: float) -> str:
    """Return one line of a search, which does not know how many points it will simulate."""
    return f"{name}: {state:,} points simulated, {state / elapsed_s:.3g}/s" if elapsed_s > 0.0 else f"{name}: starting"


def teller(stream: TextIO | None, clock: Callable[[], float] = time.monotonic) -> Callable[[str], None]:
    """Return what is told, in words, where long work is: at most a line every five seconds of wall time, on ``stream``.

    None is silent.
    """
    if stream is None:
        return lambda _: None
    due_s = [clock() + _PLAIN_INTERVAL_S]

    def tell(text: str) -> None:
        if clock() >= due_s[0]:
            due_s[0] = clock() + _PLAIN_INTERVAL_S
            stream.write(text + "\n")
            stream.flush()

    return tell
