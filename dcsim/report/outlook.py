"""What growth does to capacities, in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dcsim.report.numbers import percent, shorten
from dcsim.results.capacity import Resource
from dcsim.results.growth import Growth, date_after, order

LONGEST_YEARS = 10.0  # nobody plans a hall further ahead


def needs(resources: Sequence[Resource]) -> dict[str, tuple[float, float]]:
    """Return demand and capacity by name."""
    return {resource.name: (resource.demand, resource.capacity) for resource in resources}


def sentence(resources: Sequence[Resource], grown: Growth, start: datetime) -> str:
    """Say what is at capacity, what runs out first as demand grows, and what next."""
    found = order(needs(resources), grown)
    full = [crossing.name for crossing in found if crossing.years == 0.0]
    later = [(c.name, month(start, c.years)) for c in found if 0.0 < c.years <= LONGEST_YEARS]
    parts = [f"at capacity now: {', '.join(full)}"] if full else []
    if later:
        name, date = later[0]
        parts.append(f"{'next' if full else 'first'} to run out: {name} in {date}")
    parts += [f"then {name} in {date}" for name, date in later[1:3]]
    if not later:
        parts.append(f"nothing {'else ' if full else ''}runs out within {LONGEST_YEARS:g} years")
    return f"{capital(described(grown))}: {'; '.join(parts)}"


def described(grown: Growth) -> str:
    """Return a growth in words, such as ``30 %/year`` or ``high, 60 %/year linear``."""
    rate = f"{percent(grown.rate)}/year{' linear' if grown.kind == 'linear' else ''}"
    return rate if rate.startswith(grown.label) else f"{shorten(grown.label, 40)}, {rate}"


def month(start: datetime, years: float) -> str:
    """Return the month of a crossing, ``now``, or from when on nobody looks."""
    if years == 0.0:
        return "now"
    date = date_after(start, years) if years <= LONGEST_YEARS else None
    return f"{date:%b %Y}" if date else f"after {start.year + LONGEST_YEARS:.0f}"


def capital(text: str) -> str:
    """Return a text that begins a title."""
    return text[:1].upper() + text[1:]


def left(resource: Resource) -> str:
    """Return the headroom of a resource in words."""
    room = 1.0 - resource.used
    if 0.99 < room < 1.0:
        return ">99 % left"
    return f"{percent(room, 2)} left" if room > 0.0 else "none left" if room == 0.0 else f"{percent(-room, 2)} over"
