"""The shapes of dense and convolutional networks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dcsim.scenario.base import Count, Value
from dcsim.scenario.transformers import label_bytes


class MlpModel(Value):
    """A dense network with ReLU between its layers and a softmax classifier at the end."""

    family: Literal["mlp"]
    inputs: Count
    hidden: tuple[Count, ...]
    classes: Count

    @property
    def tokens_per_sample(self) -> int:
        """A sample counts as one token."""
        return 1

    @property
    def sample_bytes(self) -> float:
        """Size of one sample as stored [B]: a byte an input, and the label."""
        return float(self.inputs + label_bytes(self.classes))


class CnnModel(Value):
    """A small convolutional classifier: 3x3 convolutions with ReLU and 2x2 max-pooling, then one dense layer."""

    family: Literal["cnn"]
    image: Count = Field(description="height and width of the square input [pixel]")
    channels: tuple[Count, ...] = Field(min_length=1, description="input channels, then those of each convolution")
    classes: Count

    @property
    def tokens_per_sample(self) -> int:
        """A sample counts as one token."""
        return 1

    @property
    def sample_bytes(self) -> float:
        """Size of one sample as stored [B]: a byte a pixel and channel, and the label."""
        return float(self.image**2 * self.channels[0] + label_bytes(self.classes))
