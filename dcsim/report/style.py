"""The one style of all figures and pages: colors by meaning, text sizes, hatches.

The hues are those of Okabe and Ito (Color Universal Design, 2008), darkened on light ground and lightened on dark
ground until each stands out by 3:1 (WCAG 2.2, 1.4.11); a test holds that. A figure is drawn in the colors of the light
scheme; in SVG every one of them becomes a CSS variable, so that the page's scheme decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

# role -> (light, dark); no two roles share a color, since SVG is mapped back from color to role
SCHEME: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "compute": ("#0072b2", "#56a9de"),
        "communication": ("#b06500", "#e69f00"),
        "storage": ("#007a5a", "#2dbe94"),
        "cooling": ("#0e8fb8", "#6fd3ee"),
        "power": ("#a14885", "#dd93bc"),
        "idle": ("#6b7280", "#9ca3af"),
        "fault": ("#c4261d", "#ff6f61"),
        "ink": ("#1c2128", "#e6edf3"),
        "muted": ("#57606a", "#a1abb5"),
        "grid": ("#d8dee4", "#30373f"),
        "paper": ("#ffffff", "#14181d"),
    }
)
ROLES = ("compute", "communication", "storage", "cooling", "power", "idle", "fault")

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
TEXT_PX = 10.0  # at the width shown
SMALL_PX = 9.0
WIDE_PX = 1060.0  # the column of the page
HALF_PX = 515.0  # two figures beside each other

# matplotlib settings under which every figure is made and saved
RC: Mapping[str, Any] = MappingProxyType(
    {
        "figure.dpi": 72.0,  # one point is one pixel of the page
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
        "axes.facecolor": "none",
        "axes.edgecolor": SCHEME["muted"][0],
        "axes.labelcolor": SCHEME["ink"][0],
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.titlelocation": "left",
        "axes.titlesize": TEXT_PX,
        "axes.titleweight": "bold",
        "axes.titlecolor": SCHEME["ink"][0],
        "axes.titlepad": 5.0,
        "axes.labelsize": TEXT_PX,
        "axes.formatter.useoffset": False,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": TEXT_PX,
        "grid.color": SCHEME["grid"][0],
        "grid.linewidth": 0.7,
        "hatch.linewidth": 1.0,
        "lines.linewidth": 1.6,
        "svg.fonttype": "none",
        "svg.hashsalt": "dcsim",
        "text.color": SCHEME["ink"][0],
        "text.parse_math": False,  # names come from users: a dollar sign is a dollar sign
        "xtick.color": SCHEME["muted"][0],
        "ytick.color": SCHEME["muted"][0],
        "xtick.labelcolor": SCHEME["muted"][0],
        "ytick.labelcolor": SCHEME["muted"][0],
        "xtick.labelsize": SMALL_PX,
        "ytick.labelsize": SMALL_PX,
        "xtick.major.size": 3.0,
        "ytick.major.size": 0.0,
    }
)

# The meaning of a name by the first of these words that it contains.
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("fault", ("fault", "lost", "down")),
    ("cooling", ("chiller", "pump", "tower", "crah", "cooling", "coolant", "heat", "inlet", "wet_bulb", "outdoor")),
    ("power", ("loss", "transformer", "ups", "pdu", "psu", "grid")),
    ("idle", ("idle", "queue", "launch", "other", "fans", "waiting")),
    ("storage", ("storage", "disk", "load", "checkpoint", "stall")),
    ("communication", ("communication", "network", "switch", "nic", "link", "host", "edge", "core", "ici", "fabric")),
    ("compute", ("accelerator", "flop", "hbm", "cpu", "memory", "server", "compute", "run", "it")),
)


def color(role: str) -> str:
    """Return the color of ``role`` in which figures are drawn."""
    return SCHEME[role][0]


def role_of(name: str) -> str:
    """Return the meaning of a component, a part of the time or a node of the energy flow by the words of its name."""
    lowered = name.lower()
    return next((role for role, words in _WORDS if any(word in lowered for word in words)), "idle")


def css_variables() -> str:
    """Return the style sheet that gives every role its color in the reader's scheme; print is always light."""
    light, dark = (";".join(f"--{role}:{colors[side]}" for role, colors in SCHEME.items()) for side in (0, 1))
    return (
        f":root{{color-scheme:light dark;--font:{FONT};{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    )
