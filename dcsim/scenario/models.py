"""The shapes of models: one class a family, with all that decides a model's parameters, operations and samples."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from dcsim.scenario.base import Count, Flag, Fraction, PositiveNumber, Value, Whole, wrong

_SMALL_VOCABULARY: Final = 2**16
_SMALL_CLASSES: Final = 2**8

FeedForward = Literal["gelu", "gelu-exact", "relu", "squared-relu", "leaky-relu", "silu", "sigmoid", "tanh", "swiglu"]


class LatentAttention(Value):
    """Multi-head latent attention: queries, and keys with values, pass through a narrow layer (DeepSeek-V2, 2024)."""

    queries: Count = Field(description="width of the compressed queries")
    cached: Count = Field(description="width of the compressed keys and values, which the cache holds")
    plain: Count = Field(description="width of a head's queries and keys without positions")
    rotary: Count = Field(description="width of a head's queries and keys with rotary positions")
    values: Count = Field(description="width of a head's values")


class Decoder(Value):
    """What decoder-only transformers have in common; the defaults are those of GPT-2."""

    layers: Count
    hidden: Count
    heads: Count
    context: Count
    vocabulary: Count
    feed_forward: Count | None = Field(None, description="width of the feed-forward layer; 4 x hidden unless given")
    tied_head: Flag = True
    key_value_heads: Count | None = Field(
        None,
        description="heads of keys and values, each shared by a group of query heads; heads unless given",
    )
    head_width: Count | None = Field(None, description="width of a head; hidden / heads unless given")
    positions: Literal["learned", "rotary", "alibi"] = "learned"
    position_rows: Count | None = Field(None, description="rows of the table of learned positions; context unless set")
    rotary_base: PositiveNumber = Field(10000.0, description="base of the wavelengths of rotary positions")
    rotary_share: Fraction = Field(1.0, description="share of a head's width that rotary positions turn")
    norm: Literal["layer", "rms"] = "layer"
    embedding_norm: Flag = Field(False, description="a norm right after the embedding")
    activation: FeedForward = "gelu"
    bias: Flag = Field(True, description="biases in the dense layers")
    window: Count | None = Field(
        None, description="every other layer, from the first on, attends to this many last tokens only"
    )
    sinks: Flag = Field(False, description="a learned logit a head that takes a share of the attention")
    latent: LatentAttention | None = None

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.head_width is None and self.latent is None and self.hidden % self.heads:
            raise wrong(f"a number that divides hidden, {self.hidden}", found=str(self.heads), at="heads")
        if self.heads % self.groups_of_keys:
            raise wrong(
                f"a number that divides heads, {self.heads}", found=str(self.key_value_heads), at="key_value_heads"
            )
        if self.window is not None and self.layers % 2:
            raise wrong("an even number of layers where every other one has a window", str(self.layers), "layers")
        if (self.position_rows or self.context) < self.context:
            raise wrong(f"at least the context, {self.context}", str(self.position_rows), "position_rows")
        if self.latent is not None and self.positions != "rotary":
            raise wrong(
                "rotary, which latent attention turns a part of its keys by", f'"{self.positions}"', "positions"
            )
        return self

    @property
    def groups_of_keys(self) -> int:
        """Heads of keys and values."""
        return self.key_value_heads or self.heads

    @property
    def width_of_head(self) -> int:
        """Width of a head of queries."""
        return self.head_width or self.hidden // self.heads

    @property
    def inner(self) -> int:
        """Width of the feed-forward layer."""
        return self.feed_forward or 4 * self.hidden

    @property
    def tokens_per_sample(self) -> int:
        """Tokens that a sample holds."""
        return self.context

    @property
    def sample_bytes(self) -> float:
        """Size of one sample as stored [B]: token numbers in 16 bits where they fit, else in 32."""
        return float(self.context * _token_bytes(self.vocabulary))


class TransformerModel(Decoder):
    """A decoder-only transformer; as published for GPT-2 unless told otherwise."""

    family: Literal["transformer"]


class MixtureModel(Decoder):
    """A decoder whose feed-forward layers are mixtures of experts."""

    family: Literal["mixture"]
    experts: Count
    chosen: Count = Field(description="experts that every token goes to")
    expert_feed_forward: Count | None = Field(None, description="width of an expert; feed_forward unless given")
    shared_experts: Annotated[int, Whole(low=0)] = Field(0, description="experts that every token goes to besides")
    dense_layers: Annotated[int, Whole(low=0)] = Field(0, description="first layers that have no experts")
    router: Literal["softmax", "sigmoid"] = "softmax"
    capacity: PositiveNumber = Field(
        1.0, description="tokens an expert takes at most, over its even share; tokens beyond skip the expert"
    )

    @model_validator(mode="after")
    def _experts_fit(self) -> Self:
        if self.chosen > self.experts:
            raise wrong(f"at most the number of experts, {self.experts}", str(self.chosen), "chosen")
        if self.dense_layers >= self.layers or (self.dense_layers and self.window is not None):
            raise wrong(
                f"fewer than layers, {self.layers}, and none with a window", str(self.dense_layers), "dense_layers"
            )
        return self

    @property
    def inner_of_expert(self) -> int:
        """Width of the feed-forward layer of an expert."""
        return self.expert_feed_forward or self.inner


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
        return float(self.inputs + _label_bytes(self.classes))


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
        return float(self.image**2 * self.channels[0] + _label_bytes(self.classes))


def _token_bytes(vocabulary: int) -> int:
    return 2 if vocabulary <= _SMALL_VOCABULARY else 4


def _label_bytes(classes: int) -> int:
    return 1 if classes <= _SMALL_CLASSES else 2


ModelSpec = Annotated[TransformerModel | MixtureModel | MlpModel | CnnModel, Field(discriminator="family")]
FAMILIES: Final = ("transformer", "mixture", "mlp", "cnn")
