"""Traced operations as a table, the costliest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dcsim import units
from dcsim.report.columns import columns

if TYPE_CHECKING:
    from dcsim.workload.operation import Operation

_HEAD = ("operation", "kind", "phase", "scope", "dtype", "shape", "count", "FLOP each", "bytes each", "of FLOP")


def totals(operations: Sequence[Operation]) -> str:
    """Return FLOPs and memory traffic of all operations in words."""
    flops = sum(operation.flops * operation.count for operation in operations)
    moved = sum(operation.bytes * operation.count for operation in operations)
    return f"{units.show(flops, 'FLOP', 4)}, {units.show(moved, 'B', 4)} of memory traffic"


def table(operations: Sequence[Operation]) -> str:
    """Return one row an operation."""
    done = sorted(operations, key=lambda operation: -operation.flops * operation.count)
    flops = sum(operation.flops * operation.count for operation in done)
    return columns(_HEAD, [_row(operation, flops) for operation in done], right=(6, 7, 8, 9))


def _row(operation: Operation, flops: float) -> tuple[str, ...]:
    share = operation.flops * operation.count / flops if flops else 0.0
    return (
        operation.name,
        operation.kind,
        operation.phase,
        operation.scope or "-",
        operation.dtype,
        "x".join(map(str, operation.shape)),
        f"{operation.count:,}",
        units.show(operation.flops, "FLOP"),
        units.show(operation.bytes, "B"),
        f"{share:.1%}",
    )
