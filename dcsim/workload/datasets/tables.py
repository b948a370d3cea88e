"""The toy data sets of scikit-learn, as rows of numbers or as images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dcsim.errors import InputError
from dcsim.workload.datasets.base import Batch, Indices

if TYPE_CHECKING:
    from dcsim.scenario.models import ModelSpec


class Rows:
    """A table of samples, scaled by the mean and deviation of those trained on, in the shape that the model takes."""

    def __init__(self, inputs: NDArray[Any], labels: NDArray[Any], held_out: Indices) -> None:
        apart = np.zeros(len(inputs), dtype=bool)
        apart[held_out] = True
        self.size_bytes = int(inputs.nbytes + labels.nbytes)
        self._inputs, self._labels = _scaled(inputs, ~apart), labels
        if labels.dtype.kind == "f":
            self._labels = _scaled(labels, ~apart)
        self._train, self._apart = np.flatnonzero(~apart), np.flatnonzero(apart)
        self.places = len(self._train)

    def samples(self, places: Indices, draws: np.random.Generator | None = None) -> Batch:
        """Return the training samples number ``places``."""
        del draws
        return self._batch(self._train[places])

    def sorted_places(self) -> Indices:
        """Return all places in the order of their labels."""
        return np.asarray(np.argsort(self._labels[self._train], kind="stable"), np.int64)

    def held_out(self) -> Batch:
        """Return the samples that no one trains on."""
        return self._batch(self._apart)

    def _batch(self, rows: Indices) -> Batch:
        return {"inputs": self._inputs[rows], "labels": self._labels[rows]}


def table(name: str, model: ModelSpec, held_out: float, draws: np.random.Generator) -> Rows:
    """Return a table of scikit-learn; which rows are held out follows from ``draws``.

    Raises
    ------
    InputError
        If scikit-learn is not there, or the model predicts what the table does not have.
    """
    found = load(name)
    from dcsim.workload.models import family

    expected = family(model).batch(model, len(found.target))
    inputs = np.asarray(found.data, np.float32).reshape(expected["inputs"].shape)
    labels = np.asarray(found.target)
    if expected["labels"].dtype.kind != labels.dtype.kind:
        kinds = {"f": "predicts numbers", "i": "tells classes apart"}
        raise InputError(
            f"found a model that {kinds[expected['labels'].dtype.kind]}, expected one that {kinds[labels.dtype.kind]}: "
            f'the labels of "{name}" are such'
        )
    labels = labels.astype(expected["labels"].dtype).reshape(expected["labels"].shape)
    return Rows(inputs, labels, draws.permutation(len(labels))[: round(held_out * len(labels))])


def load(name: str) -> Any:
    """Return a data set of scikit-learn as it comes.

    Raises
    ------
    InputError
        If scikit-learn is not there.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise InputError(f'the data set "{name}" needs scikit-learn: python -m pip install "dcsim[data]"') from error
    return getattr(datasets, f"load_{name.replace('-', '_')}")()


def _scaled(values: NDArray[Any], trained: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return float32 ``values`` of mean 0 and deviation 1, each feature over the samples ``trained`` on; a feature
    that never changes among them is 0.
    """
    wide = values.astype(np.float64)
    mean, deviation = wide[trained].mean(axis=0), wide[trained].std(axis=0)
    constant = deviation == 0.0
    scaled = np.where(constant, 0.0, (wide - mean) / np.where(constant, 1.0, deviation))
    return np.asarray(scaled, np.float32)
