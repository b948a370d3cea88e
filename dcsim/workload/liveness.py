"""Removal of what a traced program computes and nobody reads."""

from __future__ import annotations

from dcsim.workload.graph import Block, Loop, Node, Value


def remove_dead(block: Block, wanted: tuple[Value, ...] | None = None) -> None:
    """Drop the nodes of ``block`` that do not contribute to ``wanted`` (its outputs unless given), in loops too."""
    live = {value.storage for value in (block.outputs if wanted is None else wanted)}
    kept: list[Node] = []
    for node in reversed(block.nodes):
        if not any(value in live for value in node.outputs):
            continue
        if node.loop is not None:
            _trim(node, node.loop, live)
        live.update(value.storage for value in node.inputs)
        kept.append(node)
    block.nodes = kept[::-1]


def _trim(node: Node, loop: Loop, live: set[Value]) -> None:
    """Drop carries and stacked results of ``loop`` that nobody reads, then what its body computed for them."""
    flags = [outer in live for outer in node.outputs]
    while True:
        wanted = tuple(value for value, flag in zip(loop.body.outputs, flags, strict=True) if flag)
        needed = _reachable(loop.body, (*wanted, *loop.condition))
        carried = loop.body.inputs[loop.constants : loop.constants + loop.carries]
        grown = [flags[i] or value in needed for i, value in enumerate(carried)] + flags[loop.carries :]
        if grown == flags:
            break
        flags = grown
    remove_dead(loop.body, (*wanted, *loop.condition))
    keep = [
        index
        for index, value in enumerate(loop.body.inputs)
        if value in needed or (0 <= index - loop.constants < loop.carries and flags[index - loop.constants])
    ]
    loop.body.inputs = tuple(loop.body.inputs[i] for i in keep)
    node.inputs = tuple(node.inputs[i] for i in keep)
    loop.body.outputs = wanted
    node.outputs = tuple(value for value, flag in zip(node.outputs, flags, strict=True) if flag)
    loop.constants = sum(i < loop.constants for i in keep)
    loop.carries = sum(flags[: loop.carries])


def _reachable(block: Block, wanted: tuple[Value, ...]) -> set[Value]:
    """Return every storage that ``wanted`` depends on; a loop inside the body counts as needing all its inputs."""
    live = {value.storage for value in wanted}
    for node in reversed(block.nodes):
        if any(value in live for value in node.outputs):
            live.update(value.storage for value in node.inputs)
    return live
