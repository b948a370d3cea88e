"""A run as the model sees it: model, plan, device, links, precision, era and what was measured."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from dcsim.accuracy.training.case import Case
from dcsim.accuracy.training.device import DataSheet, data_sheet, half_size, link_rate, network_rate
from dcsim.accuracy.training.era import era_of, usual_era, year_of
from dcsim.accuracy.training.metric import Target, target_of
from dcsim.accuracy.training.mixing import Mixing, mixing_of
from dcsim.accuracy.training.model import Model, model_of, parameters
from dcsim.accuracy.training.plan import Plan, plan_of
from dcsim.estimate.habits import FUSED, gathered_bytes, older_attention
from dcsim.parallel.parallelism import EVERYTHING, GRADIENTS

_EAGER = 2.0  # three kernels or four instead of a compiled one: torchtitan's 16 % of Llama 3 8B, an assumption beyond
_STATES, _HALF = 16.0, 0.5  # bytes of a parameter's states; share of a server's memory that they may take
_FLASH_2 = 2023.5  # when FlashAttention-2 came; that Megatron-LM and DeepSpeed's used it since is an assumption
_ASYNCHRONOUS = 0.5  # torchtitan's 4 to 16 % of a step


@dataclass(frozen=True, slots=True)
class Formats:
    """Numbers of one run, by the names of :class:`dcsim.parallel.parallelism.Precision`, and its peak rate [FLOP/s]."""

    narrow: float
    block: float
    gathered_bytes: float
    weight_bytes: float
    gradient_bytes: float
    sum_bytes: float
    """Of the sum of a gradient over the micro batches of a step [B]."""
    dispatch_bytes: float
    rate: float


@dataclass(frozen=True, slots=True)
class Setting:
    """One run that can be predicted."""

    case: Case
    model: Model
    plan: Plan
    sheet: DataSheet
    formats: Formats
    era: str
    link: float
    half: float
    """Size of a message at half of the links' rate over that inside switches [1]."""
    network: float
    domain: float
    slowed: float
    """What the notes say of a disturbed machine: time over that of a sound one [1]."""
    older: bool
    """Whether fused attention was written for GPUs before this one."""
    early: bool
    """Whether PyTorch is older than 2.1 (2023-10)."""
    eager: float
    """Memory traffic over that of compiled kernels, where the notes say so [1]."""
    asynchronous: float
    """Share of what tensor communication exposes that is hidden by its pipelining with products, as noted [1]."""
    fused: float
    """1 where attention is one kernel, else 0."""
    age: float
    """Years of the release since 2026 in an era whose experts still mature, else 0."""
    mixing: Mixing
    target: Target


def setting_of(case: Case) -> Setting | str:
    """Return the setting of a run, or the reason why it cannot be predicted."""
    sheet = data_sheet(case.text("device"))
    if sheet is None:
        return f'no data sheet of the device "{case.text("device")}"'
    model = model_of(case)
    if isinstance(model, str):
        return model
    software = _framework(case, sheet)
    plan = plan_of(case, model, sheet, software)
    if isinstance(plan, str):
        return plan
    target = target_of(case, model, plan, sheet)
    if isinstance(target, str):
        return target
    usual = usual_era(sheet.generation, case.text("precision"))
    era = era_of(_system(case, software), case.text("release"), usual)
    tpu = sheet.generation.startswith("tpu")
    domain = _slice(case, sheet) if tpu else case.positive("node_size") or sheet.domain
    if tpu or (era == "maxtext" and plan.sharding >= EVERYTHING and _holds_all(model, domain * sheet.memory)):
        plan = replace(plan, replicas=max((case.positive("n_devices") or 1.0) / domain, 1.0))
    formats, age = _formats(case, plan, (sheet, era)), _age(era, case.text("release"))
    mixing = mixing_of(case, (era, sheet.generation, age), model.experts > 0, formats.block > 0)
    return Setting(
        case, model, plan, sheet, formats, era,
        link_rate(case, sheet, plan.tensor), half_size(case, plan.tensor), network_rate(case, sheet, domain), domain,
        _slowed(case),
        older_attention(sheet.generation, era, *re.split(r"\W+", software.lower())), _early(case, era),
        _EAGER if "eager" in case.text("notes") else 1.0,
        _ASYNCHRONOUS if re.search("async ?tp", case.text("notes"), re.IGNORECASE) else 0.0,
        _fused(era, case.text("release")), age, mixing, target,
    )  # fmt: skip


def _holds_all(model: Model, memory: float) -> bool:
    """Return whether a server holds all of a model, so that MaxText on GPUs shards weights inside of each.

    Its recipes of 7B do (configs/a3/llama_2_7b, 2024), those of 70B do not: half of the memory for 16 bytes a parameter
    is an assumption.
    """
    return _STATES * parameters(model) < _HALF * memory


def _slice(case: Case, sheet: DataSheet) -> float:
    """Return the TPUs that a torus joins: the devices over the slices that the words of ``inter_link`` count."""
    devices = case.positive("n_devices") or 1.0
    found = re.search(r"(\d+) (slices|pods)", case.text("inter_link"))
    slices = float(found.group(1)) if found else max(devices / sheet.domain, 1.0)
    if found is None and re.search("multislice", case.text("inter_link"), re.IGNORECASE):
        slices = max(devices / sheet.domain, 2.0)
    return max(devices / slices, 1.0)


def _early(case: Case, era: str) -> bool:
    """Return whether a run is from before PyTorch 2.1, whose layers ran again as a whole.

    Of llm-foundry's tables those in pure bf16 are of spring 2023 and PyTorch 1.13, the others of October (pull request
    543, whose default became 32 bits for sums of gradients).
    """
    return era == "flash-2023" and "pure" in case.text("precision").lower()


def _formats(case: Case, plan: Plan, of: tuple[DataSheet, str]) -> Formats:
    sheet, era = of
    words = case.text("precision").lower()
    narrow = 1.0 if re.search("fp8|fp4|int8", words) else 0.0
    block = 1.0 if re.search("mx|nv|block|row", words) else 0.0
    rate = sheet.rate8 if narrow else sheet.rate16
    if "fp4" in words:
        rate = 2.0 * sheet.rate8
    if words in ("fp32", "tf32"):
        rate = sheet.rate16 / 2.0
    half = 2.0
    early = "deepspeed" in case.text("software").lower()
    total = 4.0 if early and "bf16" in words and plan.sharding < EVERYTHING else half
    gradient = total
    if "deepspeed" in case.text("software").lower() and "zero1" in case.text("dp_sharding"):
        gradient *= 2.0  # DeepSpeed of that time sums gradients by all-reduce
    if "amp" in words and plan.sharding >= GRADIENTS:
        gradient = 4.0  # Composer's mixed precision by default: weights in 16 bits, sums of gradients in 32
    gathered = gathered_bytes(era, narrow, block)
    return Formats(narrow, block, gathered, half, gradient, total, 1.0 if narrow else half, rate)


def _framework(case: Case, sheet: DataSheet) -> str:
    """Return the framework as the table names it; whoever submits, what runs on TPUs is compiled by XLA, as MaxText."""
    software = case.text("software")
    if sheet.generation.startswith("tpu") and era_of(software, "") != "maxtext":
        return "MaxText"
    return software


def _system(case: Case, software: str) -> str:
    """Return the framework of a run: the notes name it where a table compares several."""
    found = re.search(r"system: ([\w.-]+)", case.text("notes"))
    return found.group(1) if found else software


def _age(era: str, release: str) -> float:
    year = year_of(release)
    return (year or 2026.0) - 2026.0 if era == "bridge-2026" else 0.0


def _fused(era: str, release: str) -> float:
    """Return whether attention is one kernel: by the era, and in releases since FlashAttention-2 whatever the era."""
    return 1.0 if (year_of(release) or 0.0) >= _FLASH_2 else FUSED.get(era, 1.0)


def _slowed(case: Case) -> float:
    """Return 1.055 where a run is from before a repair that its source puts at 5 to 6 %."""
    return 1.055 if re.search(r"before .*\bfix\b", case.text("notes")) else 1.0
