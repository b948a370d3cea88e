"""The data sets on which jobs really train: what can be had without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dcsim.errors import InputError
from dcsim.scenario.datasets import NAMES, TABLES, mismatch
from dcsim.workload.datasets.base import Batch, Indices, Source

if TYPE_CHECKING:
    from dcsim.scenario.models import ModelSpec

__all__ = ["Batch", "Indices", "Source", "source"]


def source(name: str, model: ModelSpec, held_out: float, draws: np.random.Generator) -> Source:
    """Return the data set ``name`` as ``model`` takes it, the share ``held_out`` of it apart, by ``draws``.

    "python-docs" are the documentation topics in the standard library's ``pydoc_data.topics``, in the order of their
    names, one token a character; characters outside ASCII are left out. "python-topics" are windows of the longest of
    them, to be told apart. The text differs between Python versions. "clicks" are made up by a stated rule, and
    "digit-scenes" composed of the digits of scikit-learn; the others are its toy data sets.

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
        from dcsim.workload.datasets import tables

        return tables.table(name, model, held_out, draws)
    if name == "digit-scenes":
        from dcsim.workload.datasets import scenes

        return scenes.scenes(model, held_out, draws)
    if name == "clicks":
        from dcsim.workload.datasets import clicks

        return clicks.clicks(model, held_out, draws)
    from dcsim.workload.datasets import texts

    return texts.text(name, model, held_out, draws)
