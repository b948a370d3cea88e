"""The shapes of HLO: arrays, tuples of them, and what has no bytes, such as tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType

from dcsim.workload.hlo.scanner import SyntaxProblem, end_of, split

_ARRAY = re.compile(r"([a-z][a-z0-9]*)\[([^\]]*)\]")
_WIDTHS: Mapping[str, float] = MappingProxyType(
    {"pred": 1, "token": 0, "opaque": 0, "tuple": 0, "s1": 0.125, "u1": 0.125, "s2": 0.25, "u2": 0.25, "s4": 0.5}
    | {"u4": 0.5, "f4e2m1fn": 0.5, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "f16": 2, "bf16": 2, "s32": 4, "u32": 4}
    | {"f32": 4, "s64": 8, "u64": 8, "f64": 8, "c64": 8, "c128": 16}
)
_NAMES: Mapping[str, str] = MappingProxyType(
    {"f64": "fp64", "f32": "fp32", "bf16": "bf16", "f16": "fp16", "pred": "bool", "c64": "complex64"}
    | {"c128": "complex128", "f4e2m1fn": "fp4"}
)


@dataclass(frozen=True, slots=True)
class Shape:
    """An array, or with ``parts`` a tuple; ``dtype`` is the catalogue's name of its number format."""

    dtype: str
    sizes: tuple[int, ...]
    width_bytes: float
    parts: tuple[Shape, ...] = ()

    @property
    def elements(self) -> int:
        """Elements of an array; of a tuple those of all its arrays."""
        return sum(part.elements for part in self.parts) if self.parts else prod(self.sizes)

    @property
    def size_bytes(self) -> float:
        """Bytes of an array; of a tuple those of all its arrays [B]."""
        return sum(part.size_bytes for part in self.parts) if self.parts else self.width_bytes * prod(self.sizes)

    def leaves(self) -> Iterator[Shape]:
        """Yield the arrays of a tuple, or the array itself."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()


def shape_at(text: str, start: int) -> tuple[Shape, int]:
    """Return the shape that begins at ``start``, and the position after it and its layout.

    Raises
    ------
    SyntaxProblem
        If it is none, or of an unknown number format.
    """
    if text[start : start + 1] == "(":
        end = end_of(text, start)
        parts = tuple(shape_at(piece, 0)[0] for piece in split(text[start + 1 : end - 1]))
        return Shape("tuple", (), 0.0, parts), end
    found = _ARRAY.match(text, start)
    if found is None:
        raise SyntaxProblem(f'"{text[start : start + 40]}"', 'a shape such as "f32[8,16]{1,0}"')
    end = found.end()
    if text[end : end + 1] == "{":
        end = end_of(text, end)
    dtype = found[1]
    sizes = tuple(_size(size) for size in found[2].split(",")) if found[2] else ()
    return Shape(_NAMES.get(dtype, "fp8" if dtype.startswith("f8") else dtype), sizes, _width(dtype)), end


def _size(text: str) -> int:
    """Return a size; one that is only bounded, "<=8", counts as its bound."""
    digits = text.strip().removeprefix("<=")
    if not digits.isdigit():
        raise SyntaxProblem(f'the size "{text}"', "a whole number, or one that bounds it: <=8")
    return int(digits)


def _width(dtype: str) -> float:
    if dtype.startswith("f8"):
        return 1.0
    if dtype not in _WIDTHS:
        raise SyntaxProblem(f'the number format "{dtype}"', f"one of f8..., {', '.join(sorted(_WIDTHS))}")
    return float(_WIDTHS[dtype])
