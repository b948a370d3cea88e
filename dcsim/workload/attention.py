"""Which arrays a fused attention kernel keeps on the chip: those made and read inside the scope "attention" alone.

Dao et al., "FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness" (NeurIPS 2022): scores and
probabilities never reach memory, forward or backward. The second computation of the scores in the backward pass, and
the row statistics that are kept for it, are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.workload.graph import Block, Classes, Value, walk

SCOPE = "attention"


@dataclass(frozen=True, slots=True)
class Internal:
    """The classes of arrays that stay inside."""

    members: frozenset[Value]
    same: Classes

    def __contains__(self, value: Value) -> bool:
        return self.same.find(value) in self.members


def internal(block: Block, same: Classes) -> Internal:
    """Return the arrays of ``block`` that are made in the scope "attention" and read nowhere else."""
    inside: set[Value] = set()
    outside = {same.find(value) for value in (*block.inputs, *block.outputs)}
    for node in walk(block):
        if node.loop is not None:
            continue
        found = inside if node.scope == SCOPE else outside
        found.update(same.find(value) for value in (*node.inputs, *node.outputs))
    return Internal(frozenset(inside - outside), same)
