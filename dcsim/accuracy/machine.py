"""Calibrate this machine: time micro-kernels in one thread, fit, and write the catalogue entry."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from dcsim.accuracy import entry
from dcsim.accuracy.calibration import Timings, calibrate
from dcsim.accuracy.entry import Machine, this_machine
from dcsim.catalogue.parts import Accelerator, Software
from dcsim.workload.measure import Effort, Program, one_thread, time_programs

Progress = Callable[[str], None]
BUDGET_S = 150.0
"""The time after which calibration begins no more products and convolutions [s]."""

_EFFORT = Effort(rounds=7, seconds=0.003, group=24)
_SEED = 20260701


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


def time_kernels(progress: Progress, budget_s: float = BUDGET_S) -> Timings:
    """Time the micro-kernels, inside :func:`dcsim.workload.measure.one_thread`.

    Of products and convolutions, whose order is random, those are left out that do not begin within ``budget_s`` [s].
    """
    from dcsim.workload import micro_kernels, micro_products, runtime
    from dcsim.workload.pace import Pace

    until = time.monotonic() + budget_s
    runtime.prepare()
    pace = Pace()
    kernels = [micro_kernels.empty(), *micro_kernels.kernels()]
    products = [program.name for program in micro_products.products()]
    shapes = [*micro_products.products(), *micro_products.convolutions()]
    Random(_SEED).shuffle(shapes)
    total = len(kernels) + len(shapes)
    empty, *others = time_programs(kernels, _EFFORT, counting(progress, "calibrating", 0, total), pace)
    effort = replace(_EFFORT, until=until)
    found = time_programs(shapes, effort, counting(progress, "calibrating", len(kernels), total), pace)
    known = frozenset(products)
    return Timings(
        empty,
        tuple(timing for timing in found if timing.name in known),
        tuple(timing for timing in found if timing.name not in known),
        tuple(others),
        pace.unit_s,
    )


def counting(progress: Progress, what: str, before: int, total: int) -> Callable[[int], None]:
    """Return a function of the number done that tells ``progress`` of it, after ``before`` others of ``total``."""
    return lambda done: progress(f"{what}: {before + done} of {total}")
