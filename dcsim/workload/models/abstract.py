"""Arrays that have a shape and a number format and nothing else."""

from __future__ import annotations

from typing import Any

import jax


def array(shape: tuple[int, ...], dtype: Any) -> Any:
    """Return an abstract array, which tracing takes in place of a real one."""
    return jax.ShapeDtypeStruct(shape, dtype)  # type: ignore[no-untyped-call]
