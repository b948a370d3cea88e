"""Ranks as places of a mesh: which of them a collective over some of its axes joins."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from dcsim.workload.operation import Group

Mesh = Sequence[tuple[str, int]]
Ranks = NDArray[np.int64]


def group_size(mesh: Mesh, group: Group) -> int:
    """Return how many ranks take part in each collective."""
    return prod(size for axis, size in mesh if axis in group.axes)


def groups(mesh: Mesh, group: Group) -> Ranks:
    """Return the ranks of every group, shape (groups, ranks of a group), in the order of the group's own axes.

    Ranks are numbered with the last axis of the mesh fastest, as ``jax.make_mesh`` places devices.
    """
    names = [axis for axis, _ in mesh]
    along = [names.index(axis) for axis in group.axes]
    others = [place for place in range(len(names)) if place not in along]
    ranks = np.arange(prod(size for _, size in mesh), dtype=np.int64).reshape([size for _, size in mesh])
    return ranks.transpose([*others, *along]).reshape(-1, group_size(mesh, group))


def sent_factor(mesh: Mesh, group: Group) -> float:
    """Return the bytes that a rank sends over the collective's size, as the mean of all ranks [1].

    An all-reduce is a reduce-scatter and an all-gather; in each of these, and in a direct all-to-all, a rank sends all
    but its own n-th (R. Thakur, R. Rabenseifner, W. Gropp, Int. J. High Perform. Comput. Appl. 19 (2005) 49).
    """
    size = group_size(mesh, group)
    if group.kind == "permute":
        return sum(source != target for source, target in group.pairs) / size
    return (2.0 if group.kind == "all-reduce" else 1.0) * (size - 1) / size
