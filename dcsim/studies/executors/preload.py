"""What the fork server imports before it forks, so that workers have it at once; JAX is not among it.

JAX starts threads when it is imported, and a process that forks must have none. Nothing else imports this module.
"""

# ruff: noqa: E402 (garbage is not collected, and interrupts are not heard, from the first import on)

import gc
import signal

gc.disable()  # modules stay: looking for garbage among them is a seventh of the time that importing them takes
_heard = signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a sweep's terminal; the sweep itself ends what it started

import networkx  # noqa: F401  (imported by the first graph otherwise)
import numpy.random  # noqa: F401

from dcsim.simulate import running  # noqa: F401
from dcsim.studies.executors import worker  # noqa: F401

signal.signal(signal.SIGINT, _heard)
gc.freeze()  # workers need not look through it again, which would copy the memory that they share
gc.enable()
