"""From the model of a scenario to its shape as numbers."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from dcsim.parallel.shape import Shape
from dcsim.scenario.transformers import Decoder, MixtureModel

_UNLIMITED = 1e12


def shape_of(spec: Decoder) -> Shape:
    """Return the shape of a decoder, every field of shape (1,)."""
    latent = spec.latent
    width = latent.plain + latent.rotary if latent else spec.width_of_head
    numbers = {
        "layers": spec.layers,
        "hidden": spec.hidden,
        "heads": spec.heads,
        "groups": spec.groups_of_keys,
        "width": width,
        "value_width": latent.values if latent else spec.width_of_head,
        "query_rank": latent.queries if latent else 0,
        "key_rank": latent.cached if latent else 0,
        "rotary_width": latent.rotary if latent else 0,
        "ffn": spec.inner,
        "gated": 1 if spec.activation == "swiglu" else 0,
        "vocabulary": spec.vocabulary,
        "sequence": spec.context,
        "window": spec.window or _UNLIMITED,
        "windowed": 0.5 if spec.window else 0.0,
        "causal": 1,
        "scored": 1,
        "sinks": float(spec.sinks),
        "tied": float(spec.tied_head),
        **_experts(spec),
    }
    return Shape(**{field.name: np.array([float(numbers.get(field.name, 0.0))]) for field in fields(Shape)})


def _experts(spec: Decoder) -> dict[str, float]:
    if not isinstance(spec, MixtureModel):
        return {}
    return {
        "experts": spec.experts,
        "chosen": spec.chosen,
        "expert_ffn": spec.inner_of_expert,
        "shared_ffn": spec.shared_experts * spec.inner_of_expert,
        "dense_layers": spec.dense_layers,
    }
