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


@dataclass(frozen=True, slots=True)
class Stretch:
    """Compute for ``seconds`` as a model of whole steps has it; what is executed meanwhile is counted for its energy.

    ``flops`` are operations [FLOP] on units of the peak rate ``flop_rate`` [FLOP/s], ``memory_bytes`` the traffic of
    the memory and ``link_bytes`` what is sent to peers inside the domain [B].
    """

    label: str
    seconds: float
    flops: float = 0.0
    flop_rate: float = 0.0
    memory_bytes: float = 0.0
    link_bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Message:
    """Start a collective that a model of whole steps has timed; do not wait for it.

    Alone on whole links it takes ``seconds``, or what the network needs for ``size_bytes`` if that is longer.
    ``group`` are the ranks of ``mesh`` that take part.
    """

    label: str
    group: Group
    mesh: tuple[tuple[str, int], ...]
    size_bytes: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Send:
    """Hand ``size_bytes`` a rank to the next or the previous stage ``to``; do not wait."""

    label: str
    to: int
    size_bytes: float


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for what the stage ``source`` hands on under the same label."""

    label: str
    source: int
    size_bytes: float


Instruction = Compute | Collective | Wait | Read | Stretch | Message | Send | Receive


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
