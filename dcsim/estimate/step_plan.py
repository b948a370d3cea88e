"""A program on a device and a placement: the stages of a step, its energy and the bytes it puts on every link."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcsim.compute.accelerator import dynamic_energy_factor
from dcsim.compute.precision import flop_energy
from dcsim.compute.roofline import operation_energies, operation_time
from dcsim.estimate.device import Device
from dcsim.estimate.library import LibraryPath, Path, take
from dcsim.estimate.step import Busy, Floats, Join, Move, Stage, StepTimes, evaluate, remaining, spans
from dcsim.network.hold import union
from dcsim.network.saturation import full_loads
from dcsim.parallel.mesh import sent_factor
from dcsim.parallel.program import Collective, Compute, Message, Program, Read, Stretch, Wait
from dcsim.workload.operation import Group

Indices = NDArray[np.int64]


Paths = Mapping[Group | None, Sequence[Path] | LibraryPath]
"""The paths of every group of ranks, one after the other, or those that a library chooses from; those of all ranks
together go by None."""


@dataclass(frozen=True, slots=True)
class StepEnergy:
    """Energy of a rank's step beyond waiting, by what it is spent on [J]."""

    arithmetic_j: float = 0.0
    memory_j: float = 0.0
    links_j: float = 0.0

    @property
    def total_j(self) -> float:
        """All of it [J]."""
        return self.arithmetic_j + self.memory_j + self.links_j

    def plus(self, other: StepEnergy, times: float) -> StepEnergy:
        """Return this energy and ``times`` the ``other``."""
        return StepEnergy(
            self.arithmetic_j + times * other.arithmetic_j,
            self.memory_j + times * other.memory_j,
            self.links_j + times * other.links_j,
        )


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step of a job under given conditions, at the clock factor ``clock``.

    ``times`` are those of a step alone on its links without jitter, ``energy`` is that of a rank's step beyond waiting,
    ``link_bytes`` what a whole step puts on each of ``links`` [B], ``link_peaks`` the most it puts on them at once
    [B/s], ``link_full_s`` how long it fills them alone [s], nothing until :meth:`on`.
    """

    clock: float
    stages: tuple[Stage, ...]
    times: StepTimes
    energy: StepEnergy
    links: Indices
    link_bytes: Floats
    link_peaks: Floats
    link_full_s: Floats

    @property
    def duration_s(self) -> float:
        """Duration of a step alone on its links, without jitter [s]."""
        return float(self.times.duration_s)

    def moved_bytes(self, scale: float, elapsed_s: float) -> Floats:
        """Return the bytes on each of ``links`` that a step alone has moved ``elapsed_s`` [s] after it began."""
        return self.link_bytes - _link_bytes(remaining(self.stages, scale, elapsed_s), self.links)

    def on(self, capacities: Floats) -> StepPlan:
        """Return the plan with what a step fills of all links, which have ``capacities`` [B/s]."""
        seconds = np.zeros(len(self.links))
        for move, size_bytes in _by_route(self.stages):
            full = full_loads(move.route.share * move.rate_bytes_per_s, capacities[move.route.links])
            seconds[np.searchsorted(self.links, move.route.links[full])] += size_bytes / move.rate_bytes_per_s
        return replace(self, link_full_s=seconds)

    def peaks_until(self, scale: float, elapsed_s: float) -> Floats:
        """Return the most that a step alone has put on each of ``links`` ``elapsed_s`` [s] after it began [B/s]."""
        begun = [
            span.stage
            for span in spans(self.stages, scale)
            if isinstance(span.stage, Move) and span.start_s + span.stage.latency_s < elapsed_s
        ]
        return _link_peaks(begun, self.links)


def step_plan(program: Program, device: Device, paths: Paths, read: Path | None) -> StepPlan:
    """Return the step of ``program`` on ``device``; a collective takes the paths of its group one after the other,
    ``read`` carries the samples of all ranks.
    """
    stages: list[Stage] = []
    seconds: dict[int, float] = {}  # a program repeats the same instructions, one for each layer
    for instruction in program.instructions:
        if isinstance(instruction, Compute):
            if id(instruction) not in seconds:
                seconds[id(instruction)] = compute_seconds(instruction, device)
            stages.append(Busy(instruction.label, seconds[id(instruction)]))
        elif isinstance(instruction, Stretch):
            stages.append(Busy(instruction.label, instruction.seconds))
        elif isinstance(instruction, Message):
            stages.append(timed_move(instruction, paths))
        elif isinstance(instruction, Collective):
            stages.extend(moves(instruction, paths))
        elif isinstance(instruction, Wait):
            stages.append(Join())
        elif isinstance(instruction, Read) and read is not None:
            stages.append(_move("samples", read, instruction.size_bytes * program.ranks, fetch=True))
    links = _links(stages)
    return StepPlan(
        device.clock,
        tuple(stages),
        evaluate(stages, np.ones(())),
        step_energy(program, device),
        links,
        _link_bytes(stages, links),
        _link_peaks(stages, links),
        np.zeros(len(links)),
    )


def compute_seconds(compute: Compute, device: Device) -> float:
    """Return the time of the kernels of ``compute`` [s]."""
    return sum(
        times * operation_time(operation, device.accelerator, device.software, device.clock).seconds
        for operation, times in compute.operations
    )


def latency_share(program: Program, paths: Paths) -> float:
    """Return the share of latency in the time of the collectives of a step, alone on their links [1]."""
    found = [move for i in program.instructions if isinstance(i, Collective) for move in moves(i, paths)]
    found += [timed_move(i, paths) for i in program.instructions if isinstance(i, Message)]
    seconds = sum(move.seconds for move in found)
    return sum(move.latency_s for move in found) / seconds if seconds else 0.0


def moves(collective: Collective, paths: Paths) -> list[Move]:
    """Return the transfers of a collective, one after the other."""
    way, size_bytes = paths[collective.group], collective.size_bytes
    if isinstance(way, LibraryPath):
        taken = take(way, size_bytes)
        path = taken.path
        return [
            Move(
                collective.label,
                path.route,
                size_bytes,
                taken.latency_s,
                path.rate_bytes_per_s,
                algorithm=taken.algorithm,
            )
        ]
    return [_move(collective.label, path, size_bytes) for path in way]


def timed_move(message: Message, paths: Paths) -> Move:
    """Return the transfer of a message: what its bytes at the full rate of the route do not explain is latency.

    Where the route is slower than the model of the message takes it to be, so is the message.
    """
    way = paths[message.group]
    path = way.ring if isinstance(way, LibraryPath) else way[0]
    rest_s = path.latency_s(message.seconds, message.size_bytes)
    return Move(message.label, path.route, message.size_bytes, max(rest_s, 0.0), path.rate_bytes_per_s)


def _move(label: str, path: Path, size_bytes: float, fetch: bool = False) -> Move:
    return Move(label, path.route, size_bytes, path.route.latency_s, path.rate_bytes_per_s, fetch)


def step_energy(program: Program, device: Device) -> StepEnergy:
    """Return the energy of a rank's step beyond waiting; the voltage that goes with the clock scales the
    arithmetic's.
    """
    total = StepEnergy()
    switching = dynamic_energy_factor(device.clock)
    executed: Counter[int] = Counter(id(instruction) for instruction in program.instructions)
    for instruction in {id(instruction): instruction for instruction in program.instructions}.values():
        repeats = executed[id(instruction)]
        if isinstance(instruction, Compute):
            for operation, times in instruction.operations:
                one = operation_energies(operation, device.accelerator, device.software)
                total = total.plus(StepEnergy(one.compute_j * switching, one.memory_j), times * repeats)
        elif isinstance(instruction, Stretch):
            total = total.plus(_stretch_energy(instruction, device, switching), repeats)
        elif isinstance(instruction, Message):
            sent = instruction.size_bytes * repeats * sent_factor(instruction.mesh, instruction.group)
            total = total.plus(StepEnergy(links_j=device.accelerator.link_energy_per_byte), sent)
        elif isinstance(instruction, Collective):
            sent = instruction.size_bytes * repeats * _sent_factor(program, instruction)
            total = total.plus(StepEnergy(links_j=device.accelerator.link_energy_per_byte), sent)
    return total


def _stretch_energy(stretch: Stretch, device: Device, switching: float) -> StepEnergy:
    part = device.accelerator
    arithmetic_j = stretch.flops * flop_energy(part, stretch.flop_rate) * switching if stretch.flops else 0.0
    moved = (stretch.memory_bytes * part.energy_per_byte, stretch.link_bytes * part.link_energy_per_byte)
    return StepEnergy(arithmetic_j, *moved)


def _sent_factor(program: Program, collective: Collective) -> float:
    if collective.group is None:
        return reduction_factor(program.ranks) if program.sent is None else program.sent
    return sent_factor(program.mesh, collective.group)


def reduction_factor(ranks: int) -> float:
    """Return the bytes that a rank sends in an all-reduce over its payload, as the mean of all ranks: 2 (n - 1) / n.

    A ring, a tree, a hierarchy of rings and parameter servers beside the ranks differ in who sends, not in how much:
    each of the n - 1 other contributions to every part of the payload travels once, and so does the sum to n - 1 ranks.
    """
    return 2.0 * (ranks - 1) / ranks


def _links(stages: Sequence[Stage]) -> Indices:
    return union([stage.route.links for stage in stages if isinstance(stage, Move)])


def _by_route(stages: Sequence[Stage]) -> list[tuple[Move, float]]:
    """Return a move of every route that carries bytes, and the bytes of all that go that way [B]."""
    found: dict[int, tuple[Move, float]] = {}
    for move in stages:
        if isinstance(move, Move) and move.size_bytes and len(move.route.links):
            _, before = found.get(id(move.route), (move, 0.0))
            found[id(move.route)] = move, before + move.size_bytes
    return list(found.values())


def _link_bytes(stages: Sequence[Stage], links: Indices) -> Floats:
    total = np.zeros(len(links))
    for move, size_bytes in _by_route(stages):
        total[np.searchsorted(links, move.route.links)] += move.route.share * size_bytes
    return total


def _link_peaks(stages: Sequence[Stage], links: Indices) -> Floats:
    peaks = np.zeros(len(links))
    for move, _ in _by_route(stages):  # all moves over a route go at one rate
        where = np.searchsorted(links, move.route.links)
        peaks[where] = np.maximum(peaks[where], move.route.share * move.rate_bytes_per_s)
    return peaks
