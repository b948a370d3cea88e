"""Compare the architectures of several run folders: a page with figures, and a table on the terminal.

    python analysis/compare_architectures.py runs/fat-tree runs/oversubscribed [more runs ...] [--out comparison.html]

The first run is what the others are compared with.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from dcsim.errors import DcsimError
from dcsim.report import html, terminal
from dcsim.results import compare, store


def main(arguments: list[str]) -> int:
    """Write the comparison of the runs and print it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, help="run folders")
    parser.add_argument("--out", type=Path, default=Path("comparison.html"), help="the page to write")
    options = parser.parse_args(arguments)
    try:
        compared = compare([store.load(folder) for folder in options.runs])
    except DcsimError as error:
        print(f"compare_architectures: {error}", file=sys.stderr)
        return 2
    html.write(compared, options.out)
    Console(highlight=False, markup=False, soft_wrap=True).print(terminal.comparison(compared))
    print(f"page     {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
