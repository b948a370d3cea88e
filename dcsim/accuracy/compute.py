"""The domain "compute": calibrate this machine, predict steps of models that it never saw, and measure them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from dcsim import units
from dcsim.accuracy import entry
from dcsim.accuracy.cases.steps import CASES, StepCase
from dcsim.accuracy.entry import this_machine
from dcsim.accuracy.machine import Device, Progress, counting, measure_machine
from dcsim.accuracy.score import Row, score, table
from dcsim.compute.roofline import operation_time
from dcsim.workload.costs import CostRequest, costs
from dcsim.workload.measure import Effort, Timing, one_thread, timed
from dcsim.workload.operation import Operation
from dcsim.workload.timing import Program

if TYPE_CHECKING:
    from dcsim.scenario.workload import ModelSpec

_PRECISION = "fp32"
_STEPS = Effort(rounds=7, seconds=0.03, group=4)
_UNIT = "CPU seconds of one thread, at the pace of the calibration"


def rows(cases: Sequence[StepCase], device: Device, progress: Progress) -> list[Row]:
    """Predict and measure ``cases``; call it inside :func:`dcsim.workload.measure.one_thread`.

    After an interrupt there are those that were measured by then.
    """
    from dcsim.workload import runtime
    from dcsim.workload.pace import Pace

    runtime.prepare()
    pace = Pace(_unit(device))
    tell = counting(progress, "measuring", len(cases))
    found: list[Row] = []
    try:
        for group in timed([_program(case) for case in cases], _STEPS, pace):
            found += [row(case, timing, device) for case, timing in zip(cases[len(found) :], group, strict=False)]
            tell(len(found))
    except KeyboardInterrupt:
        if not found:
            raise
    return found


def score_machine(file: Path | None, progress: Progress) -> tuple[list[Row], dict[str, Any]]:
    """Return the rows of all cases, and facts about the device: calibrated now, or by the entry in ``file``.

    Raises
    ------
    InputError
        If the file holds no measured device.
    """
    with one_thread() as conditions:
        machine = this_machine(conditions)
        if file is None:
            measured = measure_machine("this-cpu", machine, progress)
            device, fit = measured.device, measured.fit
        else:
            device, fit = Device(*entry.device(entry.read(file))), f"read from {file}"
        found = rows(CASES, device, progress)
        facts = {"conditions": machine.conditions, "calibration": fit, "unit": _UNIT, **pace_facts(found)}
        if len(found) < len(CASES):
            facts["partial"] = f"interrupted after {len(found)} of {len(CASES)} cases"
        return found, facts


def pace_facts(found: Sequence[Row]) -> dict[str, Any]:
    """Return how slow the machine was against the calibration, in words, and the score of the times as they were timed.

    Predictions are for the pace of the calibration: the errors against what was timed have the machine's drift in them.
    """
    more = [row.more or {} for row in found]
    slow = sorted(row["slowness"] or 1.0 for row in more)
    ends = f"{slow[0]:.2f} to {slow[-1]:.2f} times what they took at calibration, the median step at {median(slow):.2f}"
    errors = [
        (row.predicted or 0.0) / (own["as_timed_s"] or row.measured) - 1.0 for row, own in zip(found, more, strict=True)
    ]
    return {"pace": f"small programs beside the steps took {ends}", "as_timed": asdict(score(errors))}


def text(found: Sequence[Row], facts: Mapping[str, Any]) -> str:
    """Return rows and scores as text for a terminal, with the pace of the machine below."""
    timed_as = facts["as_timed"]
    plain = (
        f"as timed, not brought to that pace: median error {timed_as['median']:.1%}, 90 % {timed_as['ninetieth']:.1%}"
    )
    return f"{table(found)}\n\npace: {facts['pace']}\n{plain}"


def _unit(device: Device) -> dict[str, float]:
    """Return what the programs of the pace took at calibration [s]."""
    known = device.accelerator.efficiency
    pairs = [text.partition(":") for text in (known.pace if known else ())]
    return {name.strip(): units.parse(seconds.strip(), "time") for name, _, seconds in pairs}


def row(case: StepCase, timing: Timing, device: Device) -> Row:
    """Return the row of one case: the prediction from its traced operations against what it took."""
    operations = timing.operations
    if case.mode == "training":
        request = CostRequest(_model(case), _PRECISION, case.optimizer, case.samples)
        operations = costs(request).operations
    return Row(
        id=case.name,
        metric="step time",
        unit="s",
        measured=timing.seconds,
        predicted=predicted_seconds(operations, device),
        naive=naive_seconds(operations, device),
        more={"as_timed_s": timing.raw_s, "slowness": timing.slowness},
        groups={"family": case.family, "mode": case.mode, "set": "kept apart" if case.apart else "looked at"},
    )


def predicted_seconds(operations: Sequence[Operation], device: Device) -> float:
    """Return the time of one program that executes ``operations`` [s]."""
    call_s = device.accelerator.efficiency.call if device.accelerator.efficiency else 0.0
    return call_s + _seconds(operations, device)


def naive_seconds(operations: Sequence[Operation], device: Device) -> float:
    """Return the time by the plain roofline [s]: the rate of the best product and of memory, nothing else."""
    plain = device.accelerator.model_copy(update={"efficiency": None})
    return _seconds(operations, Device(plain, device.software))


def _seconds(operations: Sequence[Operation], device: Device) -> float:
    return sum(o.count * operation_time(o, device.accelerator, device.software).seconds for o in operations)


def _program(case: StepCase) -> Program:
    from dcsim.workload import model_programs
    from dcsim.workload.step import Recipe

    recipe = Recipe(_model(case), _PRECISION, case.optimizer)
    make = model_programs.training if case.mode == "training" else model_programs.scoring
    return make(case.name, recipe, case.samples)


def _model(case: StepCase) -> ModelSpec:
    from pydantic import TypeAdapter

    from dcsim.scenario.workload import ModelSpec

    adapter: TypeAdapter[Any] = TypeAdapter(ModelSpec)
    model: ModelSpec = adapter.validate_python(dict(case.model))
    return model
