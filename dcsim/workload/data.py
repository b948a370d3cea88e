"""The data of executed jobs: text that every Python carries, cut into samples by (step, rank) alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcsim.engine.streams import Streams
from dcsim.errors import InputError

if TYPE_CHECKING:
    from dcsim.scenario.workload import ModelSpec

Tokens = NDArray[np.uint8]
Batch = dict[str, NDArray[np.int32]]
_ASCII = 128


def load(name: str) -> Tokens:
    """Return the tokens of the data set ``name``, shape (tokens,).

    "python-docs" are the documentation topics in the standard library's ``pydoc_data.topics``, in the order of their
    names, one token a character; characters outside ASCII are left out. The text differs between Python versions.

    Raises
    ------
    InputError
        If there is no data set of that name.
    """
    if name != "python-docs":
        raise InputError(f'found the data set "{name}", expected "python-docs"')
    from pydoc_data.topics import topics

    text = "\n".join(topics[topic] for topic in sorted(topics))
    return np.frombuffer(text.encode("ascii", "ignore"), dtype=np.uint8)


def check(name: str, model: ModelSpec) -> int:
    """Return the context length of a ``model`` that can learn from the data set ``name``, else raise InputError."""
    if model.family != "transformer":
        raise InputError(f'found a model of the family "{model.family}", expected a transformer for the text "{name}"')
    if model.vocabulary < _ASCII:
        raise InputError(f'found a vocabulary of {model.vocabulary}, expected at least {_ASCII} for the text "{name}"')
    return model.context


class Shards:
    """What each rank trains on in each step: samples at random places, drawn by (step, rank) alone."""

    def __init__(self, tokens: Tokens, context: int, streams: Streams, name: str) -> None:
        self._tokens, self._context, self._streams, self._name = tokens, context, streams, name

    @property
    def size_bytes(self) -> int:
        """Size of the whole data set [B]."""
        return self._tokens.nbytes

    def batch(self, step: int, rank: int, samples: int) -> Batch:
        """Return the samples of ``rank`` in ``step``: inputs and the tokens that follow, shape (samples, context)."""
        places = self._streams.generator("data", self._name, step, rank).integers(
            len(self._tokens) - self._context, size=samples
        )
        windows = self._tokens[places[:, None] + np.arange(self._context + 1)].astype(np.int32)
        return {"inputs": windows[:, :-1], "labels": windows[:, 1:]}
