"""Money: electricity, and equipment spread over its life."""

from __future__ import annotations

from math import expm1, log1p


def electricity(energy_j: float, price_usd_per_j: float) -> float:
    """Return the cost [USD] of ``energy_j`` [J] at ``price_usd_per_j`` [USD/J]."""
    return energy_j * price_usd_per_j


def straight_line(price_usd: float, used_s: float, lifetime_s: float) -> float:
    """Return the part [USD] of ``price_usd`` that falls on ``used_s`` [s] of a ``lifetime_s`` [s], without interest."""
    return price_usd * used_s / lifetime_s


def annuity(price_usd: float, yearly_rate: float, years: float) -> float:
    """Return the equal yearly payment [USD] that repays ``price_usd`` over ``years`` at ``yearly_rate`` [1].

    ``A = C i / (1 - (1 + i)^-n)``, the capital recovery factor; at no interest the straight line.
    """
    if yearly_rate == 0.0:
        return price_usd / years
    return price_usd * yearly_rate / -expm1(-years * log1p(yearly_rate))
