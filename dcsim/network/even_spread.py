"""So many connections through a tree that they fill all ways between two switches evenly, but for the dead ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dcsim.network.tree import Floats, Indices, Tree

Mask = NDArray[np.bool_]


def spread(tree: Tree, between: Floats, dead: Mask) -> tuple[Indices, Floats]:
    """Return the links above the edge switches and what is on each.

    What goes from one edge switch to another divides evenly over the ways that have no dead link: that is what very
    many connections come to that draw among the whole ways. What has no whole way left stays on all of them, and
    stalls.

    Parameters
    ----------
    tree
        The wiring.
    between
        What goes from edge switch to edge switch, shape (edges, edges); the diagonal is left out.
    dead
        Which links are dead, shape (links or more,).
    """
    shape, pods = tree.shape, tree.shape.pods
    width, cores = shape.edge_uplinks * (shape.edges > 1), shape.aggregation_uplinks * (pods > 1)
    pod = np.arange(shape.edges) // shape.edges_per_pod
    up, down = (_alive(tree, tier, dead, (shape.edges, width)) for tier in (2, 3))
    core_up, core_down = (_alive(tree, tier, dead, (pods, width, cores)) for tier in (4, 5))
    ways = np.einsum("pjc,qjc->jpq", core_up, core_down)
    ways[:, np.arange(pods), np.arange(pods)] = 1.0  # inside a pod no core is crossed
    between = between * (1.0 - np.eye(shape.edges))
    whole = np.zeros_like(between)
    for j in range(width):
        whole += up[:, j, None] * down[None, :, j] * ways[j][pod][:, pod]
    each = np.divide(between, whole, out=np.zeros_like(between), where=whole > 0.0)
    loads = [np.zeros_like(links) for links in (up, down, core_up, core_down)]
    for j in range(width):
        a_way = each * up[:, j, None] * down[None, :, j]
        through = a_way * ways[j][pod][:, pod]
        loads[0][:, j], loads[1][:, j] = through.sum(axis=1), through.sum(axis=0)
        apart = _by_pod(a_way, shape.edges_per_pod, pods) * (1.0 - np.eye(pods))
        loads[2][:, j] = core_up[:, j] * (apart @ core_down[:, j])
        loads[3][:, j] = core_down[:, j] * (apart.T @ core_up[:, j])
    found = np.arange(tree.starts[2], tree.starts[5] + core_down.size), np.concatenate([x.ravel() for x in loads])
    lost = np.where(whole > 0.0, 0.0, between)
    if lost.any():
        return found[0], found[1] + spread(tree, lost, np.zeros_like(dead))[1]
    return found


def _alive(tree: Tree, tier: int, dead: Mask, shape: tuple[int, ...]) -> Floats:
    start = tree.starts[tier]
    alive: Floats = np.asarray(1.0 - dead[start : start + int(np.prod(shape))].reshape(shape), dtype=np.float64)
    return alive


def _by_pod(matrix: Floats, each: int, pods: int) -> Floats:
    """Return the sums over the edge switches of every pair of pods, shape (pods, pods)."""
    starts = np.arange(pods) * each
    return np.asarray(np.add.reduceat(np.add.reduceat(matrix, starts, axis=0), starts, axis=1))
