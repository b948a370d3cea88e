"""The shapes of networks that are no transformers: dense, convolutional, recurrent, recommending."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dcsim.scenario.base import Count, Flag, Quantity, Value, wrong
from dcsim.scenario.transformers import label_bytes, token_bytes

Activation = Literal["relu", "leaky-relu", "sigmoid", "tanh", "gelu", "gelu-exact", "silu"]
Objective = Literal["cross-entropy", "mean-square", "log", "hinge"]
Share = Annotated[float, Quantity("ratio", low=0.0, high=0.99)]


_LEAST_IMAGE = 17  # of a detector: the map of a sixteenth then has two places


class MlpModel(Value):
    """A dense network with an activation between its layers and a classifier, or one number, at the end."""

    family: Literal["mlp"]
    inputs: Count
    hidden: tuple[Count, ...]
    classes: Count
    activation: Activation = "relu"
    objective: Objective = Field("cross-entropy", description="mean-square with one class fits a number")
    dropout: Share = Field(0.0, description="share of the hidden numbers that training zeroes")

    @model_validator(mode="after")
    def _classes_suit(self) -> Self:
        if self.objective == "cross-entropy" and self.classes == 1:
            raise wrong("log or hinge, which one output can serve, or mean-square", '"cross-entropy"', "objective")
        return self

    @property
    def tokens_per_sample(self) -> int:
        """A sample counts as one token."""
        return 1

    @property
    def sample_bytes(self) -> float:
        """Size of one sample as stored [B]: a byte an input, and the label."""
        return float(self.inputs + label_bytes(self.classes))


class CnnModel(Value):
    """A small convolutional classifier: 3x3 convolutions, an activation and 2x2 max-pooling, then one dense layer."""

    family: Literal["cnn"]
    image: Count = Field(description="height and width of the square input [pixel]")
    channels: tuple[Count, ...] = Field(min_length=1, description="input channels, then those of each convolution")
    classes: Count
    activation: Activation = "relu"

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


def loses_border(side: int) -> bool:
    """Return whether a detector's map of ``side`` gets coarser by losing its border, not by halving.

    Liu et al., "SSD: Single Shot MultiBox Detector" (ECCV 2016), figure 2: 19, 10, 5, 3, 1.
    """
    return side in {3, 5}


class DetectorModel(Value):
    """A single-shot detector on VGG-16: it finds boxes on ever coarser maps, the last of one place."""

    family: Literal["detector"]
    image: Count = Field(300, description="height and width of the square input [pixel], at least 17")
    channels: Count = 3
    width: Count = Field(64, description="channels of the first layers; all others are multiples of it")
    convolutions: tuple[Count, ...] = Field(
        (2, 2, 3, 3, 3), min_length=5, max_length=5, description="of each stage; those of VGG-16 unless given"
    )
    classes: Count = Field(91, description="classes, the background included")
    objects: Count = Field(8, description="objects that a stored sample names: COCO has 7.7 an image")

    @model_validator(mode="after")
    def _maps_get_coarser(self) -> Self:
        if self.image < _LEAST_IMAGE:
            raise wrong(f"at least {_LEAST_IMAGE}, so that boxes are found on three maps", str(self.image), "image")
        return self

    @property
    def sides(self) -> tuple[int, ...]:
        """Height and width of the maps, finest first: an eighth of the image, a sixteenth, and so on down to 1."""
        found = [-(-self.image // 8), -(-self.image // 16)]
        while found[-1] > 1:
            found.append(found[-1] - 2 if loses_border(found[-1]) else -(-found[-1] // 2))
        return tuple(found)

    @property
    def anchors_a_place(self) -> tuple[int, ...]:
        """Anchors at every place of each map: of two shapes less on the finest and on the two coarsest."""
        return (4, *(6 for _ in self.sides[3:]), 4, 4)

    @property
    def anchors(self) -> int:
        """Anchors of an image."""
        return sum(side**2 * count for side, count in zip(self.sides, self.anchors_a_place, strict=True))

    @property
    def tokens_per_sample(self) -> int:
        """A sample counts as one token."""
        return 1

    @property
    def sample_bytes(self) -> float:
        """Size of one sample as stored [B]: a byte a pixel and channel; a label and four 16-bit numbers an object."""
        return float(self.image**2 * self.channels + self.objects * (label_bytes(self.classes) + 4 * 2))


class LstmModel(Value):
    """An LSTM network over tokens: it predicts the next one, or the class of a whole text."""

    family: Literal["lstm"]
    vocabulary: Count
    embedding: Count
    hidden: Count
    layers: Count
    context: Count = Field(description="tokens of a sample")
    classes: Count | None = Field(None, description="classes of whole texts; the next token is predicted unless given")
    bidirectional: Flag = False
    dropout: Share = Field(0.0, description="share of what enters a layer that training zeroes")

    @model_validator(mode="after")
    def _looks_back_alone(self) -> Self:
        if self.bidirectional and self.classes is None:
            raise wrong("false where the next token is predicted, which must not be seen", "true", "bidirectional")
        return self

    @property
    def directions(self) -> int:
        """Directions in which every layer reads."""
        return 2 if self.bidirectional else 1

    @property
    def tokens_per_sample(self) -> int:
        """Tokens that a sample holds."""
        return self.context

    @property
    def sample_bytes(self) -> float:
        """Size of one sample as stored [B]: token numbers, and a label where texts are classified."""
        tokens = self.context * token_bytes(self.vocabulary)
        return float(tokens if self.classes is None else tokens + label_bytes(self.classes))


class RecommenderModel(Value):
    """A recommender: numbers through dense layers, categories through tables, products of all pairs, dense layers."""

    family: Literal["recommender"]
    numbers: Count = Field(description="numbers of a sample")
    tables: tuple[Count, ...] = Field(min_length=1, description="rows of the table of every category")
    embedding: Count = Field(description="width of the tables, and of the last dense layer below the products")
    bottom: tuple[Count, ...] = Field(description="widths of the dense layers below the products, but for the last")
    top: tuple[Count, ...] = Field(description="widths of the dense layers above the products, but for the output")

    @property
    def tokens_per_sample(self) -> int:
        """A sample counts as one token."""
        return 1

    @property
    def sample_bytes(self) -> float:
        """Size of one sample as stored [B]: numbers and categories of 32 bits, and the label."""
        return float(4 * (self.numbers + len(self.tables)) + 1)
