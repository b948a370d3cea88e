"""Fit the constants to runs and write them into the catalogue, each with the runs that it was fitted on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from dcsim import catalogue
from dcsim.accuracy.training.case import Case
from dcsim.accuracy.training.constants import COMMON, ERA, ERAS, FITTED, GENERATION, GENERATIONS, value
from dcsim.accuracy.training.fit import fit
from dcsim.accuracy.training.predict import facts_of
from dcsim.accuracy.training.setting import Setting, setting_of
from dcsim.catalogue import reader

_FOLDER = Path(catalogue.__file__).parent
_TITLES = {
    "volta": "NVIDIA Volta: V100",
    "ampere": "NVIDIA Ampere: A100, A800",
    "hopper": "NVIDIA Hopper: H100, H200, H800, GH200",
    "blackwell": "NVIDIA Blackwell: B200, B300, GB200, GB300",
    "cdna2": "AMD CDNA 2: MI250X",
    "cdna3": "AMD CDNA 3 and 4: MI300X, MI325X, MI355X",
    "tpu": "Google TPU v3, v4, v5p and TPU7x",
    "tpu-e": "Google TPU v5e",
    "tpu-6": "Google TPU v6e",
    "gaudi": "Intel Gaudi 2 and 3",
}


def write(cases: Sequence[Case]) -> list[Path]:
    """Fit on ``cases``, write the parts of the catalogue and return their files."""
    settings = [found for found in map(setting_of, cases) if isinstance(found, Setting)]
    constants = fit(facts_of(settings)).constants
    by_generation = _groups(settings, lambda setting: setting.sheet.generation)
    by_era = _groups(settings, lambda setting: setting.era)
    written = []
    for name in GENERATIONS:
        lines = [f"title: {json.dumps(_TITLES[name])}", *_lines(constants, name, GENERATION, by_generation)]
        written.append(_write("generations", name, lines))
    for name in ERAS:
        path = _FOLDER / "software" / f"{name}.yaml"
        kept = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("  ")]
        kept = [line for line in kept if not line.startswith("training:")]
        fields = ["  " + line for line in _lines(constants, name, ERA, by_era)]
        written.append(_write("software", name, [*kept, "training:", *fields]))
    everywhere = {"": f"{len(settings)} runs of {len({s.case.text('source_group') for s in settings})} sources"}
    lines = ['title: "Kernels and messages of training steps"', *_lines(constants, "", COMMON, everywhere)]
    return [*written, _write("kernels", "training", lines)]


def _groups(settings: Sequence[Setting], key: object) -> dict[str, str]:
    """Return in words which runs belong to each owner: their number and their sources."""
    found: dict[str, Counter[str]] = {}
    for setting in settings:
        found.setdefault(key(setting), Counter())[setting.case.text("source_group")] += 1  # type: ignore[operator]
    return {
        owner: f"{counts.total()} runs: {', '.join(f'{group} ({n})' for group, n in sorted(counts.items()))}"
        for owner, counts in found.items()
    }


def _lines(
    constants: Mapping[str, float], owner: str, fields: Mapping[str, object], groups: Mapping[str, str]
) -> list[str]:
    lines = []
    for field in fields:
        number = float(f"{float(value(constants, owner, field)):.4g}")
        fitted = field in FITTED[owner]
        source = f"fitted to {groups.get(owner, 'no runs')}" if fitted else "assumption: the prior, no runs tell"
        lines.append(f"{field}: {{value: {json.dumps(number)}, source: {json.dumps(source)}}}")
    return lines


def _write(kind: str, name: str, lines: Sequence[str]) -> Path:
    text = "\n".join(lines) + "\n"
    reader.read(text)
    path = _FOLDER / kind / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path
