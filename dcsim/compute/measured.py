"""The time of an operation on a device whose kernels were measured: rates by shape, fitted terms for the rest.

Rates of matrix products and convolutions between measured shapes are interpolated by inverse distance weighting (D.
Shepard, "A two-dimensional interpolation function for irregularly-spaced data", ACM 1968) of their logarithms over the
logarithms of the sizes: exact at a measured shape, never beyond the measured rates, and following a cliff where
one was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log, log2
from typing import TYPE_CHECKING

from dcsim import units
from dcsim.catalogue.efficiency import Efficiency, KernelTerms
from dcsim.workload.operation import Operation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_NEAREST = 6  # measured shapes that an interpolated rate depends on
_POWER = 3.0  # of the distance in the weights: above the number of sizes that usually vary together
_OTHER_FORM, _OTHER_FORMAT = 8.0, 64.0  # distances [doublings of a size]: another form only where the own is unknown


@dataclass(frozen=True, slots=True)
class Parts:
    """What the time of one execution consists of [s]; arithmetic follows the clock, the others do not."""

    launch_s: float
    memory_s: float
    arithmetic_s: float


@dataclass(frozen=True, slots=True)
class Table:
    """Measured shapes: logarithms of sizes, shape (samples, sizes), and of rates, shape (samples,)."""

    forms: tuple[tuple[str, str], ...]
    sizes: Floats
    rates: Floats


def measured_parts(operation: Operation, efficiency: Efficiency) -> Parts:
    """Return the parts of the time of one execution of ``operation`` [s]."""
    copies_s = efficiency.loop_copy * _touch_s(operation.stacked_bytes, efficiency)
    rows, sizes = _rows(operation, efficiency)
    if rows and operation.flops > 0.0:
        rate = interpolated_rate(_table(rows), (operation.dtype, operation.form), sizes)
        return Parts(0.0, copies_s, operation.flops / rate)
    terms = kernel_terms(operation, efficiency)
    return Parts(
        terms.launch,
        terms.traffic * _touch_s(operation.bytes, efficiency) + copies_s,
        terms.flop * operation.flops + terms.function * operation.transcendentals,
    )


def kernel_terms(operation: Operation, efficiency: Efficiency) -> KernelTerms:
    """Return the terms of the kernel by its name, else by its kind, else those of elementwise work."""
    known = {terms.name: terms for terms in efficiency.kernels}
    for name in (operation.name, operation.kind, "elementwise"):
        if name in known:
            return known[name]
    return efficiency.kernels[0]


def bandwidth(touched_bytes: float, efficiency: Efficiency) -> float:
    """Return the rate at which a kernel touches ``touched_bytes`` [B/s]: linear in the logarithm between levels."""
    levels = _levels(efficiency.bandwidth)
    place = log2(max(touched_bytes, 1.0))
    below = [level for level in levels if level[0] <= place]
    above = [level for level in levels if level[0] > place]
    if not below or not above:
        return (below or above)[-1 if below else 0][1]
    (low, slow), (high, fast) = below[-1], above[0]
    return slow + (fast - slow) * (place - low) / (high - low)


def interpolated_rate(table: Table, form: tuple[str, str], sizes: tuple[int, ...]) -> float:
    """Return the rate of a kernel of ``form`` (number format, form) and ``sizes`` from the measured ones [FLOP/s]."""
    import numpy as np

    form = _known_form(table, form)
    apart = np.array([_OTHER_FORMAT * (row[0] != form[0]) + _OTHER_FORM * (row[1] != form[1]) for row in table.forms])
    there = np.log2(np.maximum(np.array(sizes, dtype=np.float64), 1.0))
    distance = np.sqrt(((table.sizes - there) ** 2).sum(axis=1) + apart**2)
    near = np.argsort(distance, kind="stable")[:_NEAREST]
    if distance[near[0]] == 0.0:
        return float(np.exp(table.rates[near[0]]))
    weights = distance[near] ** -_POWER
    return float(np.exp((weights * table.rates[near]).sum() / weights.sum()))


def _known_form(table: Table, form: tuple[str, str]) -> tuple[str, str]:
    """Return ``form`` without the particulars of which nothing was measured: "tn" for "tn-joint"."""
    while form not in table.forms and "-" in form[1]:
        form = (form[0], form[1].rpartition("-")[0])
    return form


def _touch_s(touched_bytes: float, efficiency: Efficiency) -> float:
    return touched_bytes / bandwidth(touched_bytes, efficiency) if touched_bytes else 0.0


def _rows(operation: Operation, efficiency: Efficiency) -> tuple[tuple[str, ...], tuple[int, ...]]:
    if operation.kind == "matmul":
        return efficiency.products, operation.shape
    if operation.kind == "convolution":
        return efficiency.convolutions, operation.geometry
    return (), ()


@lru_cache(maxsize=32)
def _table(rows: tuple[str, ...]) -> Table:
    import numpy as np

    keys, colons, rates = zip(*(row.partition(":") for row in rows), strict=True)
    del colons
    words = [key.split() for key in keys]
    sizes = np.log2(np.array([[float(size) for size in word[2:]] for word in words]))
    return Table(
        tuple((word[0], word[1]) for word in words),
        sizes,
        np.array([log(units.parse(rate.strip(), "flop rate")) for rate in rates]),
    )


@lru_cache(maxsize=32)
def _levels(rows: tuple[str, ...]) -> list[tuple[float, float]]:
    pairs = [row.split(":") for row in rows]
    return sorted((log2(units.parse(a.strip(), "data")), units.parse(b.strip(), "data rate")) for a, b in pairs)
