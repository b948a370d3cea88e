"""What the model of training steps depends on, and the times of a layer, for many cases at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dcsim.compute.kernels import Chip
from dcsim.estimate.messages import Links
from dcsim.parallel.adapters import Adapters
from dcsim.parallel.context import Context
from dcsim.parallel.data_exchange import DataExchange
from dcsim.parallel.kept import Kept
from dcsim.parallel.offload import Offload
from dcsim.parallel.parallelism import Parallelism, Precision
from dcsim.parallel.routing import Routing
from dcsim.parallel.shape import Shape

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Habits:
    """What a software era does, every field of shape (cases,).

    Attributes
    ----------
    launch_s
        Time of the host for one kernel [s].
    traffic
        Memory traffic of memory-bound kernels over the textbook's count [1].
    fused
        1 where attention is one kernel; otherwise scores pass through memory ``passes`` times in the forward pass.
    backward
        Time of the attention core's backward pass over that of its forward pass [1].
    stopped
        1 where layers computed again stop at the last result that a gradient reads, 0 where all of them runs.
    added
        What a kernel that adds gradients to their sums moves for a weight and micro batch, 0 where products add [B].
    passes
        Reads and writes of a score in 16 bits in the forward pass [1].
    hidden_tensor, hidden_data, hidden_pipeline, hidden_expert
        Shares of tensor, data, pipeline and expert communication that run beside computation [1].
    hidden_far
        The share of expert communication where it leaves the domain and stages have several chunks of layers, if that
        is more [1].
    merged
        1 where products of experts apply the activation function and cast its result themselves, 0 where kernels do.
    step_s
        What comes once a step: data, logging, synchronization [s].
    micro_s
        What comes once a micro batch in a stage of a pipeline: its schedule, the handshakes of its messages [s].
    experts_s
        Time of the host for the kernels of a layer with experts, forward and backward, beyond those of a dense one [s].
    routed
        Reads and writes of each routed element in the forward pass [1].
    jitter
        Standard deviation of a domain's step over its mean [1].
    crowded
        Sharded states of a rank beyond which memory is freed and asked for anew for every layer, 0 for never [B].
    """

    launch_s: Floats
    traffic: Floats
    fused: Floats
    backward: Floats
    stopped: Floats
    added: Floats
    passes: Floats
    hidden_tensor: Floats
    hidden_data: Floats
    hidden_pipeline: Floats
    hidden_expert: Floats
    hidden_far: Floats
    merged: Floats
    step_s: Floats
    micro_s: Floats
    experts_s: Floats
    routed: Floats
    jitter: Floats
    crowded: Floats


@dataclass(frozen=True, slots=True)
class Work:
    """All that a step depends on."""

    shape: Shape
    plan: Parallelism
    precision: Precision
    chip: Chip
    links: Links
    habits: Habits
    context: Context = field(default_factory=Context)
    exchange: DataExchange = field(default_factory=DataExchange)
    routing: Routing = field(default_factory=Routing)
    kept: Kept = field(default_factory=Kept)
    adapters: Adapters = field(default_factory=Adapters)
    offload: Offload = field(default_factory=Offload)


@dataclass(frozen=True, slots=True)
class Pass:
    """Times of one layer, or of the head, for one micro batch [s]: products, attention, memory and communication."""

    matmul: Floats
    attention: Floats
    memory: Floats
    tensor: Floats
    context: Floats
    expert: Floats

    @property
    def total(self) -> Floats:
        """All of it."""
        return self.matmul + self.attention + self.memory + self.tensor + self.context + self.expert


@dataclass(frozen=True, slots=True)
class Layers:
    """Times of the mean layer for one micro batch: forward, backward, what is computed again, and launches [s].

    Passes wait for transfers to and from the host as long as these take beyond them.
    ``head_s`` is that of logits and loss, forward and backward together [s].
    """

    forward: Pass
    backward: Pass
    again_s: Floats
    launch_s: Floats
    head: Pass
    wait_forward_s: Floats = field(default_factory=lambda: np.zeros(1))
    wait_backward_s: Floats = field(default_factory=lambda: np.zeros(1))

    @property
    def forward_s(self) -> Floats:
        """Forward pass of a layer, without launches [s]."""
        return self.forward.total

    @property
    def backward_s(self) -> Floats:
        """Backward pass of a layer with what is computed again, without launches [s]."""
        return self.backward.total + self.again_s
