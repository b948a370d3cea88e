"""The fork server, from which a pool's processes are forked."""

from __future__ import annotations

from multiprocessing import forkserver


def warm() -> None:
    """Start the fork server, which imports what workers need while this process goes on; a second call does nothing."""
    forkserver.set_forkserver_preload(["dcsim.studies.executors.preload"])
    forkserver.ensure_running()
