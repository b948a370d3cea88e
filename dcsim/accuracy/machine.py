"""Calibrate this machine: time micro-kernels in one thread, fit, and write the catalogue entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dcsim.accuracy import entry
from dcsim.accuracy.calibration import Timings, calibrate
from dcsim.accuracy.entry import Machine, this_machine
from dcsim.catalogue.parts import Accelerator, Software
from dcsim.workload.measure import Effort, Program, one_thread, time_programs

Progress = Callable[[str], None]
_KERNELS = Effort(rounds=5, seconds=0.004, group=32)


@dataclass(frozen=True, slots=True)
class Device:
    """A measured accelerator and its software."""

    accelerator: Accelerator
    software: Software


@dataclass(frozen=True, slots=True)
class Measured:
    """The catalogue entry of a machine as text, the device in it, and the fit in words."""

    text: str
    device: Device
    fit: str


def calibrate_machine(name: str, progress: Progress) -> Measured:
    """Calibrate this machine as the accelerator ``name``; ``progress`` is told where it is, in words."""
    with one_thread() as conditions:
        return measure_machine(name, this_machine(conditions), progress)


def measure_machine(name: str, machine: Machine, progress: Progress) -> Measured:
    """Calibrate ``machine``, which is this one, inside :func:`dcsim.workload.measure.one_thread`."""
    return measured(name, machine, time_kernels(progress))


def measured(name: str, machine: Machine, timings: Timings) -> Measured:
    """Return the entry of ``machine`` as fitted to ``timings``."""
    calibration = calibrate(timings)
    parts = entry.parts(calibration, machine, name)
    comments = (
        machine.conditions,
        f"Fitted on {calibration.summary}.",
        f"A scenario beside this file includes it, has servers of type {name}, and jobs in fp32 with software {name}.",
    )
    return Measured(entry.write(parts, comments), Device(*entry.device(parts)), calibration.summary)


def time_kernels(progress: Progress) -> Timings:
    """Time the micro-kernels, inside :func:`dcsim.workload.measure.one_thread`."""
    from dcsim.workload import micro_kernels, micro_products

    groups: list[list[Program]] = [
        [micro_kernels.empty()],
        list(micro_products.products()),
        list(micro_products.convolutions()),
        list(micro_kernels.kernels()),
    ]
    total, before, found = sum(map(len, groups)), 0, []
    for group in groups:
        found.append(tuple(time_programs(group, _KERNELS, counting(progress, "calibrating", before, total))))
        before += len(group)
    return Timings(found[0][0], found[1], found[2], found[3])


def counting(progress: Progress, what: str, before: int, total: int) -> Callable[[int], None]:
    """Return a function of the number done that tells ``progress`` of it, after ``before`` others of ``total``."""
    return lambda done: progress(f"{what}: {before + done} of {total}")
