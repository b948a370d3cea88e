"""What a table reports of a run, and how a predicted step gives the same: step time, throughput, utilization, time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dcsim.accuracy.training.case import Case
from dcsim.accuracy.training.device import DataSheet
from dcsim.accuracy.training.model import Model, parameters, plain
from dcsim.accuracy.training.plan import Plan


@dataclass(frozen=True, slots=True)
class Target:
    """The measured value, its name and unit; ``value = scale * step ** power`` for a step in seconds."""

    metric: str
    unit: str
    measured: float
    scale: float
    power: float

    def of_step(self, step_s: float) -> float:
        """Return the metric of a step that takes ``step_s`` [s]."""
        return float(self.scale * step_s**self.power)

    @property
    def step_s(self) -> float:
        """The step time that gives the measured value [s]."""
        return float((self.measured / self.scale) ** (1.0 / self.power))


_GPT3_TOKENS = (1.05e9, 8.3e7)
"""Tokens to the quality of MLPerf's GPT-3 and by how much 1,024 more sequences of batch raise them.

By logged throughput times time to train of the H100 submissions of v3.1 and v4.1 at batches of 2,048 to 3,072.
"""


_NEOX_ATTENTION, _NEOX_CORRECTED = 60.0, "2023-09"
"""What GPT-NeoX's logs counted for attention beside 6 N, and when that was corrected.

Its ``get_flops`` (megatron/utils.py) gave ``6 N + 60 s h l`` a token, layers computed again or not, until pull request
1044. The 117 TFLOP/s of Black et al. (2022) are 43.9 s a step by that, and 150,000 steps took 1,830 hours: 43.9 s.
"""


def target_of(case: Case, model: Model, plan: Plan, sheet: DataSheet) -> Target | str:
    """Return what is to be predicted: the step time where the table has it, else the metric that it reports."""
    step = case.positive("step_s")
    if step is not None:
        return Target("step_s", "s", step, 1.0, 1.0)
    metric, value = _reported(case)
    if value is None:
        return "the table has no measured value"
    tokens = plan.batch * model.sequence
    devices = case.positive("n_devices") or 1.0
    match metric:
        case "step_s" | "step_time_s" | "s_per_step":
            return Target(metric, "s", value, 1.0, 1.0)
        case "step_ms" | "step_time_ms" | "ms_per_step":
            return Target(metric, "ms", value, 1e3, 1.0)
        case "tokens_per_s_per_device":
            return Target(metric, "1/s", value, tokens / devices, -1.0)
        case "tokens_per_s":
            return Target(metric, "1/s", value, tokens, -1.0)
        case "samples_per_s" | "sequences_per_s" | "images_per_s":
            return Target(metric, "1/s", value, plan.batch, -1.0)
        case "samples_per_s_per_device" | "sequences_per_s_per_device":
            return Target(metric, "1/s", value, plan.batch / devices, -1.0)
        case "tflops_per_device" | "tflops_per_device_hw":
            return Target(metric, "TFLOP/s", value, counted_flops(case, model, plan) / devices / 1e12, -1.0)
        case "mfu_pct" | "hfu_pct" | "mfu" | "hfu":
            narrow = re.search("fp8|int8", case.text("precision")) and "fp8" in case.text("flop_formula").lower()
            peak = devices * (sheet.rate8 if narrow else sheet.rate16)
            share = value <= 1.0 and not metric.endswith("_pct") and "%" not in case.text("value")
            whole, unit = (1.0, "1") if share else (100.0, "%")
            return Target(metric, unit, value, whole * counted_flops(case, model, plan) / peak, -1.0)
        case "time_to_train_min":
            steps = steps_to_train(case, model, plan)
            return (
                "the table does not tell how many samples were trained"
                if steps is None
                else Target(metric, "min", value, steps / 60.0, 1.0)
            )
    return f'the metric "{metric}" is none that a step time gives'


_MORE = ("tokens_per_s_per_device", "tflops_per_device", "mfu_pct", "hfu_pct", "time_to_train_min")
"""Columns of further figures, for rows that name no metric."""


def _reported(case: Case) -> tuple[str, float | None]:
    """Return the metric that a row reports and its value: of column "metric", else the first column that has one."""
    value, named = case.positive("value"), case.text("metric").lower()
    if value is not None and named:
        return re.sub(r"per_(gpu|chip|accelerator|tpu)", "per_device", re.sub(r"[\s-]+", "_", named)), value
    return next(((name, case.positive(name)) for name in _MORE if case.positive(name)), (named, value))


def steps_to_train(case: Case, model: Model, plan: Plan) -> float | None:
    """Return the steps of a whole training run, from the notes or from what is logged elsewhere of the benchmark."""
    found = re.search(r"(\d+) samples/epochs trained", case.text("notes"))
    name = plain(case.text("model"))
    if name.startswith("gpt3-175b"):
        return (_GPT3_TOKENS[0] + _GPT3_TOKENS[1] * plan.batch / 1024.0) / (plan.batch * model.sequence)
    if found is None:
        return None
    count = float(found.group(1))
    return count * (1281167.0 if count < 1000 else 1.0) / plan.batch


def counted_flops(case: Case, model: Model, plan: Plan) -> float:
    """Return the FLOPs of a step as the source counts them, by the words of ``flop_formula``.

    "96*B*s*l*h^2" and "recompute" count the layers' forward pass twice, "6N" the parameters once forward and twice
    backward; attention is counted whole unless the words say "causal" without "non".
    """
    words = case.text("flop_formula").lower()
    tokens = plan.batch * model.sequence
    hidden, layers = model.hidden, model.layers
    if "neox" in case.text("software").lower() and case.text("release") < _NEOX_CORRECTED:
        return tokens * (6.0 * parameters(model) + _NEOX_ATTENTION * model.sequence * hidden * layers)
    again = 4.0 if ("96*" in words or "recompute" in words or "hardware" in words) and plan.recomputed >= 1.0 else 3.0
    mixed = model.layers - model.dense_layers if model.experts else 0.0
    idle = mixed * (model.experts - model.chosen) * (2.0 + model.gated) * hidden * model.expert_ffn
    head = hidden * model.vocabulary
    inside = parameters(model) - idle - head
    square = 2.0 * layers * model.heads * (model.width + model.value_width) * model.sequence
    half = 0.5 if "causal" in words and "non-causal" not in words else 1.0
    return tokens * (again * (2.0 * inside + half * square) + 3.0 * 2.0 * head)
