"""The data loader: how many bytes a sample takes on disk, and how long a step waits for its samples."""

from __future__ import annotations

from dcsim.scenario.workload import CnnModel, MlpModel, ModelSpec, TransformerModel

_LABEL_BYTES = 1.0
_SMALL_VOCABULARY = 2**16


def sample_bytes(model: ModelSpec, stated_bytes: float | None = None) -> float:
    """Return the bytes read from storage a sample [B]; ``stated_bytes``, the scenario's, goes before.

    Text is stored as token numbers, two bytes each up to 65,536 words and four beyond, one token more than the context
    for the shifted targets; an image as a byte a pixel and channel with a one-byte label, as in MNIST's files.
    """
    if stated_bytes is not None:
        return stated_bytes
    match model:
        case TransformerModel():
            return (model.context + 1) * (2.0 if model.vocabulary <= _SMALL_VOCABULARY else 4.0)
        case MlpModel():
            return model.inputs + _LABEL_BYTES
        case CnnModel():
            return model.image**2 * model.channels[0] + _LABEL_BYTES
        case _:
            return model.sample_bytes


def data_stall(step_s: float, read_s: float) -> float:
    """Return how long a step waits for samples that are fetched while the step before it runs [s]."""
    return max(0.0, read_s - step_s)
