"""From the step of a parallel plan to the program that a job plays: stretches of computing, and messages beside them.

A message of which a part is hidden starts that much before the computation beside it ends, so that alone it delays the
step by exactly what the model says is exposed; when others share its links, all that it takes longer is exposed too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dcsim.estimate.planned import PlannedStep, Traffic, rounds_of
from dcsim.estimate.step import Move, Stage
from dcsim.parallel.program import Instruction, Message, Program, Read, Stretch, Wait

_TAIL = ("optimizer", "fixed", "jitter")


@dataclass(frozen=True, slots=True)
class PlannedProgram:
    """The program of a step, and the parts of its time once hidden messages fit beside what there is to compute [s]."""

    program: Program
    parts: dict[str, float]
    part_of: dict[str, str]
    """The part of the step's time that the messages of a label belong to."""


def planned_program(step: PlannedStep, read_bytes: float) -> PlannedProgram:
    """Return the program of the mean rank; ``read_bytes`` are the samples that it reads a step [B]."""
    traffic, parts = _fitted(step)
    tail_s = sum(parts[name] for name in _TAIL)
    hidden_s = sum(one.seconds - one.exposed_s for one in traffic)
    exposed_s = sum(one.exposed_s for one in traffic)
    alone_s = max(sum(parts.values()) - exposed_s - hidden_s - tail_s, 0.0)
    rounds = rounds_of(step.micro_batches)
    once = [one for one in traffic if one.when != "micro"]
    each = [_part(one, rounds) for one in traffic if one.when == "micro"]
    found: list[Instruction] = [Read(read_bytes)] if read_bytes > 0 else []
    stretch = Stretch("micro batch", alone_s / rounds)
    # The first layers compute while weights of the later ones, and the samples of the next step, are on their way.
    found += [stretch, *_sent([one for one in once if one.when == "before"]), *_sent(each)]
    found += (stretch, *_sent(each)) * (rounds - 1)
    found += _sent([one for one in once if one.when == "after"])
    found.append(Stretch("update", tail_s, step.flops, step.flop_rate, step.memory_bytes, step.link_bytes))
    part_of = {one.label: one.part for one in traffic}
    return PlannedProgram(Program(step.ranks, tuple(found)), parts, part_of)


def placed_parts(planned: PlannedProgram, stages: Sequence[Stage]) -> dict[str, float]:
    """Return the parts of a step's time on a placement: where the network is slower than the model takes it to be, all
    that a message takes longer is exposed [s].

    ``stages`` are those of the program; the parts sum to the time of a step alone on its links.
    """
    parts = dict(planned.parts)
    timed = [i for i in planned.program.instructions if isinstance(i, Message)]
    moves = [stage for stage in stages if isinstance(stage, Move) and not stage.fetch]
    for message, move in zip(timed, moves, strict=True):
        parts[planned.part_of[message.label]] += move.seconds - message.seconds
    return parts


def _sent(traffic: Sequence[Traffic]) -> list[Instruction]:
    """Return messages one after the other, each beside as much computing as covers it."""
    found: list[Instruction] = []
    for one in traffic:
        message = Message(one.label, one.group, one.mesh, one.size_bytes, one.seconds)
        found += [message, Stretch("micro batch", one.seconds - one.exposed_s), Wait()]
    return found


def _part(one: Traffic, rounds: int) -> Traffic:
    """Return the traffic of one of equal rounds."""
    return replace(
        one, size_bytes=one.size_bytes / rounds, seconds=one.seconds / rounds, exposed_s=one.exposed_s / rounds
    )


def _fitted(step: PlannedStep) -> tuple[list[Traffic], dict[str, float]]:
    """Return the traffic and the parts, with what cannot be hidden for want of computing exposed too."""
    parts = dict(step.parts)
    exposed_s = sum(one.exposed_s for one in step.traffic)
    left_s = max(sum(parts.values()) - exposed_s - sum(parts[name] for name in _TAIL), 0.0)
    found: list[Traffic] = []
    for one in step.traffic:
        wanted_s = max(one.seconds - one.exposed_s, 0.0)
        hidden_s = min(wanted_s, left_s)
        left_s -= hidden_s
        parts[one.part] += wanted_s - hidden_s
        found.append(replace(one, exposed_s=one.seconds - hidden_s))
    return found, parts
