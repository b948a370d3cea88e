"""What a compiler without hand-written kernels moves: the memory traffic of XLA's kernels, array by array.

XLA fuses loops: a kernel makes one array, and computes the elementwise work that leads to it from what is in memory,
again in every kernel that needs it. Equal work is merged. An array is in memory where something reads it that is no
loop (a product, a gather, a reduction of anything but products of elements), or where it is dear and read more than
once. Products take operands in one order of axes; other views of an array are copied first. These rules were read off
the modules that XLA of jaxlib 0.10.2 compiles for CPUs, and are held against its own count of bytes in
``tests/validation/test_xla_agreement.py``. What a loop takes apart or stacks up is counted without a copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dcsim.workload import rules
from dcsim.workload.graph import Block, Node, Value
from dcsim.workload.primitives import RANDOM, REDUCTIONS, TRANSCENDENTAL

_ABSORBED = frozenset({"mul", "square", "integer_pow", "convert_element_type"})
_DEAR = TRANSCENDENTAL | RANDOM
_PLAIN = _ABSORBED | {"add", "sub", "add_any", "neg"}  # absorbed where all operands are whole arrays
_MAXIMA = frozenset({"reduce_max", "reduce_min"})
_EXPANDED = frozenset({"erfc"})  # its expansion reads an exponential twice, which is therefore in memory
_PRODUCTS = frozenset({"dot_general", "ragged_dot_general"})


def traffic(block: Block) -> dict[int, float]:
    """Return the bytes that each node of ``block`` reads and writes, by its identity.

    Loops' own nodes, and elementwise ones whose result never reaches memory, have none.
    """
    return _Compiled(block).traffic()


class _Merged:
    """What a compiler makes of equal loops: the second one's results are the first one's."""

    def __init__(self, block: Block) -> None:
        self._first: dict[Value, Value] = {}
        self.nodes: list[Node] = []
        known: dict[tuple[object, ...], Node] = {}
        for node in block.nodes:
            key = (node.primitive, str(node.parameters), *map(self._key, node.inputs))
            first = known.setdefault(key, node) if _is_loop(node) else node
            if first is node:
                self.nodes.append(node)
            else:
                self._first.update(zip(node.outputs, first.outputs, strict=True))

    def root(self, value: Value) -> Value:
        """Return the array in whose memory ``value`` is."""
        storage = value.storage
        return self._first.get(storage, storage)

    def _key(self, value: Value) -> tuple[object, ...]:
        views: list[object] = []
        found: Value | None = value
        while found is not None:
            views.append(found.origin)
            found = found.view_of
        root = self.root(value)
        return (*views, id(root) if root.size_bytes else 0)


class _Compiled:
    """The arrays of a block that are in memory, and what is read to make each."""

    def __init__(self, block: Block) -> None:
        merged = _Merged(block)
        self._root, self._nodes = merged.root, merged.nodes
        self._maker = {value: node for node in self._nodes for value in node.outputs}
        self._readers: dict[Value, list[Node]] = {}
        for node in self._nodes:
            for value in dict.fromkeys(map(self._root, node.inputs)):
                self._readers.setdefault(value, []).append(node)
        self._escaping = set(map(self._root, block.outputs))
        self._sources: dict[Value, dict[Value, float]] = {}
        self._spread: set[tuple[Value, tuple[int, ...]]] = set()
        self._summed = self._feeding()
        self._orders: dict[Value, set[tuple[object, ...]]] = {}

    def traffic(self) -> dict[int, float]:
        """Return bytes by node."""
        found: dict[int, float] = {}
        for node in self._nodes:
            if _is_loop(node):
                found[id(node)] = self._made(node)
            elif node.primitive in _PRODUCTS:
                found[id(node)] = self._copied(node)
        return found

    def _feeding(self) -> set[int]:
        """Return the reductions, and the products of elements that go into one, by identity."""
        found: set[int] = set()
        for node in reversed(self._nodes):
            readers = [reader for value in node.outputs for reader in self._readers.get(value, ())]
            absorbed = self._is_absorbed(node) and any(id(reader) in found for reader in readers)
            if node.primitive in REDUCTIONS or absorbed:
                found.add(id(node))
        return found

    def _made(self, node: Node) -> float:
        """Return what is moved to make what ``node`` leaves in memory."""
        reduces = node.primitive in REDUCTIONS
        sources = self._summands(node) if reduces else self._sources_of(node.inputs)
        total = self._spread_out(node) if reduces else 0.0
        if node.primitive in _EXPANDED:
            total += 2.0 * node.outputs[0].size_bytes
        for value in node.outputs:
            self._sources[value] = sources
            if self._is_stored(value, node) and not self._joins_its_reader(value, node):
                total += sum(sources.values()) + value.size_bytes
        return total

    def _sources_of(self, values: Sequence[Value]) -> dict[Value, float]:
        """Return what a kernel reads from memory to have ``values``: bytes by array, each once."""
        found: dict[Value, float] = {}
        for value in values:
            storage = self._root(value)
            maker = self._maker.get(storage)
            if maker is not None and _is_loop(maker) and not self._is_stored(storage, maker):
                for source, size in self._sources[storage].items():
                    found[source] = max(found.get(source, 0.0), size)
            else:
                found[storage] = max(found.get(storage, 0.0), value.touched_bytes)
        return found

    def _is_stored(self, value: Value, node: Node) -> bool:
        readers = self._readers.get(value, [])
        if value in self._escaping or node.primitive in REDUCTIONS:
            return True
        if any(not _is_loop(reader) for reader in readers):
            return True
        if node.primitive in _DEAR and len(readers) > 1:
            return True
        return not self._is_absorbed(node) and any(id(reader) in self._summed for reader in readers)

    def _is_absorbed(self, node: Node) -> bool:
        """Whether a reduction of its result computes ``node``, too: a product of elements, no scaling by weights."""
        spread = [value for value in node.inputs if _is_spread(value)]
        if not spread:
            return node.primitive in _PLAIN
        return node.primitive in _ABSORBED and all(self._root(value) in self._maker for value in spread)

    def _leaves(self, node: Node) -> Iterator[Value]:
        """Yield what a reduction, and the products that it absorbs, read from memory."""
        for value in node.inputs:
            maker = self._maker.get(self._root(value))
            if maker is not None and self._is_absorbed(maker) and not self._is_stored(self._root(value), maker):
                yield from self._leaves(maker)
            else:
                yield value

    def _summands(self, node: Node) -> dict[Value, float]:
        """Return what a reduction reads: of each array all elements, broadcast ones too."""
        found: dict[Value, float] = {}
        for value in self._leaves(node):
            size = value.size_bytes if _is_spread(value) else value.touched_bytes
            found[self._root(value)] = max(found.get(self._root(value), 0.0), size)
        return found

    def _spread_out(self, node: Node) -> float:
        """Return what is moved to write out, once, the broadcast arrays that a reduction reads."""
        total = 0.0
        for value in filter(_is_spread, self._leaves(node)):
            key = (self._root(value), value.shape)
            if key not in self._spread:
                self._spread.add(key)
                total += value.touched_bytes + value.size_bytes
        return total

    def _joins_its_reader(self, value: Value, node: Node) -> bool:
        """Whether a reduction runs in the kernel of its only reader, which reads the same array, as in a softmax."""
        if node.primitive not in _MAXIMA:
            return False
        for _ in range(3):  # softmax may bound its maximum from below before it is subtracted
            readers = self._readers.get(value, [])
            if value in self._escaping or len(readers) != 1 or not _is_loop(readers[0]):
                return False
            if self._root(node.inputs[0]) in map(self._root, readers[0].inputs):
                return True
            if readers[0].primitive not in ("max", "min"):
                return False
            value = readers[0].outputs[0]
        return False

    def _copied(self, node: Node) -> float:
        """Return what is moved to lay out the operands of a product, beside reading them and writing the result."""
        total = 0.0
        for side, value in enumerate(node.inputs[:2]):
            order = _order(node, side)
            known = self._orders.setdefault(self._root(value), set())
            if order in known:
                continue
            if not self._is_laid_out(value, order, bool(known)):
                total += self._taken(value) + value.size_bytes
            known.add(order)
        return total

    def _is_laid_out(self, value: Value, order: tuple[object, ...], again: bool) -> bool:
        """Whether an array is in memory as a product takes it: a loop that makes it for products alone writes it so."""
        root = self._root(value)
        maker = self._maker.get(root)
        if maker is None or not _is_loop(maker):
            return not order and value.elements == root.elements
        return not again if self._is_food(root) else not order

    def _taken(self, value: Value) -> float:
        """Return what is read to lay out an array once more: itself, or what it is made from for products alone."""
        root = self._root(value)
        again = root in self._sources and self._is_food(root)
        return sum(self._sources[root].values()) if again else value.touched_bytes

    def _is_food(self, root: Value) -> bool:
        """Whether products alone read an array, so that each has it written as it takes it."""
        readers = self._readers.get(root, [])
        return root not in self._escaping and all(reader.primitive in _PRODUCTS for reader in readers)


def _order(node: Node, side: int) -> tuple[object, ...]:
    """Return the order of axes in which a product takes an operand, () where that is the order in memory."""
    if node.primitive != "dot_general":
        return ()
    contracted, batch = node.parameters["dimension_numbers"]
    value, summed, shared = node.inputs[side], tuple(contracted[side]), tuple(batch[side])
    free = tuple(axis for axis in range(len(value.shape)) if axis not in summed and axis not in shared)
    wanted = (*shared, *free, *summed) if side == 0 else (*shared, *summed, *free)
    flat = not shared and len(value.storage.shape) == 2
    if value.permuted and not flat:
        return ("permuted", *wanted)
    if shared != tuple(range(len(shared))):
        return wanted
    if not shared and side == 0 and summed and free and max(summed) < min(free):
        return wanted  # both operands of a weight's gradient are summed over their rows: one is turned
    return ()


def _is_spread(value: Value) -> bool:
    """Whether a value is an array, no single number, broadcast over more elements."""
    return 1 < value.storage.elements < value.elements


def _is_loop(node: Node) -> bool:
    return node.loop is None and rules.is_fusible(node)
