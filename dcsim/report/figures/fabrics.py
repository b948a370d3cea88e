"""Networks beside each other: what collisions cost them, and what messages of any size get from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, Floats, axes_at, canvas, label_right, styled, ticks
from dcsim.report.numbers import percent, shorten, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _FOOT = 760.0, 320.0, 62.0, 190.0, 12.0, 46.0
_MARKERS = "osD^vPX<"
_MOST = len(_MARKERS)


class Shares(NamedTuple):
    """The share of the ideal rate that a network keeps for each number of queue pairs, shape (pairs, seeds)."""

    name: str
    queue_pairs: Sequence[int]
    kept: Floats


class BusRates(NamedTuple):
    """Bus bandwidth of a collective by message size, both shape (sizes,)."""

    name: str
    sizes_bytes: Floats
    rates_bytes_per_s: Floats


def collision_loss(networks: Sequence[Shares]) -> Drawing:
    """Mean share of the ideal rate by queue pairs, a line a network, with the range over the draws."""
    shown = networks[:_MOST]
    if not shown:
        return Drawing("collision-loss", "There is no network to look at.")
    with styled():
        figure = canvas(_WIDTH, _HEIGHT)
        axes = axes_at(figure, Box(_LEFT, _TOP, _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _FOOT))
        for line, network in enumerate(shown):
            mean, color = 100.0 * network.kept.mean(axis=1), _color(line)
            axes.fill_between(
                network.queue_pairs,
                100.0 * network.kept.min(axis=1),
                100.0 * network.kept.max(axis=1),
                color=color,
                alpha=0.12,
                lw=0,
            )
            axes.plot(network.queue_pairs, mean, color=color, marker=_MARKERS[line], markersize=4.5, lw=1.4)
        axes.set_xscale("log", base=2)
        every = sorted({pairs for network in shown for pairs in network.queue_pairs})
        axes.set_xticks(every, [str(pairs) for pairs in every])
        axes.minorticks_off()
        axes.set_xlabel("Queue pairs of two network cards")
        axes.set_ylabel("Share of the ideal rate [%]")
        axes.set_ylim(0.0, 105.0)
        ticks(axes.yaxis, 5)
        _names(axes, [(float(100.0 * n.kept[-1].mean()), n.name) for n in shown])
    worst = min(shown, key=lambda network: float(network.kept[0].mean()))
    few = worst.queue_pairs[0]
    best = max(shown, key=lambda network: float(network.kept[0].mean()))
    kept, most = (percent(float(network.kept[0].mean())) for network in (worst, best))
    title = f"With {few} queue pair{'s' * (few > 1)} {shorten(worst.name, 30)} keeps {kept} of the ideal rate"
    title += f", {shorten(best.name, 30)} {most}" if best is not worst else ""
    draws = worst.kept.shape[1]
    subtitle = (
        f"Rate of a job's ring all-reduce over that of its network cards, oversubscription included; line: mean, band: "
        f"range of {draws} draws of the hash"
    )
    return Drawing("collision-loss", title, subtitle, _told(shown), figure)


def bus_bandwidth(lines: Sequence[BusRates], what: str) -> Drawing:
    """Bus bandwidth by message size, both axes logarithmic, a line a network; ``what`` names the collective."""
    shown = lines[:_MOST]
    if not shown:
        return Drawing("bus-bandwidth", "There is no network to look at.")
    with styled():
        figure = canvas(_WIDTH, _HEIGHT)
        axes = axes_at(figure, Box(_LEFT, _TOP, _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _FOOT))
        for line, rates in enumerate(shown):
            color = _color(line)
            every = max(1, len(rates.sizes_bytes) // 8)
            axes.plot(
                rates.sizes_bytes,
                np.log10(rates.rates_bytes_per_s / 1e9),
                color=color,
                marker=_MARKERS[line],
                markevery=every,
                markersize=4.5,
                lw=1.4,
            )
        axes.set_xscale("log", base=2)
        _size_ticks(axes, shown)
        axes.set_xlabel("Message size")
        axes.set_ylabel("Bus bandwidth [GB/s]")
        _rate_ticks(axes)
        _names(axes, [(float(np.log10(n.rates_bytes_per_s[-1] / 1e9)), n.name) for n in shown])
    last = shown[-1]
    rate = show(float(last.rates_bytes_per_s[-1]), "B/s")
    title = f"{shorten(last.name, 36)} reach {rate} with {_binary(float(np.log2(last.sizes_bytes[-1])))}"
    subtitle = (
        f"Bus bandwidth of {what} as nccl-tests count it, by the closed form of the fastest algorithm and protocol"
    )
    told = "; ".join(f"{n.name}: {show(float(n.rates_bytes_per_s[-1]), 'B/s')}" for n in shown)
    return Drawing("bus-bandwidth", title, subtitle, told, figure)


def _color(line: int) -> str:
    return style.color(style.ROLES[line % len(style.ROLES)])


def _names(axes: Axes, ends: Sequence[tuple[float, str]]) -> None:
    label_right(
        axes, [(value, shorten(name, 32), style.ROLES[i % len(style.ROLES)]) for i, (value, name) in enumerate(ends)]
    )


def _size_ticks(axes: Axes, lines: Sequence[BusRates]) -> None:
    low = min(float(line.sizes_bytes[0]) for line in lines)
    high = max(float(line.sizes_bytes[-1]) for line in lines)
    powers = np.arange(np.ceil(np.log2(low)), np.floor(np.log2(high)) + 1)
    chosen = powers[:: max(1, len(powers) // 8)]
    axes.set_xticks([2.0**power for power in chosen], [_binary(float(power)) for power in chosen])
    axes.minorticks_off()


def _binary(power: float) -> str:
    prefix = min(int(power) // 10, 4)
    return f"{2.0 ** (power - 10 * prefix):g} {('', 'Ki', 'Mi', 'Gi', 'Ti')[prefix]}B"


def _rate_ticks(axes: Axes) -> None:
    """Label the axis of logarithms with the powers of ten themselves."""
    low, high = axes.get_ylim()
    powers = range(int(np.ceil(low)), int(np.floor(high)) + 1)
    axes.set_yticks([float(power) for power in powers], [f"{10.0**power:g}" for power in powers])


def _told(networks: Sequence[Shares]) -> str:
    return "; ".join(
        f"{n.name}: {percent(float(n.kept[0].mean()))} with {n.queue_pairs[0]}, "
        f"{percent(float(n.kept[-1].mean()))} with {n.queue_pairs[-1]}"
        for n in networks
    )
