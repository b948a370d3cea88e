"""Runs of residual networks: products and memory traffic of an image, added, and gradients that are summed beside.

K. He et al., "Deep residual learning for image recognition" (CVPR 2016): 4.1 G multiplications and additions for an
image of 224 x 224 in ResNet-50, the backward pass twice as many; 11.1 M elements come out of its convolutions
(torchvision's layers counted). Batch norm and activation read and write each three times more, forward, and the
backward pass about as often again as convolutions and forward together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dcsim.accuracy.training.case import Case
from dcsim.accuracy.training.constants import Constants, value
from dcsim.accuracy.training.device import DataSheet, data_sheet
from dcsim.accuracy.training.era import era_of
from dcsim.accuracy.training.metric import Target

_IMAGES_OF_AN_EPOCH = 1281167.0  # ImageNet-1k
_PASSES = 12.0  # reads and writes of an element, forward and backward
_MEMORY = 0.85  # share of the bandwidth: maps are streamed whole; the prior, as nothing is fitted to these runs
_CONVOLUTION = 0.6  # share of the peak: software eras of the catalogue from 2023 on


@dataclass(frozen=True, slots=True)
class _Network:
    multiply_adds: float
    elements: float
    parameters: float


_NETWORKS: Mapping[str, _Network] = MappingProxyType({"resnet50": _Network(4.09e9, 11.1e6, 25.6e6)})


@dataclass(frozen=True, slots=True)
class Images:
    """One run on images that can be predicted."""

    case: Case
    network: _Network
    sheet: DataSheet
    era: str
    micro: float
    batch: float
    target: Target


def images_of(case: Case) -> Images | str | None:
    """Return the run of a residual network, the reason why it cannot be predicted, or None where it is none."""
    name = case.text("model").lower().replace("-", "").replace("_", "")
    network = next((network for start, network in _NETWORKS.items() if name.startswith(start)), None)
    if network is None:
        return None
    sheet, devices = data_sheet(case.text("device")), case.positive("n_devices")
    if sheet is None or devices is None:
        return f'no data sheet of the device "{case.text("device")}", or no number of devices'
    batch = case.positive("global_batch") or (case.positive("micro_batch") or 0.0) * devices
    if not batch:
        return "the table states no batch size"
    target = _target(case, batch)
    if isinstance(target, str):
        return target
    era = era_of(case.text("software"), case.text("release"))
    return Images(case, network, sheet, era, batch / devices, batch, target)


def _target(case: Case, batch: float) -> Target | str:
    step, measured, metric = case.positive("step_s"), case.positive("value"), case.text("metric")
    if step is not None or (metric == "step_s" and measured):
        return Target("step_s", "s", step or measured or 0.0, 1.0, 1.0)
    if measured is not None and metric == "samples_per_s":
        return Target(metric, "1/s", measured, batch, -1.0)
    if measured is not None and metric == "time_to_train_min":
        words = case.text("notes").split(" samples/epochs trained")[0].split()
        try:
            epochs = float(words[-1]) if words else 0.0
        except ValueError:
            epochs = 0.0
        if 0.0 < epochs < 1000.0:
            return Target(metric, "min", measured, epochs * _IMAGES_OF_AN_EPOCH / batch / 60.0, 1.0)
    return "the table does not tell a step time, a throughput, or how long was trained"


def seconds(run: Images, constants: Constants) -> float:
    """Return the step time [s]."""
    sheet, network = run.sheet, run.network
    flops = 3.0 * 2.0 * network.multiply_adds * run.micro
    moved = 2.0 * _PASSES * network.elements * run.micro
    kernels = flops / (sheet.rate16 * _CONVOLUTION) + moved / (sheet.bandwidth * _MEMORY)
    devices = run.batch / run.micro
    gradients = 2.0 * 2.0 * network.parameters * (devices - 1.0) / devices
    share = float(value(constants, sheet.generation, "links"))
    reduced = gradients / (sheet.link * share) if devices <= sheet.domain else gradients / sheet.nic
    hidden = float(value(constants, run.era, "hidden_data"))
    update = 30.0 * network.parameters / (sheet.bandwidth * _MEMORY)
    return kernels + (1.0 - hidden) * reduced + update + 1e-3 * float(value(constants, run.era, "step_ms"))
