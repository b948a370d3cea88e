"""What all tests share: one cache of traced costs and compiled kernels, apart from the user's own."""

from __future__ import annotations

import os
from pathlib import Path

# Set on import, so that worker processes and commands started by tests inherit it. Entries are keyed by content, so a
# cache that outlives the session cannot change a result.
os.environ.setdefault("DCSIM_CACHE", str(Path(__file__).parents[1] / ".pytest_cache" / "dcsim"))
os.environ["NO_COLOR"] = "1"
# What ``dcsim.workload.runtime`` sets; a test that uses JAX before it would settle on several threads for all others.
# Unoptimized machine code compiles in half the time, and compiling is most of what tests of learning do; what is
# computed, and in which order, stays the same. Those that measure kernels optimize them, see `tests/bench`; commands
# that tests start optimize too, because a whole run executes each kernel often enough to win that back.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false --xla_backend_optimization_level=0")
