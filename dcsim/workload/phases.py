"""Which phase of training an equation belongs to, and which named part of the model, read from its name stack."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from dcsim.workload.places import NOWHERE, Place

_WRAPPED = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*\((.*)\)$")
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_.-]*$")  # einsum names itself after its subscripts, no part of a model
UNKNOWN = ""  # the phase of what a step does outside of what it differentiates, before it is told apart
_MARKS = frozenset({"checkpoint", "rematted_computation", "remat"})


@dataclass(frozen=True, slots=True)
class Context:
    """Phase, scope and place of an equation; what it encloses inherits them."""

    phase: str
    scope: str = ""
    place: Place = NOWHERE

    def of(self, stack: str, equation: Any = None) -> Context:
        """Return the context of an equation with the name stack ``stack`` inside this one."""
        place = self.place if equation is None else Place(equation, self.place)
        return Context(_phase(stack, self.phase), _scope(stack) or self.scope, place)


def _phase(stack: str, inherited: str) -> str:
    """Equations of a loop body carry no label of their own, so they inherit that of the loop.

    "transpose" marks the backward pass, "rematted_computation" what it computes a second time. In a step that is traced
    whole, "jvp" marks the forward pass of what is differentiated, and nothing the rest.
    """
    if "rematted_computation" in stack or inherited == "recompute":
        return "recompute"
    if "transpose(" in stack:
        return "backward"
    return "forward" if inherited == UNKNOWN and "jvp(" in stack else inherited


def _scope(stack: str) -> str:
    """Return the innermost name given by ``jax.named_scope``, without the transformations around it."""
    for part in reversed(_split(stack)):
        while (wrapped := _WRAPPED.match(part)) is not None:
            part = wrapped.group(1)
        inner = part if "/" not in part else _scope(part)
        if _NAME.match(inner) and inner not in _MARKS:
            return inner
    return ""


def _split(stack: str) -> list[str]:
    """Split at the slashes outside parentheses."""
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(stack):
        depth += (letter == "(") - (letter == ")")
        if letter == "/" and depth == 0:
            parts.append(stack[start:position])
            start = position + 1
    return [*parts, stack[start:]]
