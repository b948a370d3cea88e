"""What a rank must keep in its accelerator's memory."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.workload.operation import StepCosts


@dataclass(frozen=True, slots=True)
class RankMemory:
    """Bytes a rank holds at its peak, the end of a forward pass, by what they are.

    The residual is what compressed messages have left out so far. What the host keeps for the rank is no part of the
    total.
    """

    weights_bytes: float
    gradients_bytes: float
    optimizer_bytes: float
    activations_bytes: float
    residual_bytes: float = 0.0
    cache_bytes: float = 0.0
    host_bytes: float = 0.0

    @property
    def total_bytes(self) -> float:
        """All of it."""
        kept = self.weights_bytes + self.gradients_bytes + self.optimizer_bytes + self.residual_bytes
        return kept + self.activations_bytes + self.cache_bytes

    def __str__(self) -> str:
        from dcsim import units

        parts = {
            "weights": self.weights_bytes,
            "gradients": self.gradients_bytes,
            "optimizer": self.optimizer_bytes,
            "activations": self.activations_bytes,
        }
        if self.cache_bytes:
            parts["cache of keys and values"] = self.cache_bytes
        if self.residual_bytes:
            parts["residual of compression"] = self.residual_bytes
        return ", ".join(f"{name} {units.show(size, 'B')}" for name, size in parts.items())


def replicated(costs: StepCosts, gradient_bytes: int, fused_attention: bool) -> RankMemory:
    """Return the memory of a rank that holds a whole replica: data parallelism without sharding.

    Activations are the values of the forward pass that the traced backward pass reads, for one micro batch, less the
    scores of attention where that is one kernel; temporaries of single kernels and the allocator's fragmentation are
    not counted. With 0 ``gradient_bytes`` each gradient has the width that it was traced with. A model that serves has
    no gradients, but the cache of the tokens so far.
    """
    traced = sum(gradient.elements * gradient.element_bytes for gradient in costs.gradients)
    gradients = costs.parameters * gradient_bytes if gradient_bytes and costs.gradients else traced
    kept = costs.residual_bytes_fused if fused_attention else costs.residual_bytes
    held = costs.parameter_bytes, float(gradients), costs.optimizer_bytes, kept
    return RankMemory(*held, cache_bytes=costs.cache_bytes)
