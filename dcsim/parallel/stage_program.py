"""The program of every class of identical ranks of a pipeline: a stage is such a class."""

from __future__ import annotations

from dcsim.parallel.pipeline import Chunks, Slot, order
from dcsim.parallel.program import Instruction, Program, Receive, Send, Stretch
from dcsim.scenario.parallel import Schedule


def stage_programs(chunks: Chunks, schedule: Schedule, micro_batches: int, size_bytes: float) -> tuple[Program, ...]:
    """Return what a rank of each stage does in a step, stage by stage, each for one rank.

    Parameters
    ----------
    chunks
        Times of the chunks of layers for one micro batch.
    schedule, micro_batches
        The order of a stage's passes, and how many micro batches a step has.
    size_bytes
        What a rank hands on after a forward pass, and gets back as a gradient [B].
    """
    sizes = (chunks.stages, micro_batches, chunks.virtual)
    found = []
    for stage in range(chunks.stages):
        passes = [_pass(slot, stage, chunks, size_bytes) for slot in order(schedule, stage, sizes)]
        found.append(Program(1, tuple(instruction for instructions in passes for instruction in instructions)))
    return tuple(found)


def _pass(slot: Slot, stage: int, chunks: Chunks, size_bytes: float) -> list[Instruction]:
    """Return one slot with what it waits for and what it hands on."""
    place, last, stages = slot.chunk * chunks.stages + stage, len(chunks.forward_s) - 1, chunks.stages
    label = f"{slot.kind} {slot.micro}"
    if slot.kind == "weights":
        return [Stretch(label, chunks.weights_s[place])]
    ahead = slot.kind == "forward"
    source, target = (place - 1, place + 1) if ahead else (place + 1, place - 1)
    found: list[Instruction] = []
    if 0 <= source <= last:
        found.append(Receive(f"{label} of chunk {max(place, source)}", source % stages, size_bytes))
    found.append(Stretch(label, (chunks.forward_s if ahead else chunks.backward_s)[place]))
    if 0 <= target <= last:
        found.append(Send(f"{label} of chunk {max(place, target)}", target % stages, size_bytes))
    return found
