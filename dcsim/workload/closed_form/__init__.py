"""The FLOPs of a training step in closed form: what a trace must find, from the shape of the model alone, without JAX.

Products are exact. All else is the sum over the parts of the model of their size times :mod:`.parts`, operations a
number forward and backward in mixed precision of 16 bits; of it what does not grow with the batch, and single numbers
a token or row, are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dcsim.workload.closed_form import convolutional, plain, transformers
from dcsim.workload.closed_form.parts import UPDATE, Flops

if TYPE_CHECKING:
    from dcsim.scenario.models import ModelSpec

__all__ = ["Flops", "training", "update"]

_TRAINING: Mapping[str, Callable[[Any, int], Flops]] = MappingProxyType(
    {
        "transformer": transformers.decoder,
        "mixture": transformers.mixture,
        "encoder": transformers.encoder,
        "vision": transformers.vision,
        "mlp": plain.dense_network,
        "lstm": plain.recurrent,
        "recommender": plain.recommender,
        "cnn": convolutional.classifier,
        "resnet": convolutional.residual,
        "unet": convolutional.segmentation,
        "detector": convolutional.detection,
    }
)


def training(model: ModelSpec, rows: int = 1) -> Flops:
    """Return the FLOPs of forward and backward pass of one sample, in a micro batch of ``rows``.

    A sample of a language model has ``model.tokens_per_sample`` tokens.
    """
    return _TRAINING[model.family](model, rows)


def update(parameters: int) -> float:
    """Return the FLOPs of one update by AdamW, of 16-bit weights with a 32-bit master copy: 18 a parameter."""
    return float(UPDATE * parameters)
