"""How ranks that do not wait for one another get through their steps: every pull, kernel and push by events."""

from __future__ import annotations

from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np

from dcsim.cluster.account import Account
from dcsim.cluster.allocation import Allocation
from dcsim.cluster.hall import Hall
from dcsim.cluster.stepping import Stepping
from dcsim.engine import Process
from dcsim.estimate.job_plan import JobPlan
from dcsim.estimate.step import Floats
from dcsim.network.route import Route
from dcsim.parallel.program import Collective
from dcsim.parallel.schedule import owner
from dcsim.parallel.waves import Wave
from dcsim.scenario.parallel import ParameterServer


@runtime_checkable
class Worker(Protocol):
    """The real math of ranks that do not wait for one another."""

    def pull(self, rank: int) -> None:
        """The server's weights of now arrive at ``rank``."""

    def push(self, rank: int, step: int) -> None:
        """The gradient of ``rank`` for ``step`` arrives at the server."""


class AsynchronousStepping:
    """The steps of one attempt, as :class:`dcsim.cluster.stepping.Stepping` is for ranks that wait for one another.

    Every rank pulls the weights, computes, pushes its gradient, and begins anew. As many pushes as there are ranks make
    a step. The ranks meet where ``advance`` ends, at checkpoints, looks at held-out samples and the end of the job,
    when each has taken equally many steps. The servers' own updates are part of the time of the rank that pushed.
    """

    def __init__(self, planned: Stepping, plan: JobPlan, hall: Hall, allocation: Allocation, worker: Worker) -> None:
        self._planned, self._plan, self._hall, self._allocation, self._worker = planned, plan, hall, allocation, worker
        self._stopped = False
        self._first = 0
        self._routes = [self._exchange(rank) for rank in range(plan.program.ranks)]
        sizes = (i.size_bytes for i in plan.program.instructions if isinstance(i, Collective))
        self._push_bytes, self._pull_bytes = sum(sizes), plan.costs.parameter_bytes

    @property
    def power_w(self) -> float:
        """Power of the job's servers [W]: that of steps that the ranks would take together."""
        return self._planned.power_w

    def advance(self, first: int, last: int, account: Account) -> Process:
        """Run the steps ``first`` to ``last - 1`` of every rank."""
        self._account, self._first, self._pushed = account, first, 0
        self._began = self._ended = self._hall.clock.now
        self._computed_s = 0.0
        self._all_pushed, self._wanted = self._hall.clock.event(), (last - first) * len(self._routes)
        self._step = self._planned.prepare()
        for rank in range(len(self._routes)):
            self._hall.clock.process(self._rank(rank, first, last))
        yield self._all_pushed
        self.report(last)

    def stop(self, step: int) -> None:
        """Break off: the job died after ``step`` steps."""
        self._stopped = True
        self.report(step)
        self._hall.fabric.cancel(self._allocation.owner)

    def report(self, step: int) -> None:
        """Record what went on until ``step``, the first step that has not ended; steps are counted as they end."""
        count, self._first, first = step - self._first, step, self._first
        if count > 0:
            each = (self._ended - self._began) / count
            exposed = each - self._computed_s / count
            row = (self._began, self._ended, each, exposed, 0.0, self.power_w)
            self._hall.records.segments.append(self._plan.parts.job.name, self._planned.attempt, first, count, *row)

    def capped(self) -> None:
        """The clock cap has changed: it takes effect when the ranks have met."""

    def _rank(self, rank: int, first: int, last: int) -> Process:
        hall, owner = self._hall, self._allocation.owner
        pull, push = self._routes[rank]
        for step, scale in zip(range(first, last), self._scales(rank, first, last - first).tolist(), strict=True):
            yield hall.fabric.transfer(pull, self._pull_bytes, owner)
            self._worker.pull(rank)
            yield hall.clock.timeout(float(self._step.times.compute_s) * scale)
            if self._stopped:
                return
            yield hall.fabric.transfer(push, self._push_bytes, owner)
            self._worker.push(rank, step)
            self._count()

    def _count(self) -> None:
        """A push has arrived; as many as there are ranks are a step."""
        self._pushed += 1
        if self._pushed % len(self._routes) == 0:
            now, done = self._hall.clock.now, self._pushed // len(self._routes)
            computed_s = min(float(self._step.times.compute_s), now - self._ended)
            self._account.work(now, computed_s, 0.0)
            self._ended, self._computed_s = now, self._computed_s + computed_s
            self._planned.on_steps(self._first + done - 1, np.array([now]), self._step.energy)
        if self._pushed == self._wanted:
            self._all_pushed.succeed()

    def _scales(self, rank: int, first: int, count: int) -> Floats:
        """Return the compute-time factors of a rank's steps, of mean one, keyed by job and rank, shape (count,)."""
        job = self._plan.parts.job
        if job.jitter == 0.0:
            return np.ones(count)
        deviation = np.sqrt(np.log1p(job.jitter**2))
        draws = self._hall.streams.normal(first, count, "jitter", job.name, "rank", rank)
        return np.asarray(np.exp(deviation * draws - deviation**2 / 2.0))

    def _exchange(self, rank: int) -> tuple[Route, Route]:
        """Return the routes by which a rank pulls weights from the servers and pushes gradients to them."""
        parallel, ranks = self._plan.parts.job.parallel, self._plan.program.ranks
        shards = parallel.reduction.shards if isinstance(parallel.reduction, ParameterServer) else 1
        others = [server for server in (owner(shard, ranks, shards) for shard in range(shards)) if server != rank]
        servers = np.array(others, dtype=np.int64)
        own, share = np.full_like(servers, rank), 1.0 / shards
        exchange = partial(self._hall.fabric.exchange, self._places())
        return exchange(Wave(servers, own, share)), exchange(Wave(own, servers, share))

    def _places(self) -> list[tuple[int, int]]:
        held = zip(self._allocation.servers, self._allocation.ranks_per_server, strict=True)
        return [(server, accelerator) for server, count in held for accelerator in range(count)]
