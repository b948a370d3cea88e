"""A job of the scenario, traced and planned: everything about it that no event changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from dcsim.catalogue.inventory import JobParts, PoolParts
from dcsim.estimate.device import Device
from dcsim.parallel.compression import residual_bytes
from dcsim.parallel.federated import federated
from dcsim.parallel.memory import RankMemory, replicated
from dcsim.parallel.meshed import meshed
from dcsim.parallel.plan import DataParallel, data_parallel
from dcsim.parallel.program import Compute, Program, Read, Stretch
from dcsim.scenario.parallel import Federated
from dcsim.scenario.user import UserModel
from dcsim.scenario.workload import Job
from dcsim.workload.costs import CostRequest
from dcsim.workload.operation import StepCosts

if TYPE_CHECKING:
    from dcsim.estimate.split import SplitPlan
    from dcsim.network.collectives import Interconnect  # brings NumPy

BUCKET_BYTES = float(25 * 2**20)
"""Buckets of gradients where a job tells none: PyTorch's usual size (DistributedDataParallel, ``bucket_cap_mb``)."""

_ELEMENT_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}


@dataclass(frozen=True, slots=True)
class JobPlan:
    """A job, the costs of its step, its program, and the servers it may run on.

    ``pool`` are the indices of the servers of its pool; it takes ``servers_needed`` of them whole. ``library`` is what
    joins its ranks, if a library chooses how it reduces; ``split`` is its parallel plan, if it has one.
    """

    parts: JobParts
    costs: StepCosts
    program: Program
    device: Device
    memory: RankMemory
    pool: frozenset[int]
    accelerators_per_server: int
    library: Interconnect | None = None
    split: SplitPlan | None = None
    host_memory: float = inf
    """Of a server, for what ranks leave to it [B]; 0 where nothing is known of their links to it."""

    @property
    def servers_needed(self) -> int:
        """Servers that hold all ranks, one rank an accelerator."""
        return -(-self.program.ranks // self.accelerators_per_server)

    @property
    def ranks_of_server(self) -> int:
        """Ranks of a full server."""
        return min(self.program.ranks, self.accelerators_per_server)

    @property
    def checkpoint_bytes(self) -> float:
        """Weights and optimizer state, written once whatever the number of replicas, and every sender's residual.

        Clients of a federation have optimizer states of their own.
        """
        parallel, costs = self.parts.job.parallel, self.costs
        state = costs.state_bytes or costs.parameter_bytes + parallel.clients * costs.optimizer_bytes
        senders = parallel.clients if isinstance(parallel.reduction, Federated) else self.program.ranks
        return state + senders * self.memory.residual_bytes

    @property
    def read_bytes_per_step(self) -> float:
        """Bytes that all ranks read from storage for a step."""
        reads = (i.size_bytes for i in self.program.instructions if isinstance(i, Read))
        return self.program.ranks * sum(reads)

    @property
    def flops_per_step(self) -> float:
        """FLOPs that all ranks execute in a step, recomputation included."""
        stretches = sum(i.flops for i in self.program.instructions if isinstance(i, Stretch))
        return self.program.ranks * stretches + self.program.ranks * sum(
            times * operation.flops
            for instruction in self.program.instructions
            if isinstance(instruction, Compute)
            for operation, times in instruction.operations
        )

    @property
    def model_flops_per_step(self) -> float:
        """FLOPs of matrix products and convolutions of forward and backward passes, as model FLOP utilization
        counts them.
        """
        if self.split is not None:
            return self.program.ranks * self.split.step.model_flops
        return self.program.ranks * sum(
            times * operation.flops
            for instruction in self.program.instructions
            if isinstance(instruction, Compute)
            for operation, times in instruction.operations
            if operation.kind in ("matmul", "convolution") and operation.phase in ("forward", "backward")
        )


def cost_request(parts: JobParts, folder: Path) -> CostRequest:
    """Return what has to be traced for a job: one micro batch of one rank.

    ``folder`` is the scenario's, where the user's own code is looked for.
    """
    job, model = parts.job, parts.model
    if isinstance(model, UserModel):
        return CostRequest(model, "", "", job.batch.micro, folder)  # precision and optimizer are the code's own
    if job.inference is not None:
        return CostRequest(model, job.precision, "", job.batch.micro, inference=job.inference)
    return CostRequest(model=model, precision=job.precision, optimizer=job.optimizer.rule, micro=job.batch.micro)


def job_plan(parts: JobParts, costs: StepCosts, pool: PoolParts, servers: frozenset[int]) -> JobPlan:
    """Return the plan of a job on a pool whose servers have the indices ``servers``."""
    job = parts.job
    element_bytes = 0 if isinstance(parts.model, UserModel) else _ELEMENT_BYTES[job.precision]
    micro_batches = job.batch.global_ // (job.batch.micro * job.parallel.data)
    # An executed job reads its whole, small data set once, when it starts; a traced one streams.
    read_bytes = 0.0 if job.execute else micro_batches * job.batch.micro * _sample_bytes(parts, costs)
    plan = DataParallel(
        ranks=job.parallel.data,
        micro_batches=micro_batches,
        gradient_bytes=element_bytes,
        bucket_bytes=job.parallel.bucket or BUCKET_BYTES,
        overlap=job.parallel.overlap,
        read_bytes=read_bytes,
        compression=job.parallel.coding,
    )
    memory = replicated(costs, element_bytes, parts.software.fused_attention)
    kept = costs.parameters * residual_bytes(plan.compression, plan.ranks)
    return JobPlan(
        parts,
        costs,
        _program(job, costs, plan),
        Device(pool.accelerator, parts.software),
        replace(memory, residual_bytes=kept),
        servers,
        pool.server.accelerators,
    )


def _program(job: Job, costs: StepCosts, plan: DataParallel) -> Program:
    if costs.mesh:
        return meshed(costs, plan.read_bytes / job.ranks, plan.overlap)
    if isinstance(job.parallel.reduction, Federated):
        return federated(costs, plan, job.parallel.clients, job.parallel.local_steps)
    return data_parallel(costs, plan)


def _sample_bytes(parts: JobParts, costs: StepCosts) -> float:
    return costs.sample_bytes if parts.job.sample_size is None else parts.job.sample_size
