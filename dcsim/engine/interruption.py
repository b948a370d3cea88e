"""Ctrl-C as a request that is read between events."""

from __future__ import annotations

import signal
import threading
from types import TracebackType
from typing import Any


class Interruption:
    """While it is entered, Ctrl-C sets ``requested`` instead of raising wherever the program happens to be.

    An exception out of the middle of a callback of SimPy or JAX would be lost, or leave half of an event done. A second
    Ctrl-C raises KeyboardInterrupt at once. Outside the main thread, where Python delivers no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: Any = None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, *_: object) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
