"""What of a training job waits in the memory of the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Offloaded = Literal["optimizer", "gradients", "weights", "activations"]


def fault(offload: Sequence[Offloaded], adapters: bool, sharding: str, replicas: int) -> tuple[str, str] | None:
    """Return what was found and what is expected where a plan cannot offload so, None where it can.

    ``replicas`` are the ranks that sum their gradients.
    """
    written = f"[{', '.join(offload)}]"
    if len(set(offload)) < len(offload):
        return written, f"every word once: [{', '.join(dict.fromkeys(offload))}]"
    if "optimizer" not in offload:
        frozen = adapters and "gradients" not in offload
        if {"gradients", "weights"} & set(offload) and not frozen:
            instead = ", ".join(["optimizer", *offload])
            return written, f"the optimizer too, whose step reads gradients and writes weights: write [{instead}]"
    if "gradients" in offload and replicas > 1 and sharding not in ("gradients", "full"):
        rule = "sharding: gradients or full beside it: gradients are summed over replicas before they leave"
        return f"{written} with sharding: {sharding}", rule
    return None
