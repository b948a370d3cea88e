"""The shapes of models: one class a family, with all that decides a model's parameters, operations and samples."""

from __future__ import annotations

from typing import Annotated, Final, get_args

from pydantic import Field

from dcsim.scenario.networks import (
    CnnModel,
    DetectorModel,
    LstmModel,
    MlpModel,
    RecommenderModel,
    ResnetModel,
    UnetModel,
)
from dcsim.scenario.transformers import (
    Attending,
    Decoder,
    EncoderModel,
    LatentAttention,
    MixtureModel,
    TransformerModel,
    VisionModel,
)

__all__ = [
    "FAMILIES", "Attending", "CnnModel", "Decoder", "DetectorModel", "EncoderModel", "LatentAttention", "LstmModel",
    "MixtureModel", "MlpModel", "ModelSpec", "RecommenderModel", "ResnetModel", "TransformerModel", "UnetModel",
    "VisionModel",
]  # fmt: skip

_Transformer = TransformerModel | MixtureModel | EncoderModel | VisionModel
_Convolutional = CnnModel | ResnetModel | UnetModel | DetectorModel
_Shape = _Transformer | MlpModel | _Convolutional | LstmModel | RecommenderModel
ModelSpec = Annotated[_Shape, Field(discriminator="family")]
FAMILIES: Final = tuple(get_args(shape.model_fields["family"].annotation)[0] for shape in get_args(_Shape))
