"""How a model is spread over accelerators and trained: a plan as a value, or many plans at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NOT_SHARDED, OPTIMIZER, GRADIENTS, EVERYTHING = 0.0, 1.0, 2.0, 3.0
"""What data-parallel ranks share out: nothing, optimizer states (ZeRO-1), gradients too (ZeRO-2), weights too (FSDP).

S. Rajbhandari, J. Rasley, O. Ruwase, Y. He, "ZeRO: Memory optimizations toward training trillion parameter models",
SC 2020.
"""


@dataclass(frozen=True, slots=True)
class Parallelism:
    """Plans, every field of shape (cases,).

    Attributes
    ----------
    tensor, pipeline, virtual, data, context, expert
        Sizes of the groups; ``virtual`` is how many chunks of layers a pipeline stage holds; experts are spread over
        ranks of the data, context and tensor groups.
    sequence
        1 where what lies between tensor-parallel products is split along the sequence (Korthikanti et al., 2022).
    sharding
        One of NOT_SHARDED to EVERYTHING.
    replicas
        Groups of data-parallel ranks that each hold all shards, so that weights are gathered within a group and only
        gradients pass between groups: hybrid sharding.
    micro, micro_batches
        Sequences of a micro batch, and micro batches of a data-parallel rank in a step.
    recomputed, recomputed_core
        Share of the layers' forward pass that runs again in the backward pass; share of the attention cores that do
        where the layers do not [1].
    balanced
        1 where the embedding and the head each take the place of a layer when layers are dealt to stages.
    zero_bubble
        1 where the gradients of weights fill the bubble (P. Qi et al., "Zero bubble pipeline parallelism", ICLR 2024).
    adapters
        1 where only low-rank adapters are trained, so that the matrices' own gradients are not computed.
    """

    tensor: Floats
    pipeline: Floats
    virtual: Floats
    data: Floats
    context: Floats
    expert: Floats
    sequence: Floats
    sharding: Floats
    micro: Floats
    micro_batches: Floats
    recomputed: Floats
    recomputed_core: Floats
    balanced: Floats
    zero_bubble: Floats
    adapters: Floats
    replicas: Floats = field(default_factory=lambda: np.ones(1))

    @property
    def ranks(self) -> Floats:
        """Accelerators of the plan."""
        return self.tensor * self.pipeline * self.data * self.context


@dataclass(frozen=True, slots=True)
class Precision:
    """Number formats of plans, every field of shape (cases,).

    ``narrow`` is 1 where products run in 8 bits or fewer, whose operands are cast; ``block`` is 1 where each block of
    a few numbers has a scale (MXFP8, NVFP4) or each row; the others are widths [B]: of activations, of the stream as
    tensor groups gather it, of weights as communicated, of gradients as reduced, of what is dispatched to experts.
    """

    narrow: Floats
    block: Floats
    activation_bytes: Floats
    gathered_bytes: Floats
    weight_bytes: Floats
    gradient_bytes: Floats
    dispatch_bytes: Floats
