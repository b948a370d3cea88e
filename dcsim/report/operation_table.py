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
    """Return FLOPs and memory traffic of all operations in words: by whose kernels, where that makes a difference."""
    flops, moved, fused, compiled = (
        sum(getattr(operation, name) * operation.count for operation in operations)
        for name in ("flops", "bytes", "bytes_fused", "bytes_compiled")
    )
    text = f"{units.show(flops, 'FLOP', 4)}, {units.show(moved, 'B', 4)} of memory traffic"
    if fused == moved == compiled:
        return text
    others = f"{units.show(fused, 'B', 4)} with fused attention, {units.show(compiled, 'B', 4)} by the kernels of XLA"
    return f"{text} ({others})"


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
