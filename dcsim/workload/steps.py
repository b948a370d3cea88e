"""A step that is one program: which of its operations are forward pass, backward pass and update.

JAX names what it differentiates: "jvp" on the way forward, "transpose" on the way back. The rest is told by the flow
of data. What such operations need is forward (preparing a batch); what comes after the backward pass, or needs nothing
of the forward pass (decay of weights), is the update. A program without a backward pass is all forward.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dcsim.workload.graph import Block, Node, Value, walk
from dcsim.workload.phases import UNKNOWN

_BACKWARD = frozenset({"backward", "recompute"})


def tell_phases(block: Block, last: str = "optimizer") -> None:
    """Give every operation of ``block`` without a phase its phase; ``last`` is that of what follows the backward pass.

    A loop with both passes in its body (accumulation over micro batches) is backward, as is all that follows in it.
    """
    for node in block.nodes:
        if node.loop is not None and node.phase == UNKNOWN:
            inner = {inside.phase for inside in walk(node.loop.body)} - {UNKNOWN}
            if inner:
                tell_phases(node.loop.body, "backward")
                node.phase = "backward" if inner & _BACKWARD else "forward"
    differentiated = any(node.phase in _BACKWARD for node in block.nodes)
    after, computed = _downstream(block)
    needed = _upstream(block)
    for node in block.nodes:
        if node.phase == UNKNOWN:
            reads = {value.storage for value in node.inputs}
            if reads & after:
                phase = last
            elif needed.intersection(node.outputs) or not differentiated or reads & computed:
                phase = "forward"
            else:
                phase = last
            for inside in (node, *(walk(node.loop.body) if node.loop is not None else ())):
                inside.phase = phase


def gradients_of(block: Block, shapes: Sequence[tuple[int, ...]]) -> list[Value]:
    """Return the arrays of a differentiated program that are gradients of weights of these shapes.

    They are what the backward pass makes in the shape of a weight, and the update, or the caller, reads. An array that
    is only looked at in another shape counts as its own.
    """
    made = {value for node in block.nodes if node.phase in _BACKWARD for value in node.outputs}
    read = [value for node in block.nodes if node.phase == "optimizer" for value in node.inputs]
    wanted = Counter(shapes)
    found: dict[Value, None] = {}
    for value in (*read, *block.outputs):
        storage = value.storage
        shape = next((shape for shape in (value.shape, storage.shape) if wanted[shape] > 0), None)
        if storage in made and storage not in found and shape is not None:
            wanted[shape] -= 1
            found[storage] = None
    return list(found)


def _downstream(block: Block) -> tuple[set[Value], set[Value]]:
    """Return what depends on the backward pass, and what depends on anything that is differentiated."""
    after: set[Value] = set()
    computed: set[Value] = set()
    for node in block.nodes:
        reads = {value.storage for value in node.inputs}
        if node.phase in _BACKWARD or reads & after:
            after.update(node.outputs)
        if node.phase != UNKNOWN or reads & computed:
            computed.update(node.outputs)
    return after, computed


def _upstream(block: Block) -> set[Value]:
    """Return what the differentiated part of the program reads, however indirectly."""
    needed: set[Value] = set()
    for node in reversed(block.nodes):
        if node.phase != UNKNOWN or _makes(node, needed):
            needed.update(value.storage for value in node.inputs)
    return needed


def _makes(node: Node, wanted: set[Value]) -> bool:
    return any(value in wanted for value in node.outputs)
