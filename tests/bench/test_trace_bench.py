"""Tracing from a cold start and from the cache: seconds, peak memory, operations.

Cold means a fresh process with an empty cache folder, in which JAX and Optax were imported and nothing was traced: it
imports every module of the tracer and traces every JAX function for the first time. Importing JAX is a row of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.bench

MEASURE = """
import json, resource, sys, time
from dcsim.catalogue.shelf import Shelf
name, warm = sys.argv[1], sys.argv[2] == "cold"
found = {"import_cpu_s": 0.0}
model = Shelf().model(name)
began = time.process_time()
if warm:
    from dcsim.workload import runtime
    runtime.prepare()
    import jax, optax
    found["import_cpu_s"] = time.process_time() - began
from dcsim.workload.costs import CostRequest, costs
began = time.process_time()
traced = costs(CostRequest(model, "bf16", "adamw", 1))
found["cpu_s"] = time.process_time() - began
found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
found["operations"] = len(traced.operations)
found["jax"] = "jax" in sys.modules
print(json.dumps(found))
"""


def measured(name: str, start: str, cache: Path) -> dict[str, Any]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DCSIM_CACHE": str(cache)}
    command = [sys.executable, "-c", MEASURE, name, start]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", ["gpt2-small", "gpt3-175b", "llama3-405b", "deepseek-v3", "resnet-50"])
def test_a_step_is_traced_once_and_then_read(name: str, tmp_path: Path) -> None:
    cold, cached = (measured(name, start, tmp_path) for start in ("cold", "cached"))
    rows = (
        f"{name:12s} {label:6s} {row['cpu_s']:.3f} CPU s, {row['peak_mib']:.0f} MiB, {row['operations']} operations"
        for label, row in (("cold", cold), ("cached", cached))
    )
    sys.stdout.write("\n" + "\n".join(rows) + f"\n{'':12s} import {cold['import_cpu_s']:.3f} CPU s\n")
    assert cold["operations"] == cached["operations"]
    assert cold["jax"] and not cached["jax"]
    assert cold["peak_mib"] <= 1024
    assert cold["cpu_s"] >= 10 * cached["cpu_s"]
