"""Which arrays a fused attention kernel keeps on the chip: those made and read inside the scope "attention" alone.

Dao et al., "FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness" (NeurIPS 2022): scores and
probabilities never reach memory, forward or backward. The backward pass computes the scores again: two products
forward, five backward (T. Dao, "FlashAttention-2", ICLR 2024, section 4.1). The trace has four of these, the fifth is
counted apart, also where the whole forward kernel is run once more for a recomputed layer; not where the scores alone
are recomputed, which is that fifth product. The row statistics that are kept, one number a query and head, are not
counted, nor are blocks skipped that a mask hides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dcsim.workload import rules
from dcsim.workload.graph import Block, Classes, Node, Value, walk

SCOPE = "attention"


@dataclass(frozen=True, slots=True)
class Internal:
    """The classes of arrays that stay inside; ``again`` is what products compute a second time, by node [FLOP]."""

    members: frozenset[Value]
    same: Classes
    again: Mapping[int, float] = field(default_factory=dict)

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
    members = frozenset(inside - outside)
    return Internal(members, same, _again(block, members, same))


def _again(block: Block, members: frozenset[Value], same: Classes) -> dict[int, float]:
    """Return the FLOPs of the scores for every backward product that makes their gradient, by its identity."""
    every = [node for node in walk(block) if node.scope == SCOPE and node.primitive == "dot_general"]
    products = [node for node in every if same.find(node.outputs[0]) in members]
    repeated = sum(node.phase == "recompute" for node in every)
    alone = repeated == sum(node.phase == "recompute" for node in products)
    kept = {node.outputs[0].elements for node in products if alone and node.phase == "recompute"}
    scores = {node.outputs[0].elements: _flops(node) for node in products if node.phase == "forward"}
    return {
        id(node): scores[node.outputs[0].elements]
        for node in products
        if node.phase == "backward" and node.outputs[0].elements in scores.keys() - kept
    }


def _flops(node: Node) -> float:
    found = rules.charge(node)
    return 0.0 if found is None else found.flops
