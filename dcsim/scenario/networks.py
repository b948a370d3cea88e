"""The shapes of networks that are no transformers: dense, convolutional, recurrent, recommending."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from dcsim.scenario.base import Count, Flag, Value, wrong
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


class ResnetModel(Value):
    """A residual network for classification, with batch norm."""

    family: Literal["resnet"]
    image: Count = Field(description="height and width of the square input [pixel]")
    channels: Count = 3
    width: Count = Field(64, description="channels of the first stage; they double from stage to stage")
    blocks: tuple[Count, ...] = Field(min_length=1, description="blocks of every stage")
    bottleneck: Flag = Field(False, description="blocks of three convolutions that widen four times, not of two")
    classes: Count = 1000

    @property
    def tokens_per_sample(self) -> int:
        """A sample counts as one token."""
        return 1

    @property
    def sample_bytes(self) -> float:
        """Size of one sample as stored [B]: a byte a pixel and channel, and the label."""
        return float(self.image**2 * self.channels + label_bytes(self.classes))


class UnetModel(Value):
    """A U-Net for segmentation, with batch norm and convolutions that keep the size of the image."""

    family: Literal["unet"]
    image: Count = Field(description="height and width of the square input [pixel]")
    channels: Count = 3
    width: Count = Field(64, description="channels of the first level; they double from level to level")
    depth: Count = Field(4, description="levels below the first, each of half the height and width")
    classes: Count = 2

    @model_validator(mode="after")
    def _levels_divide_the_image(self) -> Self:
        if self.image % 2**self.depth:
            raise wrong(f"a multiple of 2^depth, {2**self.depth}", str(self.image), "image")
        return self

    @property
    def tokens_per_sample(self) -> int:
        """A sample counts as one token."""
        return 1

    @property
    def sample_bytes(self) -> float:
        """Size of one sample as stored [B]: a byte a pixel and channel, and a label a pixel."""
        return float(self.image**2 * (self.channels + label_bytes(self.classes)))


class DetectorModel(Value):
    """A single-shot detector on VGG-16 for images of 300 pixels."""

    family: Literal["detector"]
    channels: Count = 3
    width: Count = Field(64, description="channels of the first layers; all others are multiples of it")
    classes: Count = Field(91, description="classes, the background included")
    objects: Count = Field(8, description="objects that a stored sample names: COCO has 7.7 an image")

    @property
    def image(self) -> int:
        """Height and width of the square input [pixel]."""
        return 300

    @property
    def tokens_per_sample(self) -> int:
        """A sample counts as one token."""
        return 1

    @property
    def sample_bytes(self) -> float:
        """Size of one sample as stored [B]: a byte a pixel and channel; a label and four 16-bit numbers an object."""
        return float(self.image**2 * self.channels + self.objects * (label_bytes(self.classes) + 4 * 2))
