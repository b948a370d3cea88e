"""What executes a program."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.catalogue.parts import Accelerator, Software


@dataclass(frozen=True, slots=True)
class Device:
    """An accelerator under a software era at a clock factor (1: nominal)."""

    accelerator: Accelerator
    software: Software
    clock: float = 1.0
