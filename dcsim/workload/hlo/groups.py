"""Who takes part in a collective, in the four spellings that XLA's text has for it.

``{{0,4},{1,5}}`` lists the groups; ``[4,2]<=[2,4]T(1,0)`` numbers all devices over the sizes on its right, transposes
them and cuts them into groups; ``mesh['a'=2,'b'=4] {'b'}`` groups devices that differ along the named axes of a mesh;
``{}`` is one group of all.
"""

from __future__ import annotations

import re
from math import prod

import numpy as np

from dcsim.workload.hlo.scanner import SyntaxProblem

Groups = tuple[tuple[int, ...], ...]

_LISTED = re.compile(r"^\{(\{[\d,\s]*\}(,\s*\{[\d,\s]*\})*)\}$")
_IOTA = re.compile(r"^\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?$")
_MESH = re.compile(r"^(?:@?[\w.]*mesh[\w.]*)\[((?:'[^']*'=\d+,?\s*)*)\]\s*\{((?:'[^']*',?\s*)*)\}$")
_AXIS = re.compile(r"'([^']*)'=(\d+)")
_EXPECTED = "one of {{0,4},{1,5}}, [4,2]<=[2,4]T(1,0), mesh['a'=2,'b'=4] {'b'} and {}"


def groups(text: str, devices: int) -> Groups:
    """Return the groups of devices that ``text`` describes; there are ``devices`` in all.

    Raises
    ------
    SyntaxProblem
        For any other spelling, or one that does not fit the number of devices.
    """
    if text.replace(" ", "") in ("{}", "{{}}"):
        return (tuple(range(devices)),)
    if _LISTED.match(text) is not None:
        found = re.findall(r"\{([\d,\s]*)\}", text[1:-1])
        return tuple(_numbers(group) for group in found)
    iota = _IOTA.match(text)
    if iota is not None:
        return _cut(text, _numbers(iota[1]), _numbers(iota[2]), _numbers(iota[3] or ""))
    mesh = _MESH.match(text)
    if mesh is not None:
        return _along(text, [(name, int(size)) for name, size in _AXIS.findall(mesh[1])], mesh[2])
    raise SyntaxProblem(f'the replica groups "{text[:80]}"', _EXPECTED)


def pairs(text: str) -> tuple[tuple[int, int], ...]:
    """Return the (from, to) devices of a permutation.

    Raises
    ------
    SyntaxProblem
        If it is no list of pairs.
    """
    found = groups(text, 0) if text != "{}" else ()
    if any(len(pair) != 2 for pair in found):
        raise SyntaxProblem(f'the pairs "{text[:80]}"', "pairs of devices: {{0,1},{1,0}}")
    return tuple((source, target) for source, target in found)


def _cut(text: str, shape: tuple[int, ...], sizes: tuple[int, ...], axes: tuple[int, ...]) -> Groups:
    order = axes or tuple(range(len(sizes)))
    if len(shape) != 2 or prod(shape) != prod(sizes) or sorted(order) != list(range(len(sizes))):
        raise SyntaxProblem(f'the replica groups "{text[:80]}"', "[groups,size]<=[sizes]T(axes) with equal products")
    numbered = np.arange(prod(sizes)).reshape(sizes).transpose(order).reshape(shape)
    return tuple(tuple(int(device) for device in row) for row in numbered)


def _along(text: str, axes: list[tuple[str, int]], named: str) -> Groups:
    names = [name for name, _ in axes]
    chosen = re.findall(r"'([^']*)'", named)
    if not axes or any(name not in names for name in chosen):
        raise SyntaxProblem(f'the replica groups "{text[:80]}"', f"axes of the mesh: {', '.join(names)}")
    sizes = [size for _, size in axes]
    inner = [names.index(name) for name in chosen]
    outer = [index for index in range(len(axes)) if index not in inner]
    numbered = np.arange(prod(sizes)).reshape(sizes).transpose(*outer, *inner)
    rows = numbered.reshape(-1, prod(sizes[index] for index in inner))
    return tuple(tuple(int(device) for device in row) for row in rows)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(piece) for piece in text.replace(" ", "").split(",") if piece)
