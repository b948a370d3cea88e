"""What the smaller forms of trained models cost to serve on the accelerators that trained them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from dcsim.compute.roofline import operation_energy, operation_time
from dcsim.estimate.device import Device
from dcsim.scenario.inference import Inference
from dcsim.simulate.assemble import DataCenter
from dcsim.workload.costs import inference_costs
from dcsim.workload.operation import Operation

if TYPE_CHECKING:
    from dcsim.workload.smaller import Form

_WORD_BYTES = 4


def rows(center: DataCenter) -> Iterable[Sequence[Any]]:
    """Yield the forms of every job that asks for them and has come to its end: how large and how good they are, and
    what it takes one accelerator to score a micro batch.
    """
    for job in center.jobs:
        asked = job.plan.parts.job
        if job.learning is None or job.finished_s is None or asked.execute is None or not asked.execute.smaller:
            continue
        from dcsim.workload.smaller import forms

        for form in forms(job.learning.learner, job.plan.parts.model, asked):  # type: ignore[arg-type]
            seconds, joules = price(serving(form, asked.batch.micro), job.plan.device)
            accuracy = float("nan") if form.accuracy is None else form.accuracy
            size = (form.weight_bytes, form.loss, accuracy)
            yield (asked.name, form.name, form.precision, *size, asked.batch.micro, seconds, joules)


def serving(form: Form, samples: int) -> list[Operation]:
    """Return the kernels by which ``samples`` samples at once are scored by a form of a model."""
    from dcsim.workload.smaller import operations

    precision = "bf16" if form.precision in ("bf16", "int8") else form.precision
    found: Iterable[Operation] = inference_costs(form.model, precision, Inference(step="score"), samples).operations
    if form.precision == "int8":
        found = operations.in_int8(found)
    if form.kept < 1.0:
        found = operations.in_fours(found, _WORD_BYTES)
    return list(found)


def price(operations: Sequence[Operation], device: Device) -> tuple[float, float]:
    """Return time [s] and energy beyond idle [J] of kernels, one after the other."""
    accelerator, software = device.accelerator, device.software
    seconds = sum(o.count * operation_time(o, accelerator, software, device.clock).seconds for o in operations)
    return seconds, sum(o.count * operation_energy(o, accelerator, software) for o in operations)
