"""How JAX runs here: on the CPU, every kernel in one thread so that sums have one order, compiled ones kept on disk."""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path

from dcsim.workload import cache

_FLAGS = ("--xla_cpu_multi_thread_eigen=false",)


def prepare() -> None:
    """Set up JAX; call before anything of it is used. What the user set in the environment stays.

    Kernels are kept apart by the features of the CPU, for which they are compiled.
    """
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    given = os.environ.get("XLA_FLAGS", "")
    missing = [flag for flag in _FLAGS if flag.split("=")[0] not in given]
    if missing:
        os.environ["XLA_FLAGS"] = " ".join([given, *missing]).strip()
    import jax

    settings = {
        "jax_cpu_enable_async_dispatch": False,  # a kernel runs in the thread that calls it
        "jax_compilation_cache_dir": str(cache.folder() / "kernels" / _processor()),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in settings.items():
        jax.config.update(name, value)  # type: ignore[no-untyped-call]


def _processor() -> str:
    """Return a digest of the processor's model and features."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n", 1)[0].splitlines()
    except OSError:
        import platform

        lines = [f"model name: {platform.machine()} {platform.processor()}"]
    telling = [line for line in lines if line.startswith(("model name", "vendor_id", "flags", "Features", "CPU part"))]
    return blake2b("\n".join(telling).encode(), digest_size=8).hexdigest()
