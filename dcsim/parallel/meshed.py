"""From a step that was written for a mesh to the program of its ranks: its own collectives, in its own order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dcsim.parallel.program import Collective, Compute, Instruction, Program, Read, Wait
from dcsim.workload.operation import Exchange, StepCosts

_REDUCING = frozenset({"all-reduce", "reduce-scatter"})


def meshed(costs: StepCosts, read_bytes: float, overlap: bool) -> Program:
    """Return the program of one step of every rank of ``costs.mesh``.

    Collectives run one after the other beside the kernels; where a kernel reads the result of one, it waits for all
    that have begun. If ``overlap``, a reduction begins as soon as its operands are complete, as schedulers of compilers
    move it up; all else stays where the code has it. If not, the ranks wait for each collective at once. ``read_bytes``
    is what one rank reads from storage a step.
    """
    instructions: list[Instruction] = [Read(read_bytes)] if read_bytes > 0 else []
    parts, done = _Parts(costs), 0
    starts, waits = _timetable(costs.exchanges, overlap)
    for place in sorted({*starts, *waits, len(costs.sequence)}):
        instructions.extend(parts.between(done, place))
        done = place
        begun = starts.get(place, [])
        urgent = [exchange for exchange in begun if not overlap or exchange.needed == place]
        instructions.extend(map(_collective, urgent))
        if place in waits:
            instructions.append(Wait())
        instructions.extend(_collective(exchange) for exchange in begun if exchange not in urgent)
    instructions.append(Wait())
    ranks = 1
    for _, size in costs.mesh:
        ranks *= size
    return Program(ranks, tuple(instructions), costs.mesh)


def _timetable(exchanges: Sequence[Exchange], overlap: bool) -> tuple[dict[int, list[Exchange]], set[int]]:
    """Return which collectives begin at each place of the sequence, and the places at which ranks wait."""
    starts: dict[int, list[Exchange]] = defaultdict(list)
    waits: set[int] = set()
    for exchange in exchanges:
        early = overlap and exchange.group.kind in _REDUCING
        starts[exchange.ready if early else exchange.issued].append(exchange)
        waits.add(exchange.needed if overlap else exchange.issued)
    return starts, waits


def _collective(exchange: Exchange) -> Collective:
    group = exchange.group
    return Collective(f"{group.kind} over {', '.join(group.axes)}", group.kind, exchange.size_bytes, group)


@dataclass(slots=True)
class _Parts:
    """Stretches of the sequence as instructions; equal ones are one object, which is priced once."""

    costs: StepCosts
    _known: dict[tuple[tuple[int, int], ...], Compute] = field(default_factory=dict)

    def between(self, first: int, last: int) -> Iterator[Compute]:
        """Yield what is executed from place ``first`` to before ``last``, cut where the phase changes."""
        operations, start = self.costs.operations, first
        for place in range(first, last):
            phase = operations[self.costs.sequence[place][0]].phase
            if place + 1 == last or operations[self.costs.sequence[place + 1][0]].phase != phase:
                yield self._compute(phase, self.costs.sequence[start : place + 1])
                start = place + 1

    def _compute(self, phase: str, executed: Sequence[tuple[int, int]]) -> Compute:
        counts: Counter[int] = Counter()
        for index, times in executed:
            counts[index] += times
        key = tuple(counts.items())
        if key not in self._known:
            self._known[key] = Compute(phase, tuple((self.costs.operations[index], times) for index, times in key))
        return self._known[key]
