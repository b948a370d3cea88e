"""Kernels that a trace cannot look into: what they are called, what their author says they cost, what to write."""

from __future__ import annotations

from typing import Any

from dcsim.errors import Problem
from dcsim.scenario.user import KernelCost
from dcsim.workload import primitives
from dcsim.workload.mesh import problem_at
from dcsim.workload.places import Place

_GENERIC = frozenset({"", "<lambda>"})


def kernel_name(equation: Any) -> str:
    """Return the name by which a scenario states the cost: of the kernel, the foreign function or the callback."""
    given = equation.params
    found = given.get("target_name") or given.get("name") or getattr(given.get("name_and_src_info"), "name", None)
    callback = getattr(given.get("callback"), "callback_func", None)
    found = found or getattr(callback, "__name__", "")
    return equation.primitive.name if str(found) in _GENERIC else str(found)


def estimate_of(equation: Any) -> KernelCost | None:
    """Return the cost that the author of a Pallas kernel wrote into it, None without one."""
    estimate = equation.params.get("cost_estimate")
    if estimate is None:
        return None
    moved = float(estimate.bytes_accessed)
    return KernelCost.model_construct(flops=float(estimate.flops), bytes=moved or None, units="matrix")


def unregistered(equation: Any, name: str, place: Place) -> Problem:
    """Return the problem of a kernel whose cost nobody states, or of an array that is changed in place."""
    primitive = equation.primitive.name
    if primitive in primitives.MUTABLE:
        expected = "arrays that are not changed in place, such as x.at[i].set(value)"
        return problem_at(place, f"a mutable array ({primitive})", expected)
    what = "the custom call" if primitive in primitives.CUSTOM else "the primitive"
    example = f"kernels: {{{name}: {{flops: 2 GFLOP, bytes: 10 MB}}}}"
    expected = f"in the scenario under model what a call of it costs: {example}"
    return problem_at(place, f'{what} "{name}", whose cost no trace can see', expected)
