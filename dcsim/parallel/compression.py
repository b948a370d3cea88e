"""What compression does to the bytes of a message, and what it costs the accelerator."""

from __future__ import annotations

from dcsim.scenario.compression import CompressionSpec, TopK
from dcsim.workload.operation import Operation

_SCALE_BYTES = 4
_INDEX_BYTES = 4
_WORD_BYTES = 4  # sums and residuals are float32
_SELECT_PASSES = 4  # of a radix selection over 32-bit magnitudes, eight bits a pass


def element_bytes(compression: CompressionSpec | None, gradient_bytes: float) -> float:
    """Return the bytes of a gradient element on the wire, for gradients of ``gradient_bytes`` uncompressed [B].

    Top-k sends keep x (value + index); one byte or one bit an element come with a scale a block.
    """
    match compression:
        case None:
            return float(gradient_bytes)
        case TopK(keep=keep):
            return keep * (gradient_bytes + _INDEX_BYTES)
    bits = 8 if compression.kind == "int8" else 1
    return bits / 8 + _SCALE_BYTES / compression.block


def residual_bytes(compression: CompressionSpec | None, ranks: int) -> float:
    """Return the bytes an element that a rank keeps of what its messages left out [B]."""
    return float(_WORD_BYTES) if compression is not None and compression.error_feedback and ranks > 1 else 0.0


def kernel(compression: CompressionSpec, elements: int, ranks: int, gradient_bytes: float) -> Operation:
    """Return the kernel that codes and decodes what a rank sends and receives of ``elements`` gradient elements.

    An assumption: it is bound by memory. A rank sends 2 (n - 1) / n messages an element (see
    ``estimate.step_plan.reduction_factor``) and receives as many. To code reads the value and the residual and writes
    code and residual; to decode reads code and sum and writes the sum. Top-k reads the values four times more to find
    its threshold.
    """
    code = element_bytes(compression, gradient_bytes)
    feedback = 2 * _WORD_BYTES if compression.error_feedback else 0
    select = _SELECT_PASSES * _WORD_BYTES if isinstance(compression, TopK) else 0
    once = (_WORD_BYTES + feedback + select + code) + (code + 2 * _WORD_BYTES)
    moved = 2.0 * (ranks - 1) / ranks * elements * once
    return Operation(
        f"compress {compression.kind}", "elementwise", "backward", "float32", (elements,), 0.0, moved, moved
    )
