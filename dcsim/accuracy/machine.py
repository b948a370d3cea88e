"""Calibrate this machine: time micro-kernels in one thread, fit, and write the catalogue entry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random

from dcsim.accuracy import entry
from dcsim.accuracy.calibration import Timings, calibrate
from dcsim.accuracy.entry import Machine, this_machine
from dcsim.catalogue.parts import Accelerator, Software
from dcsim.errors import InputError
from dcsim.workload.measure import Effort, Timing, one_thread, timed

Progress = Callable[[str], None]
BUDGET_S = 140.0
"""The time after which calibration begins no more products and convolutions [s]."""

_EFFORT = Effort(rounds=7, seconds=0.003, group=24)
_SEED = 20260701
_LEAST = 100  # products and convolutions without which there is no fit
_ENOUGH = 200  # of them after an interrupt


@dataclass(frozen=True, slots=True)
class Device:
    """A measured accelerator and its software."""

    accelerator: Accelerator
    software: Software


@dataclass(frozen=True, slots=True)
class Measured:
    """The catalogue entry of a machine as text, the device in it, the fit in words, and whether it was interrupted."""

    text: str
    device: Device
    fit: str
    partial: bool = False


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
        *(["Partial: the measurement was interrupted."] if timings.partial else []),
        f"A scenario beside this file includes it, has servers of type {name}, and jobs in fp32 with software {name}.",
    )
    text = entry.write(parts, comments)
    return Measured(text, Device(*entry.device(parts)), calibration.summary, timings.partial)


def time_kernels(progress: Progress, budget_s: float = BUDGET_S) -> Timings:
    """Time the micro-kernels, inside :func:`dcsim.workload.measure.one_thread`.

    Of products and convolutions, whose order is random, those are left out that do not begin within ``budget_s`` [s],
    of other kernels those that do not within half of it. An interrupt ends the measurement; what was timed by then is
    kept if it is enough for a fit.

    Raises
    ------
    InputError
        If the machine is too busy for a fit.
    """
    from dcsim.workload import micro_kernels, micro_products, runtime
    from dcsim.workload.pace import Pace

    begin = time.monotonic()
    runtime.prepare()
    pace = Pace()
    kernels = list(micro_kernels.kernels())
    products, convolutions = list(micro_products.products()), list(micro_products.convolutions())
    shapes = [*products, *convolutions]
    for drawn in (kernels, shapes):
        Random(_SEED).shuffle(drawn)
    tell = counting(progress, "calibrating", 1 + len(kernels) + len(shapes))
    half = replace(_EFFORT, until=begin + budget_s / 2.0)
    empty, *others = collected(timed([micro_kernels.empty(), *kernels], half, pace), tell)
    found: list[Timing] = []
    partial = False
    try:
        for group in timed(shapes, replace(_EFFORT, until=begin + budget_s), pace):
            found += group
            tell(1 + len(others) + len(found))
    except KeyboardInterrupt:
        if len(found) < _ENOUGH:
            raise
        partial = True
    if len(found) < _LEAST:
        timed_by_then = f"{len(found)} of {len(shapes)} products and convolutions timed in {budget_s:.0f} s"
        raise InputError(f"calibrate: found {timed_by_then}, expected {_LEAST} at least: the machine is too busy")
    factor = pace.settle()
    empty, *others = (timing.times(factor) for timing in (empty, *others))
    found = [timing.times(factor) for timing in found]
    known = {program.name for program in products}
    return Timings(
        empty,
        tuple(timing for timing in found if timing.name in known),
        tuple(timing for timing in found if timing.name not in known),
        tuple(others),
        pace.unit,
        partial,
    )


def collected(groups: Iterable[list[Timing]], tell: Callable[[int], None]) -> list[Timing]:
    """Return the timings of all groups; ``tell`` is told how many there are after each."""
    found: list[Timing] = []
    for group in groups:
        found += group
        tell(len(found))
    return found


def counting(progress: Progress, what: str, total: int) -> Callable[[int], None]:
    """Return a function of the number done that tells ``progress`` of it."""
    return lambda done: progress(f"{what}: {done} of {total}")
