"""The simulation substrate: time, levels, trajectories, records and random streams."""

from dcsim.engine.check import Check
from dcsim.engine.clock import Alarm, Clock, Process
from dcsim.engine.interruption import Interruption
from dcsim.engine.level import Level
from dcsim.engine.level_array import LevelArray
from dcsim.engine.recorder import Recorder, Sink
from dcsim.engine.streams import Streams
from dcsim.engine.trajectory import Curve, Trajectory

__all__ = [
    "Alarm",
    "Check",
    "Clock",
    "Curve",
    "Interruption",
    "Level",
    "LevelArray",
    "Process",
    "Recorder",
    "Sink",
    "Streams",
    "Trajectory",
]
