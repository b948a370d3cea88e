"""The data of executed jobs: samples to train on, by (step, rank) alone, and samples that are held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dcsim.engine.streams import Streams
from dcsim.errors import InputError
from dcsim.scenario.datasets import NAMES, TABLES, mismatch

if TYPE_CHECKING:
    from dcsim.scenario.models import ModelSpec

Tokens = NDArray[np.uint8]
Indices = NDArray[np.int64]
Batch = dict[str, NDArray[Any]]
_WINDOWS = 64  # held-out windows of a text, evenly spaced


class Source(Protocol):
    """A data set: ``places`` where training samples begin, and held-out samples."""

    places: int

    @property
    def size_bytes(self) -> int:
        """Size of the whole data set [B]."""

    def samples(self, places: Indices) -> Batch:
        """Return the training samples at ``places``."""

    def held_out(self) -> Batch:
        """Return the samples that no one trains on, none if nothing is held out."""

    def sorted_places(self) -> Indices:
        """Return all places, those of one class together."""


class Text:
    """A text as windows of ``context`` tokens and the tokens that follow; its end is held out."""

    def __init__(self, tokens: Tokens, context: int, held_out: float) -> None:
        self._tokens, self._context = tokens, context
        self._kept = len(tokens) - round(held_out * len(tokens))
        self.places = self._kept - context

    @property
    def size_bytes(self) -> int:
        """Size of the whole text [B]."""
        return self._tokens.nbytes

    def samples(self, places: Indices) -> Batch:
        """Return windows that begin at ``places``: inputs and the tokens that follow, shape (samples, context)."""
        windows = self._tokens[places[:, None] + np.arange(self._context + 1)].astype(np.int32)
        return {"inputs": windows[:, :-1], "labels": windows[:, 1:]}

    def sorted_places(self) -> Indices:
        """Return all places in the order of the text, in which topics stand together."""
        return np.arange(self.places, dtype=np.int64)

    def held_out(self) -> Batch:
        """Return windows spread evenly over the end of the text."""
        room = len(self._tokens) - self._context - self._kept
        count = min(_WINDOWS, max(0, room))
        return self.samples(self._kept + np.arange(count, dtype=np.int64) * max(1, room // max(1, count)))


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

    def samples(self, places: Indices) -> Batch:
        """Return the training samples number ``places``."""
        return self._batch(self._train[places])

    def sorted_places(self) -> Indices:
        """Return all places in the order of their labels."""
        return np.asarray(np.argsort(self._labels[self._train], kind="stable"), np.int64)

    def held_out(self) -> Batch:
        """Return the samples that no one trains on."""
        return self._batch(self._apart)

    def _batch(self, rows: Indices) -> Batch:
        return {"inputs": self._inputs[rows], "labels": self._labels[rows]}


class Shards:
    """What each rank trains on in each step: samples at random places, drawn with replacement by (step, rank) alone.

    ``parts`` are the places of each rank where ranks have data of their own; otherwise all draw from everything.
    """

    def __init__(self, source: Source, streams: Streams, name: str, parts: Sequence[Indices] | None = None) -> None:
        self._source, self._streams, self._name, self._parts = source, streams, name, parts

    def batch(self, step: int, rank: int, samples: int) -> Batch:
        """Return the ``samples`` samples of ``rank`` in ``step``."""
        draws = self._streams.generator("data", self._name, step, rank)
        if self._parts is None:
            return self._source.samples(draws.integers(self._source.places, size=samples))
        own = self._parts[rank]
        return self._source.samples(own[draws.integers(len(own), size=samples)])


def cut(order: Indices, shares: Sequence[float]) -> list[Indices]:
    """Cut ``order`` into parts of the ``shares`` of it.

    Raises
    ------
    InputError
        If a part would be empty.
    """
    stops = np.rint(np.cumsum(shares) * len(order)).astype(np.int64)
    parts = np.split(order, stops[:-1])
    if min(len(part) for part in parts) == 0:
        raise InputError(f"found a client without a sample, expected a larger share of the {len(order)} samples")
    return parts


def source(name: str, model: ModelSpec, held_out: float, draws: np.random.Generator) -> Source:
    """Return the data set ``name`` as ``model`` takes it, the share ``held_out`` of it apart, by ``draws``.

    "python-docs" are the documentation topics in the standard library's ``pydoc_data.topics``, in the order of their
    names, one token a character; characters outside ASCII are left out. The text differs between Python versions.
    The others are the toy data sets of scikit-learn.

    Raises
    ------
    InputError
        If there is no such data set, scikit-learn is not there, or the model cannot learn from the data.
    """
    if name not in NAMES:
        raise InputError(f'found the data set "{name}", expected one of {", ".join(NAMES)}')
    wanting = mismatch(name, model)
    if wanting is not None:
        raise InputError(f"found a model with {wanting.at} {wanting.found}, expected {wanting.expected}")
    if name in TABLES:
        return _rows(name, model, held_out, draws)
    return Text(_topics(), model.context, held_out)  # type: ignore[union-attr]


def _topics() -> Tokens:
    from pydoc_data.topics import topics

    text = "\n".join(topics[topic] for topic in sorted(topics))
    return np.frombuffer(text.encode("ascii", "ignore"), dtype=np.uint8)


def _rows(name: str, model: ModelSpec, held_out: float, draws: np.random.Generator) -> Rows:
    """Read a table of scikit-learn; which rows are held out follows from ``draws``."""
    try:
        from sklearn import datasets
    except ImportError as error:
        raise InputError(f'the data set "{name}" needs scikit-learn: python -m pip install "dcsim[data]"') from error
    table = getattr(datasets, f"load_{name.replace('-', '_')}")()
    from dcsim.workload.models import family

    expected = family(model).batch(model, len(table.target))
    inputs = np.asarray(table.data, np.float32).reshape(expected["inputs"].shape)
    labels = np.asarray(table.target)
    if expected["labels"].dtype.kind != labels.dtype.kind:
        kinds = {"f": "predicts numbers", "i": "tells classes apart"}
        raise InputError(
            f"found a model that {kinds[expected['labels'].dtype.kind]}, expected one that {kinds[labels.dtype.kind]}: "
            f'the labels of "{name}" are such'
        )
    labels = labels.astype(expected["labels"].dtype).reshape(expected["labels"].shape)
    return Rows(inputs, labels, draws.permutation(len(labels))[: round(held_out * len(labels))])


def _scaled(values: NDArray[Any], trained: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return float32 ``values`` of mean 0 and deviation 1, each feature over the samples ``trained`` on; a feature
    that never changes among them is 0.
    """
    wide = values.astype(np.float64)
    mean, deviation = wide[trained].mean(axis=0), wide[trained].std(axis=0)
    constant = deviation == 0.0
    scaled = np.where(constant, 0.0, (wide - mean) / np.where(constant, 1.0, deviation))
    return np.asarray(scaled, np.float32)
