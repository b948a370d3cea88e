"""What the kernels of a smaller form do: from those of the model as it is, plain records to plain records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from dcsim.workload.operation import Operation

_WIDTHS: Final[Mapping[str, int]] = MappingProxyType({"fp32": 4, "bf16": 2, "fp16": 2})
_INT8_BYTES: Final = 1
_FOURTH_BYTES: Final = 2.0 / 8.0  # two bits that say which of four a kept weight is


def in_int8(operations: Iterable[Operation]) -> Iterator[Operation]:
    """Yield kernels whose products and convolutions take 8-bit operands and give results as wide as before.

    Their operands take a byte an element; the scales, one a row and a column, are not counted, and rounding the left
    operand is part of the kernel that makes it: an assumption, as in fused kernels.
    """
    for operation in operations:
        width = _WIDTHS.get(operation.dtype, _INT8_BYTES)
        if operation.kind not in ("matmul", "convolution") or width == _INT8_BYTES:
            yield operation
            continue
        saved = operand_elements(operation) * (width - _INT8_BYTES)
        yield _lighter(replace(operation, dtype="int8"), saved)


def in_fours(operations: Iterable[Operation], width: int) -> Iterator[Operation]:
    """Yield kernels whose products read two of every four weights, of ``width`` [B], and which two they are.

    Fewer bytes of weights alone: the catalogue has no rates of sparse products, so none is assumed.
    """
    for operation in operations:
        if operation.kind != "matmul" or len(operation.shape) != 4 or operation.scope == "attention":
            yield operation
            continue
        batch, _, columns, depth = operation.shape
        saved = batch * columns * depth * (width - 0.5 * (width + _FOURTH_BYTES))
        yield _lighter(operation, saved)


def operand_elements(operation: Operation) -> float:
    """Return the elements of both operands of a product, (batch, m, n, k): ``batch (m k + k n)``; of a convolution
    those of its bytes that are not its result.
    """
    if operation.kind == "matmul":
        batch, rows, columns, depth = operation.shape
        return float(batch * (rows * depth + depth * columns))
    result = 1
    for side in operation.shape:
        result *= side
    return max(0.0, operation.bytes / _WIDTHS.get(operation.dtype, _INT8_BYTES) - result)


def _lighter(operation: Operation, saved: float) -> Operation:
    """Return an operation that moves ``saved`` bytes less, and as large a share less inside fused attention."""
    left = max(0.0, operation.bytes - saved)
    share = left / operation.bytes if operation.bytes else 1.0
    return replace(operation, bytes=left, bytes_fused=operation.bytes_fused * share)
