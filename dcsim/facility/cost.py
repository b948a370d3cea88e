"""Money: electricity, and equipment spread over its life."""

from __future__ import annotations


def electricity(energy_j: float, price_usd_per_j: float) -> float:
    """Return the cost [USD] of ``energy_j`` [J] at ``price_usd_per_j`` [USD/J]."""
    return energy_j * price_usd_per_j


def straight_line(price_usd: float, used_s: float, lifetime_s: float) -> float:
    """Return the part [USD] of ``price_usd`` that falls on ``used_s`` [s] of a ``lifetime_s`` [s], without interest."""
    return price_usd * used_s / lifetime_s
