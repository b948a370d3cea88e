"""Print the tables of docs/how-to/choose-a-parallel-plan.md: memory of ranks, and published plans beside the best.

python analysis/parallel_plans.py
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from dcsim.accuracy.training import table
from dcsim.accuracy.training.case import read
from dcsim.accuracy.training.constants import shipped
from dcsim.accuracy.training.predict import facts_of, work_of
from dcsim.accuracy.training.setting import Setting, setting_of
from dcsim.catalogue import Shelf
from dcsim.estimate.plan_search import Found, Question, evaluate, search
from dcsim.estimate.rank_memory import rank_memory
from dcsim.estimate.work import Work
from dcsim.parallel.parallelism import Parallelism
from dcsim.scenario.transformers import Decoder

KORTHIKANTI = ("korthikanti-t5-003", "korthikanti-t5-001", "korthikanti-t5-004", "korthikanti-t5-002")
TECHNIQUES = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 1.0), (0.0, 1.0, 0.0))
"""Sequence parallelism, layers again, attention cores again: none; the first; the last; both; layers alone."""
PUBLISHED = {
    "korthikanti-t5-001": ("gpt3-175b", 80e9),
    "megatron-readme-001": ("gpt3-175b", 80e9),
    "nemo2407-h100-001": ("gpt3-175b", 80e9),
    "mlperf-gpt3-003": ("gpt3-175b", 80e9),
    "mlperf-405b-005": ("llama3-405b", 80e9),
    "llama3-t4-002": ("llama3-405b", 80e9),
    "torchtitan-014": ("llama3-405b", 94e9),
}
GB = 1e9


def memory_row(setting: Setting, work: Work) -> str:
    """Return a row of the table of memory: a run of Korthikanti et al. under each of their techniques."""
    settled = rank_memory(work)
    activations = [float(rank_memory(_again(work, *each)).activations[0]) for each in TECHNIQUES]
    states = sum(float(part[0]) for part in (settled.weights, settled.gradients, settled.optimizer))
    cells = [f"{a / GB:.1f} ({a / activations[0]:.0%})" for a in activations[1:]]
    return _row(setting.case.text("model"), f"{states / GB:.1f}", f"{activations[0] / GB:.1f}", *cells)


def plan_row(setting: Setting, work: Work, model: str, memory_bytes: float) -> str:
    """Return a row of the table of plans: what was published, predicted and measured, and the best that is found."""
    spec = Shelf().model(model)
    if not isinstance(spec, Decoder):
        raise TypeError(model)
    plan = setting.plan
    question = Question(
        spec.model_copy(update={"context": round(setting.model.sequence)}),
        ranks=round(plan.tensor * plan.pipeline * plan.data * plan.context),
        batch=round(plan.data * plan.micro * plan.micro_batches),
        domain=round(float(work.links.domain[0])),
        memory_bytes=memory_bytes,
    )
    began = time.process_time()
    found = search(work, question)
    took_s = time.process_time() - began
    own = evaluate(work, work.plan, question)
    return _row(
        setting.case.id,
        f"{question.ranks:,}",
        f"{setting.target.step_s:.1f} s",
        f"{own.seconds[0]:.1f} s, {own.memory_bytes[0] / GB:.0f} GB: {words(own.plans, 0)}",
        f"{found.seconds[0]:.1f} s, {found.memory_bytes[0] / GB:.0f} GB: {words(found.plans, 0)}",
        f"{found.seconds[0] / own.seconds[0] - 1:+.0%}",
        _counts(found, took_s),
    )


def words(plans: Parallelism, place: int) -> str:
    """Return a plan in words, such as "t8 p8 v3 d16 micro 1, sequence, selective"."""
    letters = {"tensor": "t", "pipeline": "p", "virtual": "v", "context": "c", "data": "d"}
    sizes = {name: round(float(getattr(plans, name)[place])) for name in (*letters, "micro", "sharding")}
    parts = [f"{letter}{sizes[name]}" for name, letter in letters.items() if sizes[name] > 1]
    text = " ".join([*parts, f"micro {sizes['micro']}"])
    flags = [
        "sequence" if plans.sequence[place] else "",
        ("", "ZeRO-1", "ZeRO-2", "FSDP")[sizes["sharding"]],
        "full" if plans.recomputed[place] else "selective" if plans.recomputed_core[place] else "",
    ]
    return ", ".join([text, *filter(None, flags)])


def _counts(found: Found, took_s: float) -> str:
    return f"{found.looked_at:,}, {found.fitting / found.looked_at:.0%} fit, {found.looked_at / took_s / 1000:.0f} k/s"


def _again(work: Work, sequence: float, full: float, core: float) -> Work:
    one = np.ones(1)
    plan = replace(work.plan, sequence=sequence * one, recomputed=full * one, recomputed_core=core * one)
    return replace(work, plan=plan)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print both tables as Markdown."""
    runs = {run.case.id: run for run in map(setting_of, read(table.SHIPPED)) if isinstance(run, Setting)}
    work = {name: work_of(facts_of([runs[name]]), shipped()) for name in {*KORTHIKANTI, *PUBLISHED}}
    for name in KORTHIKANTI:
        print(memory_row(runs[name], work[name]))
    for name, (model, memory_bytes) in PUBLISHED.items():
        print(plan_row(runs[name], work[name], model, memory_bytes))


if __name__ == "__main__":
    main()
