"""What each rank does in a round of federated averaging."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dcsim.parallel.compression import element_bytes, kernel
from dcsim.parallel.plan import DataParallel, data_parallel
from dcsim.parallel.program import Collective, Compute, Instruction, Program, Read, Wait
from dcsim.workload.operation import Group, StepCosts

INSIDE = Group("all-reduce", ("rank",))
"""The ranks of one client, by whom gradients are summed in every local step."""


def federated(costs: StepCosts, plan: DataParallel, clients: int, local_steps: int) -> Program:
    """Return the program of a round: local steps inside every client, then the mean of the clients' weights.

    ``plan.micro_batches`` are those of the round. The first rank of each client sends its weights to a server beside
    the first of all, gets the mean and hands it on inside its client; only what it sends is compressed.
    """
    each = plan.ranks // clients
    local = replace(plan, ranks=each, micro_batches=plan.micro_batches // local_steps, read_bytes=0.0, compression=None)
    step = tuple(_inside(instruction) for instruction in data_parallel(costs, local).instructions)
    ahead = (Read(plan.read_bytes),) if plan.read_bytes > 0 else ()
    instructions = (*ahead, *(step * local_steps), *_mean(costs, plan, clients))
    return Program(plan.ranks, instructions, (("client", clients), ("rank", each)), sent(plan.ranks, clients))


def sent(ranks: int, clients: int) -> float:
    """Return the bytes that a rank sends over the size of the weights, as the mean of all ranks.

    All clients but the server's send theirs, get the mean, and hand it on to their other ranks.
    """
    return (2.0 * (clients - 1) + (ranks - clients)) / ranks


def _inside(instruction: Instruction) -> Instruction:
    return replace(instruction, group=INSIDE) if isinstance(instruction, Collective) else instruction


def _mean(costs: StepCosts, plan: DataParallel, clients: int) -> Iterator[Instruction]:
    if plan.ranks == 1:
        return
    elements, width = costs.parameters, plan.gradient_bytes
    if plan.compression is not None:
        operation = kernel(plan.compression, elements, clients, width)
        yield Compute("compress", ((operation, 1),))
    yield Collective("weights", "average", elements * element_bytes(plan.compression, width))
    yield Wait()
