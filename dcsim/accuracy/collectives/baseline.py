"""Plainer models of collectives, to see what the detail is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dcsim.accuracy.collectives.case import Case
from dcsim.accuracy.collectives.predict import data_sheet_s, measured_s
from dcsim.catalogue import Shelf

_LEAST = 3  # measurements of a series for a pair


def errors(cases: Sequence[Case], shelf: Shelf, place: Callable[[Case], str]) -> dict[str, dict[str, list[float]]]:
    """Return the errors of times by model and place.

    The data sheet has a fixed start and the line rate. The pair is a latency and a rate fitted to each series of a
    system, collective and number of ranks, on the very measurements that it is scored on.
    """
    timed = [(case, seconds) for case in cases if (seconds := measured_s(case)) is not None]
    found: dict[str, dict[str, list[float]]] = {"data sheet": {}, "latency and rate, in sample": {}}
    for case, seconds in timed:
        sheet = data_sheet_s(case, shelf)
        if sheet is not None:
            found["data sheet"].setdefault(place(case), []).append(sheet / seconds - 1.0)
    series: dict[tuple[str, ...], list[tuple[Case, float]]] = {}
    for case, seconds in timed:
        if case.size_bytes:
            key = (case.text("system", "source"), case.text("collective"), str(case.gpus))
            series.setdefault(key, []).append((case, seconds))
    for members in series.values():
        if len(members) >= _LEAST:
            for (case, _), error in zip(members, _pair([(c.size_bytes or 0.0, s) for c, s in members]), strict=True):
                found["latency and rate, in sample"].setdefault(place(case), []).append(error)
    return {name: _complete(places) for name, places in found.items()}


def _complete(places: dict[str, list[float]]) -> dict[str, list[float]]:
    return {name: places.get(name, []) for name in ("one node, from 1 MiB", "one node, below 1 MiB", "across nodes")}


def _pair(points: Sequence[tuple[float, float]]) -> list[float]:
    """Return the errors of the latency and rate with the least sum of squared relative errors."""
    import numpy as np
    from scipy.optimize import nnls

    sizes, seconds = np.array(points).T
    matrix = np.stack([1.0 / seconds, sizes / seconds], axis=1)
    scale = matrix.max(axis=0)
    solution, _ = nnls(matrix / scale, np.ones(len(seconds)))
    fitted: list[float] = ((matrix / scale) @ solution - 1.0).tolist()
    return fitted
