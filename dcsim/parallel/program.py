"""What one class of identical ranks does in a step: an immutable list of instructions."""

from __future__ import annotations

from dataclasses import dataclass, field

from dcsim.workload.operation import Group, Operation


@dataclass(frozen=True, slots=True)
class Compute:
    """Run operations on the accelerator, one after the other; ``operations`` are (operation, executions)."""

    label: str
    operations: tuple[tuple[Operation, int], ...]


@dataclass(frozen=True, slots=True)
class Collective:
    """Start a collective of ``size_bytes`` a rank as soon as the instructions before it are done; do not wait for it.

    Collectives of a program run one after the other, in program order. ``group`` are the ranks of a mesh that take
    part; without it all ranks do.
    """

    label: str
    kind: str
    size_bytes: float
    group: Group | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until every collective started so far is done."""


@dataclass(frozen=True, slots=True)
class Read:
    """Read the next step's samples while this step runs; the next step begins when they are there."""

    size_bytes: float


Instruction = Compute | Collective | Wait | Read


@dataclass(frozen=True, slots=True)
class Program:
    """The instructions of one step for each of ``ranks`` identical ranks, places of ``mesh`` if there is one.

    ``sent`` is what a rank sends in a collective of all ranks over its size, as the mean of all; None as in an
    all-reduce.
    """

    ranks: int
    instructions: tuple[Instruction, ...] = field(default_factory=tuple)
    mesh: tuple[tuple[str, int], ...] = ()
    sent: float | None = None
