"""Trace a training step of every model of the catalogue and print the table of docs/explanation/presets.md.

python analysis/model_presets.py [model ...]

A trace begins with an empty cache, in one process after JAX was imported: the first model named pays for what JAX
prepares once. Seconds are those of the CPU.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time

from dcsim import units
from dcsim.catalogue.shelf import Shelf
from dcsim.errors import DcsimError
from dcsim.workload.closed_form import training
from dcsim.workload.costs import CostRequest, costs

HEAD = (
    "model",
    "published",
    "parameters traced",
    "FLOP a token traced",
    "closed form",
    "operations",
    "kernels run",
    "trace",
)


def row(name: str, shelf: Shelf) -> tuple[str, ...]:
    """Return the cells of one model: bf16 and AdamW at one sample."""
    model = shelf.model(name)
    began = time.process_time()
    traced = costs(CostRequest(model, "bf16", "adamw", 1))
    seconds = time.process_time() - began
    done = sum(o.flops * o.count for o in traced.operations if o.phase != "optimizer") / traced.tokens_per_sample
    form = training(model).total / model.tokens_per_sample
    published = getattr(shelf.fields("models", name).get("published"), "value", "-")
    return (
        name,
        str(published),
        f"{traced.parameters:,}",
        units.show(done, "FLOP", 4),
        f"{form / done - 1:+.3%}",
        str(len(traced.operations)),
        f"{sum(o.count for o in traced.operations):,}",
        f"{seconds:.2f} s",
    )


def main(names: list[str]) -> int:
    """Print the table as Markdown."""
    from dcsim.workload import runtime

    shelf = Shelf()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DCSIM_CACHE"] = folder
        runtime.prepare()
        print("| " + " | ".join(HEAD) + " |\n" + "|---|---" + "|---:" * (len(HEAD) - 2) + "|")
        try:
            for name in names or shelf.names("models"):
                print("| " + " | ".join(row(name, shelf)) + " |", flush=True)
        except DcsimError as error:
            print(f"model_presets: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
