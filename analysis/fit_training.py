"""Fit the constants of the training model to the shipped runs and write them into the catalogue.

    python analysis/fit_training.py [--cases FILE.csv] [--study]

``--study`` prints how far predictions of runs are off that their constants were not fitted to, and writes nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dcsim.accuracy.training import study, write
from dcsim.accuracy.training.case import read
from dcsim.accuracy.training.table import SHIPPED


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=Path, default=SHIPPED, help="a table of runs, the shipped one unless given")
    parser.add_argument("--study", action="store_true", help="print errors of runs that were left out; write nothing")
    given = parser.parse_args()
    cases = read(given.cases)
    if given.study:
        print(study.report(cases))
        return 0
    for file in write.write(cases):
        print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
