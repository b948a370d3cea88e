"""One step of a job played by events: its kernels, its collectives, its fetch, on the shared fabric."""

from __future__ import annotations

from collections.abc import Sequence

import simpy

from dcsim.engine import Clock, Process
from dcsim.estimate.step import Busy, Join, Move, Stage
from dcsim.network.fabric import Fabric


class Playback:
    """Plays the stages of a step from now on; ``done`` triggers at its end.

    ``stall_s`` is how long the step, otherwise complete, waited for the samples of the next one [s].
    """

    def __init__(self, clock: Clock, fabric: Fabric, owner: str, stages: Sequence[Stage]) -> None:
        self._clock, self._fabric, self._owner = clock, fabric, owner
        self._stages = stages
        self._wire: simpy.Event | None = None
        self._fetch: simpy.Event | None = None
        self._stopped = False
        self.stall_s = 0.0
        self.done = clock.event()
        clock.process(self._compute())

    def stop(self) -> None:
        """Forget the step: the job died. Its flows are cancelled at the fabric by the caller."""
        self._stopped = True

    def _compute(self) -> Process:
        for stage in self._stages:
            if isinstance(stage, Busy):
                yield self._clock.timeout(stage.seconds)
            elif isinstance(stage, Join):
                if self._wire is not None:
                    yield self._wire
            else:
                self._start(stage)
            if self._stopped:
                return
        yield from self._finish()

    def _start(self, stage: Move) -> None:
        if stage.fetch:
            self._fetch = self._transfer(stage)
        elif self._wire is None or self._wire.processed:
            self._wire = self._transfer(stage)
        else:
            self._wire = self._clock.process(self._queued(self._wire, stage))

    def _queued(self, previous: simpy.Event, stage: Move) -> Process:
        yield previous
        if not self._stopped:
            yield self._transfer(stage)

    def _transfer(self, stage: Move) -> simpy.Event:
        return self._fabric.transfer(stage.route, stage.size_bytes, self._owner, stage.latency_s)

    def _finish(self) -> Process:
        if self._wire is not None:
            yield self._wire
        ended = self._clock.now
        if self._fetch is not None and not self._stopped:
            yield self._fetch
        if not self._stopped:
            self.stall_s = self._clock.now - ended
            self.done.succeed()
