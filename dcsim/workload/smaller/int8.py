"""Eight-bit weights and products: what a model says when its matrix products take integers.

Every row of the left operand of a product and every column of the right one has a scale of its own, over what the
product sums, so the product of the integers times both scales is exact but for the order of sums: symmetric, 127 over
the largest magnitude, found anew for each batch (T. Dettmers et al., "LLM.int8()", NeurIPS 2022, section 2.2, without
its outliers; B. Jacob et al., CVPR 2018, for networks in integers). Convolutions have a scale an image and one an
output channel. Sums and all else stay in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Literal
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_LARGEST = 127.0
_SCALE_BYTES = 4.0
_CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")


def weights(leaves: Sequence[Floats], convolutional: bool = False) -> tuple[Floats, float]:
    """Return all weights flat, those of matrices rounded to 8 bits with a scale a column, and their size [B].

    A column is what one output sums: the last axis but one of a matrix, stacked or not, and in ``convolutional``
    networks the last three but one of a kernel. Vectors stay in 32 bits.
    """
    made, size = [], 0.0
    for leaf in leaves:
        if leaf.ndim < 2:
            made.append(leaf)
            size += leaf.nbytes
            continue
        axes = (-4, -3, -2) if convolutional and leaf.ndim > 3 else (-2,)
        scales = np.abs(leaf).max(axis=axes, keepdims=True) / np.float32(_LARGEST)
        codes = np.rint(np.divide(leaf, scales, out=np.zeros_like(leaf), where=scales > 0.0))
        made.append(codes * scales)
        size += leaf.size + _SCALE_BYTES * scales.size
    return np.concatenate([leaf.ravel() for leaf in made]).astype(np.float32), size


def products(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` with the operands of its products and convolutions rounded to 8 bits."""
    return _changed(function, _rounded_product)


def halved(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` with the operands of its products and convolutions rounded to bfloat16."""

    def narrow(equation: Any, left: Any, right: Any) -> tuple[Any, Any]:
        del equation
        return tuple(value.astype(jnp.bfloat16).astype(value.dtype) for value in (left, right))

    return _changed(function, narrow)


def _rounded_product(equation: Any, left: Any, right: Any) -> tuple[Any, Any]:
    numbers = equation.params["dimension_numbers"]
    if equation.primitive.name == "dot_general":
        return _rounded(left, numbers[0][0]), _rounded(right, numbers[0][1])
    # Of images all but their number is summed, or shared by what is; of kernels all but the output channel.
    images = tuple(axis for axis in range(left.ndim) if axis != numbers.lhs_spec[0])
    kernel = tuple(axis for axis in range(right.ndim) if axis != numbers.rhs_spec[0])
    return _rounded(left, images), _rounded(right, kernel)


def _rounded(values: Any, axes: Sequence[int]) -> Any:
    """Round to 255 levels between plus and minus the largest magnitude over ``axes``."""
    scales = jnp.abs(values).max(axis=tuple(axes), keepdims=True) / _LARGEST
    return jnp.where(scales > 0.0, jnp.rint(values / jnp.where(scales > 0.0, scales, 1.0)) * scales, 0.0)


def _changed(function: Callable[..., Any], change: Callable[..., tuple[Any, Any]]) -> Callable[..., Any]:
    """Return ``function`` with the operands of products changed, wherever in calls and loops they are."""

    def run(*given: Any) -> Any:
        program, shape = jax.make_jaxpr(function, return_shape=True)(*given)
        found = _evaluate(program, jax.tree.leaves(given), change)
        return jax.tree.unflatten(jax.tree.structure(shape), found)

    return run


def _evaluate(program: Any, given: Sequence[Any], change: Callable[..., tuple[Any, Any]]) -> list[Any]:
    known: dict[Any, Any] = dict(zip(program.jaxpr.constvars, program.consts, strict=True))
    known.update(zip(program.jaxpr.invars, given, strict=True))

    def value(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else known[atom]

    for equation in program.jaxpr.eqns:
        found = _result(equation, [value(atom) for atom in equation.invars], change)
        known.update(zip(equation.outvars, found, strict=True))
    return [value(atom) for atom in program.jaxpr.outvars]


def _result(equation: Any, given: list[Any], change: Callable[..., tuple[Any, Any]]) -> Sequence[Any]:
    name, params = equation.primitive.name, equation.params
    if name in ("dot_general", "conv_general_dilated"):
        given = list(change(equation, *given))
    elif name == "scan":
        return _scanned(params, given, change)
    else:
        inner = next((params[key] for key in _CALLS if key in params), None)
        if inner is not None:
            return _evaluate(inner if hasattr(inner, "consts") else _closed(inner), given, change)
    found = equation.primitive.bind(*given, **params)
    return found if equation.primitive.multiple_results else [found]


def _scanned(params: Any, given: list[Any], change: Callable[..., tuple[Any, Any]]) -> Sequence[Any]:
    first, carried = params["num_consts"], params["num_carry"]
    fixed, start, over = given[:first], given[first : first + carried], given[first + carried :]

    def body(carry: list[Any], each: list[Any]) -> tuple[list[Any], list[Any]]:
        out = _evaluate(params["jaxpr"], [*fixed, *carry, *each], change)
        return out[:carried], out[carried:]

    end, stacked = lax.scan(body, start, over, params["length"], params["reverse"])
    return [*end, *stacked]


def _closed(inner: Any) -> Any:
    from jax.extend.core import ClosedJaxpr

    return ClosedJaxpr(inner, ())
