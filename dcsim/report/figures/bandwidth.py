"""Bus bandwidth of collectives against their size: predicted lines, measured points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, Floats, axes_at, canvas, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT, _LEFT, _GAP, _TOP, _FOOT = style.WIDE_PX, 330.0, 58.0, 64.0, 22.0, 46.0
_HUES = ("compute", "communication", "storage", "power", "fault", "idle")
_SIZES = {10: "1 KiB", 15: "32 KiB", 20: "1 MiB", 25: "32 MiB", 30: "1 GiB", 35: "32 GiB"}
_RATES = {0.1: "0.1", 1.0: "1", 10.0: "10", 100.0: "100", 1000.0: "1000"}


@dataclass(frozen=True, slots=True)
class Curve:
    """One system: predicted bus bandwidth at ``sizes``, and what was measured from the first of them on [B], [B/s]."""

    label: str
    sizes: Floats
    predicted: Floats
    measured: Sequence[tuple[float, float]]


def bandwidth(title: str, panels: Sequence[tuple[str, Sequence[Curve]]]) -> Drawing:
    """One panel for each group of curves, both axes logarithmic."""
    with styled():
        figure = canvas(_WIDTH, _HEIGHT)
        width = (_WIDTH - _LEFT - _GAP * (len(panels) - 1) - 12.0) / len(panels)
        for number, (name, curves) in enumerate(panels):
            box = Box(_LEFT + number * (width + _GAP), _TOP, width, _HEIGHT - _TOP - _FOOT)
            _panel(axes_at(figure, box), name, curves)
    return Drawing(
        "bandwidth",
        title,
        "bus bandwidth [GB/s] against message size; lines are predicted, points measured",
        "; ".join(curve.label for _, curves in panels for curve in curves),
        figure,
    )


def _panel(axes: Axes, name: str, curves: Sequence[Curve]) -> None:
    for curve, role in zip(curves, _HUES, strict=False):
        hue = style.color(role)
        axes.plot(curve.sizes, curve.predicted / 1e9, color=hue, label=curve.label)
        if curve.measured:
            shown = [(size, rate / 1e9) for size, rate in curve.measured if size >= curve.sizes[0]]
            axes.plot(*zip(*shown, strict=True), "o", color=hue, markersize=3.6, markeredgewidth=0.0)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks([2.0**power for power in _SIZES], _SIZES.values())
    axes.set_yticks(list(_RATES), list(_RATES.values()))
    axes.minorticks_off()
    axes.set_title(name)
    axes.set_xlabel("message size")
    axes.set_ylabel("bus bandwidth [GB/s]")
    axes.legend(frameon=False, loc="lower right", fontsize=style.SMALL_PX)
