"""Turn folders of runs and studies into capacity reports: the page, its figures, and the summary on the terminal.

    python analysis/capacity_report.py runs/quickstart-1a2b3c4d [more folders ...] [--growth "30 %/year" ...]

Several runs also give a page that compares them, where --compare says.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from dcsim.errors import DcsimError
from dcsim.report import html, terminal
from dcsim.report import study as told
from dcsim.report.capacity import Outlook
from dcsim.results import compare, growth, store, study
from dcsim.results.result import Result
from dcsim.results.standing import objectives


def main(arguments: list[str]) -> int:
    """Write ``report.html`` and ``figures/`` into every folder and print what they say."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, help="folders of runs and studies")
    parser.add_argument("--growth", action="append", default=[], help='such as "30 %%/year"; may be repeated')
    parser.add_argument("--percentile", type=float, default=95.0, help="of demand over time, beside its peak")
    parser.add_argument("--compare", type=Path, help="also compare the runs on this page")
    options = parser.parse_args(arguments)
    try:
        grown = tuple(map(growth.parse, options.growth)) or growth.EXAMPLES
        outlook = Outlook(grown, options.percentile)
        runs = [run for folder in options.folders if (run := report(folder, outlook)) is not None]
        if options.compare is not None:
            compared = compare(runs)
            html.write(compared, options.compare, objectives(compared), outlook)
            print(f"page     {options.compare}")
    except DcsimError as error:
        print(f"capacity_report: {error}", file=sys.stderr)
        return 2
    return 0


def report(folder: Path, outlook: Outlook) -> Result | None:
    """Write the page of a folder, print its summary, and return the run; None of a study."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if study.is_study_folder(folder):
        found = study.load(folder)
        console.print(told.summary(found))
        print(f"report   {html.write_study(found, folder, outlook)}\n")
        return None
    result = store.load(folder)
    html.write(result, folder / "report.html", outlook=outlook)
    console.print(terminal.summary(result))
    print(f"report   {folder / 'report.html'}\n")
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
