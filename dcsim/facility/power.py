"""The power chain: losses of supplies, distribution units, UPS and transformers by load and redundancy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dcsim.catalogue.parts import LossCurve

Floats = NDArray[np.float64]
Redundancy = Literal["N", "N+1", "2N"]

MODULES_NEEDED = 4
"""Equal modules that carry a stage's capacity; an assumption that only N+1 depends on (one spare for four)."""

SUPPLIES_PER_SERVER = 2
"""Power supplies of a server, each able to carry it alone and sharing the load (N+N, one on each feed)."""


def in_service(redundancy: Redundancy) -> float:
    """Return the rating in service over the capacity needed [1]: all modules share the load and all have no-load
    losses."""
    return {"N": 1.0, "N+1": (MODULES_NEEDED + 1) / MODULES_NEEDED, "2N": 2.0}[redundancy]


def stage_loss(load_w: float, rating_w: float, curve: LossCurve) -> float:
    """Return the loss [W] of a stage that delivers ``load_w`` [W] from units of ``rating_w`` [W] altogether.

    No-load, linear and ohmic part, ``R (a + b x + c x^2)`` with ``x = P/R``: the no-load and load loss of transformers
    (IEC 60076-1), and for UPS and distribution the form of Pelley et al., "Understanding and abstracting total data
    center power", WEED 2009. Load and rating are at the output; equal units that share a load equally act as one of
    their sum.
    """
    return curve.no_load * rating_w + curve.linear * load_w + curve.quadratic * load_w * load_w / rating_w


@dataclass(frozen=True)
class SupplyBank:
    """The power supplies of all servers as arrays, shape (servers,): the loss is ``fixed + linear P + square P^2``
    [W]."""

    fixed_w: Floats
    linear: Floats
    square_per_w: Floats

    @classmethod
    def of(cls, curves: Sequence[LossCurve], ratings_w: Sequence[float]) -> SupplyBank:
        """Gather ``curves`` and ``ratings_w`` [W] (of one supply), one of each a server."""
        installed_w = SUPPLIES_PER_SERVER * np.asarray(ratings_w, dtype=np.float64)
        return cls(
            np.array([curve.no_load for curve in curves]) * installed_w,
            np.array([curve.linear for curve in curves]),
            np.array([curve.quadratic for curve in curves]) / installed_w,
        )

    def loss(self, servers_w: Floats) -> float:
        """Return the loss [W] at the servers' powers [W], shape (servers,); a server that draws nothing has its
        supplies off."""
        on = servers_w > 0.0
        return float(self.fixed_w @ on + self.linear @ servers_w + self.square_per_w @ (servers_w * servers_w))
