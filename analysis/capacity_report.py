"""Turn run folders into one capacity report each: the page, its figures, and the summary on the terminal.

python analysis/capacity_report.py runs/quickstart-1a2b3c4d [more runs ...]
"""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from dcsim.errors import DcsimError
from dcsim.report import html, terminal
from dcsim.results import store


def main(folders: list[str]) -> int:
    """Write ``report.html`` and ``figures/`` into every run folder and print what they say."""
    if not folders:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for folder in map(Path, folders):
        try:
            result = store.load(folder)
        except DcsimError as error:
            print(f"capacity_report: {error}", file=sys.stderr)
            return 2
        html.write(result, folder / "report.html")
        console.print(terminal.summary(result))
        print(f"report   {folder / 'report.html'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
