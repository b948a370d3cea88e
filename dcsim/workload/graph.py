"""A traced program as plain blocks of nodes over values: calls inlined, views resolved, loops kept; no JAX here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dcsim.workload.places import NOWHERE, Place

_NAMES = {
    "float64": "fp64",
    "float32": "fp32",
    "bfloat16": "bf16",
    "float16": "fp16",
    "float8_e4m3fn": "fp8",
    "float8_e5m2": "fp8",
}


@dataclass(eq=False, slots=True)
class Value:
    """One array of the program; ``view_of`` is the one whose memory it shares, ``permuted`` where in another order of
    axes. A literal has 0 ``size_bytes`` [B]. ``origin`` says how a view is taken, or which number a literal is.
    """

    shape: tuple[int, ...]
    dtype: str
    elements: int
    size_bytes: float
    view_of: Value | None = None
    permuted: bool = False
    origin: str = ""

    @property
    def storage(self) -> Value:
        """The array that owns the memory."""
        value = self
        while value.view_of is not None:
            value = value.view_of
        return value

    @property
    def touched_bytes(self) -> float:
        """What reading the value takes from memory [B]: the smallest array on the way to its storage.

        A broadcast reads what it was made from, a slice reads only itself.
        """
        value, smallest = self, self.size_bytes
        while value.view_of is not None:
            value = value.view_of
            smallest = min(smallest, value.size_bytes)
        return smallest


@dataclass(eq=False, slots=True)
class Node:
    """One primitive applied to values, with the phase and the named part of the model that it belongs to."""

    primitive: str
    parameters: dict[str, Any]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    phase: str
    scope: str
    place: Place = NOWHERE
    loop: Loop | None = None


@dataclass(eq=False, slots=True)
class Block:
    """Nodes in program order."""

    inputs: tuple[Value, ...]
    nodes: list[Node]
    outputs: tuple[Value, ...]


@dataclass(eq=False, slots=True)
class Loop:
    """A body executed ``trips`` times: its inputs are (constants, carries, slices), its outputs (carries, slices).

    ``condition`` is what every trip computes to decide about the next, beside its outputs.
    """

    body: Block
    trips: int
    reverse: bool
    constants: int
    carries: int
    condition: tuple[Value, ...] = ()

    def aliases(self, node: Node) -> Iterator[tuple[Value, Value]]:
        """Yield (value of the body, value outside) for all that are one array, wholly or slice by slice."""
        yield from zip(self.body.inputs, node.inputs, strict=True)
        yield from zip(self.body.outputs, node.outputs, strict=True)
        carried = self.body.inputs[self.constants : self.constants + self.carries]
        yield from zip(carried, self.body.outputs[: self.carries], strict=True)

    def stacked(self, node: Node) -> Iterator[tuple[Value, Value]]:
        """Yield (slice made by a trip, stacked array outside)."""
        yield from zip(self.body.outputs[self.carries :], node.outputs[self.carries :], strict=True)


@dataclass(slots=True)
class Classes:
    """Which storages are the same array across the boundaries of loops (union-find)."""

    _parents: dict[Value, Value] = field(default_factory=dict)

    def find(self, value: Value) -> Value:
        """Return the representative of the class of ``value``'s storage."""
        root = value.storage
        while (parent := self._parents.get(root)) is not None:
            root = parent
        return root

    def join(self, one: Value, other: Value) -> None:
        """Make one class of two."""
        first, second = self.find(one), self.find(other)
        if first is not second:
            self._parents[first] = second


def walk(block: Block) -> Iterator[Node]:
    """Yield every node of ``block`` and of the bodies of its loops."""
    for node in block.nodes:
        yield node
        if node.loop is not None:
            yield from walk(node.loop.body)


def classes(block: Block) -> Classes:
    """Return the classes of one-and-the-same arrays of the program."""
    found = Classes()
    for node in walk(block):
        if node.loop is not None:
            for inside, outside in node.loop.aliases(node):
                found.join(inside, outside)
    return found


def dtype_name(dtype: Any) -> str:
    """Return the catalogue's name of a number format, "bf16" for ``bfloat16``."""
    return _NAMES.get(str(dtype), str(dtype))
