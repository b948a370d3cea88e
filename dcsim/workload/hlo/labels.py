"""Phase and named part of the model of HLO instructions, from the name stacks that JAX leaves in their metadata."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dcsim.workload.hlo.text import Computation, Instruction, Module
from dcsim.workload.phases import UNKNOWN, Context

_RANKS = {"forward": 0, "recompute": 1, "backward": 1, "optimizer": 2}
_MECHANISM = ("jit(", "pjit(", "closed_call", "while", "body", "cond", "shard_map")


def rest_of(module: Module) -> str:
    """Return the phase of what is neither differentiated nor a gradient: the update, where there are gradients."""
    differentiated = any(
        "transpose(" in instruction.attributes.get("metadata", "")
        for computation in module.computations.values()
        for instruction in computation.instructions.values()
    )
    return "optimizer" if differentiated else "forward"


def contexts(computation: Computation, outer: Context, rest: str) -> dict[str, Context]:
    """Return the context of every instruction by name; ``outer`` is that of the loop or call that executes them.

    What the compiler made without a name stack belongs to the latest phase that it reads from.
    """
    found: dict[str, Context] = {}
    for name, instruction in computation.instructions.items():
        stack = _op_name(instruction)
        if "/" in stack:
            own = outer.of("/".join(_levels(stack)))
            found[name] = own if own.phase != UNKNOWN else replace(own, phase=rest)
        else:
            phases = [found[source].phase for source in instruction.operands if source in found]
            inherited = max(phases, key=_RANKS.__getitem__, default="forward")
            found[name] = outer if outer.phase != UNKNOWN else replace(outer, phase=inherited)
    return found


def _op_name(instruction: Instruction) -> str:
    _, _, after = instruction.attributes.get("metadata", "").partition('op_name="')
    return after.partition('"')[0]


def _levels(stack: str) -> Iterator[str]:
    """Yield the levels of a name stack without the primitive at its end and what JAX calls its own."""
    for part in stack.split("/")[:-1]:
        if not part.startswith(_MECHANISM):
            yield part
