"""The catalogue entry of a measured machine: a file of ``parts`` that a scenario includes."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from math import prod
from pathlib import Path
from typing import Any

from dcsim import catalogue, units
from dcsim.accuracy.calibration import Calibration
from dcsim.catalogue.efficiency import Efficiency
from dcsim.catalogue.parts import Accelerator, Software
from dcsim.errors import InputError
from dcsim.scenario.include import Reader
from dcsim.scenario.suggest import quoted

_LIKE = {"GenuineIntel": ("xeon-8480", "xeon-2s")}
_ELSE = ("epyc-9654", "epyc-2s")
_LARGE = 1e7  # FLOPs of a product that takes long against what starts a program
_POWER = ("tdp", "idle", "active", "energy_per_flop", "energy_per_byte", "link_energy_per_byte")


_EXPECTED = "expected a file written by dcsim calibrate"


@dataclass(frozen=True, slots=True)
class Machine:
    """What was measured and how: the processor and its maker, its memory [B], the conditions in words."""

    processor: str
    vendor: str
    memory_bytes: float
    conditions: str


def this_machine(conditions: Mapping[str, str]) -> Machine:
    """Return this machine, with the ``conditions`` of the measurement, the libraries' versions and today's date."""
    facts = _processor()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("jax", "jaxlib", "numpy"))
    words = [
        facts["model name"],
        platform.system(),
        f"Python {platform.python_version()}, {versions}",
        *(f"{key} {value}" for key, value in conditions.items()),
        f"CPU seconds, measured {datetime.now().astimezone():%Y-%m-%d %H:%M %z}",
    ]
    return Machine(facts["model name"], facts["vendor_id"], _memory_bytes(), "; ".join(words))


Parts = Mapping[str, Mapping[str, Mapping[str, Any]]]


def parts(calibration: Calibration, machine: Machine, name: str) -> Parts:
    """Return the entry: an accelerator, a server around it and its software, all called ``name``."""
    accelerator, server = _LIKE.get(machine.vendor, _ELSE)
    host = {
        "based_on": server,
        "title": f"{machine.processor}: the host is that of {server}, not measured",
        "accelerator": name,
        "accelerators": _leaf(1, "one thread is one accelerator"),
    }
    return {
        "accelerators": {name: _accelerator(calibration.efficiency, machine, accelerator)},
        "servers": {name: host},
        "software": {name: _software(machine)},
    }


def write(entry: Parts, comments: Sequence[str]) -> str:
    """Return the YAML of an entry below some ``comments``."""
    return "\n".join([*(f"# {comment}" for comment in comments), *_block({"parts": entry}, "")]) + "\n"


def read(path: Path) -> Parts:
    """Return the entry in a file.

    Raises
    ------
    InputError
        If the file cannot be read or holds no parts.
    """
    found = Reader().read(path).plain()
    own = found.get("parts") if isinstance(found, dict) else None
    if not isinstance(own, dict):
        raise InputError(f"{path}: found no parts, {_EXPECTED}")
    return own


def device(entry: Parts) -> tuple[Accelerator, Software]:
    """Return the measured accelerator of an entry and its software.

    Raises
    ------
    InputError
        If there is none.
    """
    shelf = catalogue.Shelf(entry)
    for name in entry.get("accelerators", {}):
        accelerator = shelf.take(Accelerator, name)
        if accelerator.efficiency is not None and name in entry.get("software", {}):
            return accelerator, shelf.take(Software, name)
    raise InputError(f"found no accelerator whose kernels were measured, with software of the same name, {_EXPECTED}")


def _accelerator(efficiency: Efficiency, machine: Machine, like: str) -> dict[str, Any]:
    part = catalogue.Shelf().take(Accelerator, like).model_dump(mode="json")
    measured, assumed = machine.conditions, f"not measured: that of {like}, of the whole socket"
    return {
        "title": f"{machine.processor}, one thread, measured",
        "kind": "cpu",
        "peak": {
            name: _leaf(rate, f"the fastest product measured; {measured}") for name, rate in _peaks(efficiency).items()
        },
        "memory": _leaf(units.write(machine.memory_bytes, "data"), measured),
        "memory_bandwidth": _leaf(_bandwidth(efficiency), f"elementwise work beyond the caches; {measured}"),
        **{name: _leaf(part[name], assumed) for name in _POWER},
        "efficiency": {name: _leaf(value, measured) for name, value in efficiency.model_dump(mode="json").items()},
    }


def _software(machine: Machine) -> dict[str, Any]:
    unused = "unused where kernels were measured: their software is in the measurement"
    shares = dict.fromkeys(("matmul", "convolution", "vector", "memory"), 1.0)
    given = {**shares, "launch": "0 s", "fused_attention": False}
    title = f"XLA on the {machine.processor}, as measured"
    return {"title": title, **{name: _leaf(value, unused) for name, value in given.items()}}


def _leaf(value: Any, source: str) -> dict[str, Any]:
    return {"value": value, "source": source}


def _peaks(efficiency: Efficiency) -> dict[str, str]:
    """Return the rate of the fastest large sampled product by number format."""
    best: dict[str, float] = {}
    for sample in efficiency.products.samples:
        shape, _, seconds = sample.partition(":")
        dtype, _, *sizes = shape.split()
        flops = 2.0 * prod(map(int, sizes))
        if flops >= _LARGE:
            best[dtype] = max(best.get(dtype, 0.0), flops / units.parse(seconds.strip(), "time"))
    return {dtype: units.write(float(f"{rate:.4g}"), "flop rate") for dtype, rate in best.items()}


def _bandwidth(efficiency: Efficiency) -> str:
    """Return the rate of elementwise work on the largest arrays."""
    kernel = next(terms for terms in efficiency.kernels if terms.name == "elementwise")
    seconds = units.parse(kernel.traffic[-1].partition(":")[2].strip(), "time")
    if seconds <= 0.0:
        raise InputError("calibrate: elementwise work on large arrays took no time, expected a quieter machine")
    return units.write(float(f"{1.0 / seconds:.4g}"), "data rate")


def _block(fields: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Yield the lines of a mapping; a list of texts has one line each."""
    for key, value in fields.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{key}:"
            yield from _block(value, indent + "  ")
        elif isinstance(value, list | tuple) and value:
            yield f"{indent}{key}:"
            yield from _items(value, indent + "  ")
        else:
            yield f"{indent}{key}: {json.dumps(value)}"


def _items(values: list[Any] | tuple[Any, ...], indent: str) -> Iterator[str]:
    for value in values:
        if isinstance(value, Mapping):
            first, *rest = _block(value, indent + "  ")
            yield f"{indent}- {first.strip()}"
            yield from rest
        else:
            yield f"{indent}- {json.dumps(value)}"


def _processor() -> dict[str, str]:
    facts = {"model name": platform.processor() or platform.machine(), "vendor_id": ""}
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n", 1)[0]
    except OSError:
        return facts
    lines = [line.partition(":") for line in text.splitlines()]
    return facts | {key.strip(): value.strip() for key, _, value in lines if key.strip() in facts and value.strip()}


def _memory_bytes() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return 2.0**33


def name_of(file: Path) -> str:
    """Return what the parts of an entry in ``file`` are called: the file's name without its ending.

    Raises
    ------
    InputError
        If that cannot be the name of a part.
    """
    from pydantic import TypeAdapter, ValidationError

    from dcsim.scenario.names import Name

    if file == Path("-"):
        return "this-cpu"
    try:
        name: str = TypeAdapter(Name).validate_python(file.stem)
    except ValidationError:
        rule = 'a name of lower-case letters, digits, dots and dashes such as "this-cpu.yaml"'
        raise InputError(f"--out: found {quoted(file.name)}, expected {rule}") from None
    return name
