"""Draw the bus bandwidth of all-reduces against their size: lines as predicted, points as measured.

python analysis/collective_bandwidth.py [--out collectives.svg]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dcsim.accuracy.collectives.case import Case, read
from dcsim.accuracy.collectives.predict import measured_s
from dcsim.accuracy.collectives.system import group_of, interconnect_of
from dcsim.catalogue import Shelf
from dcsim.network.collectives import bus_factor, collective_time
from dcsim.report import svg
from dcsim.report.figures.bandwidth import Curve, bandwidth

# label, words of the system, ranks
ONE = (
    ("8 B200", "8xb200-sxm, nvswitch", 8),
    ("8 H100", "8xh100-sxm 80gb", 8),
    ("8 A100", "8xa100-sxm4", 8),
    ("2 H100", "8xh100-sxm 80gb", 2),
)
MANY = (
    ("72 GB200, one rack", "gb200 nvl72, one rack", 72),
    ("2 x 8 H100, EFA", "p5.48xlarge x2", 16),
    ("4 x 8 B200, EFA", "p6-b200 x4", 32),
    ("2 x 8 A100, EFA", "p4de.24xlarge x2", 16),
)


def curve(label: str, cases: Sequence[Case]) -> Curve:
    """Return the curve of one system from its cases."""
    group = group_of(cases[0])
    net = interconnect_of(cases[0], group, Shelf())
    sizes = np.logspace(9, 35, 200, base=2.0)
    predicted = collective_time("all-reduce", sizes, group, net).bus_bytes_per_s
    factor = bus_factor("all-reduce", group.ranks)
    timed = [(case.size_bytes, measured_s(case)) for case in cases]
    return Curve(label, sizes, predicted, [(size, size * factor / took) for size, took in timed if size and took])


def curves(chosen: Sequence[tuple[str, str, int]]) -> list[Curve]:
    """Return the curves of some systems, as far as there are measurements of their all-reduces."""
    found = []
    for label, words, ranks in chosen:
        own = [case for case in read(None) if words in case.text("system") and case.gpus == ranks]
        found.append(curve(label, [case for case in own if case.text("collective") == "all_reduce"]))
    return found


def main(arguments: list[str]) -> int:
    """Write the figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("collectives.svg"), help="the figure to write")
    options = parser.parse_args(arguments)
    panels = [("In one server", curves(ONE)), ("Between servers, and in a rack", curves(MANY))]
    drawing = bandwidth("Small all-reduces are bound by latency, large ones by the links", panels)
    options.out.write_text(svg.standalone(drawing), encoding="utf-8")
    print(f"figure   {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
