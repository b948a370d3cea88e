"""What a release does with mixtures of experts, by a written rule on the columns of a run.

Whether a token goes to a domain once or once for each of its experts there, by the words of the notes where these name
the dispatcher, else:

1. HAI-LLM: once (DeepSeek-AI, DeepSeek-V3 Technical Report (2024), section 3.2.2).
2. Megatron-Bridge: once where links reach beyond a server (HybridEP), and from 26.04 on everywhere (HybridEP, DeepEP);
   its recipes of 25.11 and 26.02 for servers of eight take the plain all-to-all (scripts/performance/configs).
3. All others: once for each, the plain all-to-all of Megatron-Core.

For steps as one graph see :func:`dcsim.estimate.habits.whole_step`, for launches
:func:`dcsim.estimate.habits.one_by_one`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dcsim.accuracy.training.case import Case
from dcsim.estimate.habits import one_by_one, whole_step

_ONCE = re.compile(r"deep-?ep\b|hybrid-?ep\b", re.IGNORECASE)
_EACH = re.compile(r"all-?to-?all", re.IGNORECASE)
_SERVER = 8.0
_SINCE = 3.0 / 12.0  # 26.04, in years since 2026


@dataclass(frozen=True, slots=True)
class Mixing:
    """1 where tokens go to a domain once, where steps run as one graph, and where kernels are launched one by one."""

    once: float = 1.0
    whole: float = 0.0
    launched: float = 0.0


def mixing_of(case: Case, system: tuple[str, str, float], mixture: bool, block: bool) -> Mixing:
    """Return what a run does; ``system`` is its era, generation and the age of its release in years since 2026."""
    if not mixture:
        return Mixing()
    era, generation, age = system
    whole, reaching = whole_step(era, generation, mixture, block, age), _reaching(case)
    once = _goes_once(case, era, age)
    return Mixing(float(once), whole, one_by_one(era, mixture, whole, reaching))


def _reaching(case: Case) -> bool:
    return (case.positive("node_size") or _SERVER) > _SERVER


def _goes_once(case: Case, era: str, age: float) -> bool:
    notes = case.text("notes")
    if _ONCE.search(notes) or _EACH.search(notes):
        return _ONCE.search(notes) is not None
    if era == "bridge-2026":
        return _reaching(case) or age > _SINCE - 0.01
    return "hai" in case.text("software").lower()
