"""The software era of a run: which named set of efficiency parameters applies, by a written rule.

The rule reads the columns ``software`` and ``release``, whose year may also be in the name of the software, and where
they tell neither framework nor year, the device:

1. MaxText, T5X, Pax, JAX and XLA: ``maxtext``, and all that runs on TPUs, whoever submits it.
2. Megatron-Bridge: ``bridge-2026``.
3. NeMo, Megatron-Core (also Megatron-LM with a release of it, "core_r0.8.0"), MegaScale and HAI-LLM: ``te-fp8-2024``.
4. Submissions to MLPerf: ``mlperf-2024``.
5. torchtitan, and the framework of Meta's Llama that it came from: ``torchtitan-2024``.
6. llm-foundry, Composer and other frameworks on FSDP or Accelerate: ``flash-2023``.
7. DeepSpeed, GPT-NeoX and metaseq up to 2023: ``deepspeed-2022``.
8. Megatron-LM up to 2023: ``megatron-2021``; later: ``te-fp8-2024``.
9. Anything else: by the year of its release, ``megatron-2021`` up to 2022, ``flash-2023`` in 2023, ``te-fp8-2024`` up
   to mid 2025, ``bridge-2026`` after.
10. Without a year, what was usual on the device: ``megatron-2021`` on V100 and MI250X, and on A100 in fp16;
    ``flash-2023`` on A100 else, but for Megatron-LM; ``bridge-2026`` on Blackwell; ``maxtext`` on TPUs; ``te-fp8-2024``
    on all others.
"""

from __future__ import annotations

import re

ERAS = (
    "megatron-2021", "deepspeed-2022", "flash-2023", "te-fp8-2024", "mlperf-2024", "bridge-2026", "torchtitan-2024",
    "maxtext",
)  # fmt: skip

_BY_WORD = (
    (("maxtext", "t5x", "pax", "jax", "xla", "axlearn", "levanter"), "maxtext"),
    (("bridge",), "bridge-2026"),
    (("nemo", "megatron-core", "mcore", "megascale", "hai-llm", "transformer-engine"), "te-fp8-2024"),
    (("mlperf",), "mlperf-2024"),
    (("torchtitan", "torch-titan", "meta)"), "torchtitan-2024"),
    (("foundry", "composer", "mosaic", "lightning", "fsdp", "accelerate", "torchtune", "axolotl"), "flash-2023"),
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_USUAL = {"volta": "megatron-2021", "cdna2": "megatron-2021", "blackwell": "bridge-2026"}
_EARLY = (("deepspeed", "neox", "metaseq", "fairseq", "colossal"), "deepspeed-2022")


def year_of(release: str) -> float | None:
    """Return the year of a release with its month as a fraction, "2022-05", "24.07" or "May 2022"; None without one."""
    found = re.search(r"(?<!\d)(20[12]\d)(?:[-./]?(0[1-9]|1[0-2]|[1-9](?!\d)))?", release)
    if found is None:
        found = re.search(r"(?<![\d.])(2\d)\.(0[1-9]|1[0-2])(?!\d)", release)
    if found is None:
        return None
    named = re.search("|".join(_MONTHS), release.lower())
    month = float(found.group(2) or (_MONTHS.index(named.group()) + 1 if named else 1))
    return float(found.group(1)) % 2000.0 + 2000.0 + (month - 1.0) / 12.0


def usual_era(generation: str, precision: str) -> str:
    """Return the era that was usual on devices of a generation: rule 10."""
    if generation == "ampere":
        return "megatron-2021" if precision.lower() == "fp16" else "flash-2023"
    return "maxtext" if generation.startswith("tpu") else _USUAL.get(generation, "te-fp8-2024")


def era_of(software: str, release: str, usual: str = "te-fp8-2024") -> str:
    """Return the era by the rule of this module; ``usual`` is that of the device."""
    name, year = re.sub(r"[\s_]+", "-", software.lower()), year_of(release)
    year = year_of(software) if year is None else year
    for words, era in _BY_WORD:
        if any(word in name for word in words):
            return era
    if any(word in name for word in _EARLY[0]):
        return _EARLY[1] if year is None or year < 2024.0 else "te-fp8-2024"
    if "megatron" in name and "core" in release.lower():
        return "te-fp8-2024"
    if year is None:
        return "megatron-2021" if "megatron" in name and usual == "flash-2023" else usual
    if year < 2023.0:
        return "megatron-2021"
    if year < 2024.0:
        return "megatron-2021" if "megatron" in name else "flash-2023"
    return "te-fp8-2024" if year < 2025.5 else "bridge-2026"
