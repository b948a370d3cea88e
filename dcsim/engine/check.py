"""A conservation check: two sums that must agree at the end of every run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """``left`` and ``right`` [unit] must agree within ``tolerance``, relative to the larger of them.

    ``rounding`` [unit] is what they may differ by beyond that where they are differences of far larger numbers: a run
    that ends as it begins has no other.
    """

    name: str
    left: float
    right: float
    unit: str
    tolerance: float = 1e-9
    rounding: float = 0.0

    @property
    def residual(self) -> float:
        """The difference beyond rounding relative to the larger side, 0 where both are zero."""
        scale = max(abs(self.left), abs(self.right))
        return max(0.0, abs(self.left - self.right) - self.rounding) / scale if scale else 0.0

    @property
    def passed(self) -> bool:
        """Whether the sides agree."""
        return self.residual <= self.tolerance
