"""What ``dcsim trace --hlo`` prints: the operations and collectives of a compiled module."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from dcsim import units
from dcsim.report import operation_table
from dcsim.report.columns import columns

if TYPE_CHECKING:
    from dcsim.workload.hlo.program import HloCollective, HloProgram

_SHOWN = 8  # members of a group that are written out


def text(program: HloProgram) -> str:
    """Return operations and collectives as tables, with their totals."""
    devices = f"one of {program.devices:,} devices" if program.devices > 1 else "one device"
    parts = [
        f"{program.file}: {devices}",
        f"  one execution: {operation_table.totals(program.operations)}",
        "",
        operation_table.table(program.operations),
    ]
    if program.collectives:
        head = ("collective", "among", "count", "bytes each", "bytes a device")
        parts += ["", columns(head, [_row(found, count) for found, count in program.collectives], right=(2, 3, 4))]
    return "\n".join([*parts, *(f"warning: {warning}" for warning in program.warnings)])


def to_json(program: HloProgram) -> str:
    """Return the same as JSON."""
    return json.dumps(
        {
            "file": program.file,
            "devices": program.devices,
            "operations": [asdict(operation) for operation in program.operations],
            "collectives": [{**found._asdict(), "count": count} for found, count in program.collectives],
            "warnings": list(program.warnings),
        },
        indent=1,
    )


def _row(found: HloCollective, count: int) -> tuple[str, ...]:
    size = found.size_bytes
    return (found.kind, _among(found), f"{count:,}", units.show(size, "B"), units.show(count * size, "B"))


def _among(found: HloCollective) -> str:
    if found.pairs:
        source, target = found.pairs[0]
        return f"{len(found.pairs):,} pairs, such as {source} to {target}"
    first = found.groups[0]
    members = ",".join(map(str, first[:_SHOWN])) + (",..." if len(first) > _SHOWN else "")
    many = f"{len(found.groups):,} groups of {len(first):,}, such as " if len(found.groups) > 1 else "all: "
    return f"{many}{{{members}}}"
