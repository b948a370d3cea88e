"""What a figure function returns, and the few helpers that all of them use."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dcsim.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Drawing:
    """One figure: ``title`` states the finding, ``subtitle`` what is plotted and in which units.

    Where there is nothing to plot, ``figure`` is None and the title is the sentence that says so. ``description`` is
    for people who do not see the figure.
    """

    name: str
    title: str
    subtitle: str = ""
    description: str = ""
    figure: Figure | None = None

    @cached_property
    def markup(self) -> str:
        """What matplotlib makes of the figure, as SVG: drawn once, though the page and a file of its own show it."""
        raw = io.StringIO()
        if self.figure is not None:
            with styled():
                self.figure.savefig(raw, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        return raw.getvalue()


@contextmanager
def styled() -> Iterator[None]:
    """Make or save figures in the project's style; the settings of other users of matplotlib come back afterwards."""
    import matplotlib as mpl

    settings: Any = dict(style.RC)
    with mpl.rc_context(settings):
        yield


def canvas(width_px: float, height_px: float) -> Figure:
    """Return an empty figure of this size on the page."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_px / 72.0, height_px / 72.0), dpi=72)


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of the page, from the top left."""

    left: float
    top: float
    width: float
    height: float


def axes_at(figure: Figure, box: Box) -> Axes:
    """Add axes whose data area is ``box``."""
    width, height = (float(inches) * 72.0 for inches in figure.get_size_inches())
    bottom = height - box.top - box.height
    return figure.add_axes((box.left / width, bottom / height, box.width / width, box.height / height))


def thin(times: Floats, values: Floats, pixels: int = 800) -> tuple[Floats, Floats]:
    """Keep of every pixel the lowest and the highest point, so that peaks survive, the last, which holds on, and both
    ends.
    """
    kept = thin_indices(times, values, pixels)
    return times[kept], values[kept]


def thin_indices(times: Floats, values: Floats, pixels: int = 800) -> NDArray[np.int64]:
    """Return the places of the points that :func:`thin` keeps; ``times`` must not fall."""
    count = len(times)
    if count <= 2 * pixels:
        return np.arange(count)
    span = max(float(times[-1] - times[0]), np.finfo(float).tiny)
    bins = np.minimum(((times - times[0]) / span * pixels).astype(np.int64), pixels - 1)
    starts = np.flatnonzero(np.r_[True, bins[1:] != bins[:-1]])
    order = np.lexsort((values, bins))
    sizes = np.diff(np.r_[starts, count])
    lowest, highest = order[starts], order[starts + sizes - 1]
    return np.unique(np.concatenate([lowest, highest, starts + sizes - 1, [0]]))


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions until neighbors are ``gap`` apart, as little as needed, inside [low, high] if that fits."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    placed = [0.0] * len(wanted)
    floor = low
    for index in order:
        placed[index] = max(wanted[index], floor)
        floor = placed[index] + gap
    ceiling = high
    for index in reversed(order):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return placed


def label_right(axes: Axes, labels: Sequence[tuple[float, str, str]], gap_px: float = 12.0) -> None:
    """Write labels (height in data units, text, role) right of the data, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    box = axes.get_position()
    height_px = box.height * axes.figure.bbox.height * 72.0 / axes.figure.dpi
    per_px = (high - low) / height_px
    heights = spread([value for value, _, _ in labels], gap_px * per_px, low, high)
    for height, (_, text, role) in zip(heights, labels, strict=True):
        axes.annotate(
            text,
            (1.0, height),
            xytext=(7, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            color=style.color(role),
            fontsize=style.SMALL_PX,
            annotation_clip=False,
        )


def beside(axes: Axes, height: float, text: str) -> None:
    """Write a text right of the data, at a height in data units: the value of a bar."""
    axes.annotate(
        text,
        (1.0, height),
        xytext=(6, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        fontsize=style.SMALL_PX,
    )


def ticks(axis: Any, count: int = 4, integer: bool = False) -> None:
    """Give an axis about ``count`` round ticks with plain numbers, never with a power of ten beside the axis."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=count, integer=integer, steps=[1, 2, 2.5, 5, 10], min_n_ticks=2))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}".replace(",", "\u202f").replace("-", "−")))


def from_zero(axes: Axes, highest: float, room: float = 1.08) -> None:
    """Let the value axis begin at zero and leave a little room above ``highest``."""
    axes.set_ylim(0.0, highest * room if highest > 0.0 else 1.0)


Painter = Callable[[], Drawing]
