"""Programs of the stages of a pipeline."""

from __future__ import annotations

from collections import Counter

import pytest

from dcsim.parallel.pipeline import Chunks, makespan, run
from dcsim.parallel.program import Program, Receive, Send, Stretch
from dcsim.parallel.stage_program import stage_programs
from dcsim.scenario.parallel import Schedule


def finish_s(programs: tuple[Program, ...]) -> float:
    """Execute programs that wait for one another's messages, which take no time; return when the last one ends [s]."""
    sent: dict[tuple[str, int], float] = {}
    at, done = [0.0] * len(programs), [0] * len(programs)
    while any(done[i] < len(p.instructions) for i, p in enumerate(programs)):
        before = list(done)
        for rank, program in enumerate(programs):
            for instruction in program.instructions[done[rank] :]:
                if isinstance(instruction, Receive):
                    if (instruction.label, rank) not in sent:
                        break
                    at[rank] = max(at[rank], sent[instruction.label, rank])
                elif isinstance(instruction, Send):
                    sent[instruction.label, instruction.to] = at[rank]
                elif isinstance(instruction, Stretch):
                    at[rank] += instruction.seconds
                done[rank] += 1
        assert done != before, "a program waits for what no one sends"
    return max(at)


@pytest.mark.parametrize(
    ("schedule", "virtual"), [("gpipe", 1), ("1f1b", 1), ("interleaved", 2), ("interleaved", 3), ("zero-bubble", 1)]
)
def test_programs_take_as_long_as_the_pipeline(schedule: Schedule, virtual: int) -> None:
    places = 4 * virtual
    forward = tuple(1.0 + 0.1 * place for place in range(places))
    backward = tuple(2.0 * seconds for seconds in forward)
    chunks = Chunks(4, forward, backward, (0.7,) * places if schedule == "zero-bubble" else ())
    programs = stage_programs(chunks, schedule, 8, 64.0)
    assert finish_s(programs) == pytest.approx(makespan(run(chunks, schedule, 8)), rel=1e-9)


def test_what_is_sent_is_received() -> None:
    programs = stage_programs(Chunks(4, (1.0,) * 8, (2.0,) * 8), "interleaved", 8, 64.0)
    everything = [(stage, i) for stage, program in enumerate(programs) for i in program.instructions]
    sent = Counter((i.label, stage, i.to) for stage, i in everything if isinstance(i, Send))
    received = Counter((i.label, i.source, stage) for stage, i in everything if isinstance(i, Receive))
    assert sent == received
    # Of 8 chunks in a row 7 hand on, forward and backward, for each of 8 micro batches.
    assert sum(sent.values()) == 7 * 2 * 8
