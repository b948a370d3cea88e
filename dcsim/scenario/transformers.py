"""The shapes of transformers: decoders, mixtures of experts, encoders and vision transformers."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from dcsim.scenario.base import Count, Flag, Fraction, PositiveNumber, Value, Whole, wrong

_SMALL_VOCABULARY: Final = 2**16
_SMALL_CLASSES: Final = 2**8

FeedForward = Literal["gelu", "gelu-exact", "relu", "squared-relu", "leaky-relu", "silu", "sigmoid", "tanh", "swiglu"]
Positions = Literal["learned", "rotary", "alibi"]


class LatentAttention(Value):
    """Multi-head latent attention: queries, and keys with values, pass through a narrow layer (DeepSeek-V2, 2024)."""

    queries: Count = Field(description="width of the compressed queries")
    cached: Count = Field(description="width of the compressed keys and values, which the cache holds")
    plain: Count = Field(description="width of a head's queries and keys without positions")
    rotary: Count = Field(description="width of a head's queries and keys with rotary positions")
    values: Count = Field(description="width of a head's values")


class Attending(Value):
    """What all transformers have in common: equal layers of attention and a feed-forward layer."""

    layers: Count
    hidden: Count
    heads: Count
    feed_forward: Count | None = Field(None, description="width of the feed-forward layer; 4 x hidden unless given")
    key_value_heads: Count | None = Field(
        None, description="heads of keys and values, each shared by a group of query heads; heads unless given"
    )
    head_width: Count | None = Field(None, description="width of a head; hidden / heads unless given")
    positions: Positions = "learned"
    rotary_base: PositiveNumber = Field(10000.0, description="base of the wavelengths of rotary positions")
    rotary_share: Fraction = Field(1.0, description="share of a head's width that rotary positions turn")
    norm: Literal["layer", "rms"] = "layer"
    activation: FeedForward = "gelu"
    bias: Flag = Field(True, description="biases in the dense layers")
    latent: LatentAttention | None = None
    dropout: Fraction = Field(0.0, description="share of what a layer adds to the stream that training zeroes")

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.head_width is None and self.latent is None and self.hidden % self.heads:
            raise wrong(f"a number that divides hidden, {self.hidden}", found=str(self.heads), at="heads")
        if self.heads % self.groups_of_keys:
            raise wrong(
                f"a number that divides heads, {self.heads}", found=str(self.key_value_heads), at="key_value_heads"
            )
        if self.latent is not None and self.positions != "rotary":
            raise wrong("rotary, by which latent attention turns keys", f'"{self.positions}"', "positions")
        if self.dropout == 1.0:
            raise wrong("a share below 1, so that something is left to learn from", "1", "dropout")
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
    def causal(self) -> bool:
        """Whether a token sees those before it alone."""
        return False


class Decoder(Attending):
    """What decoder-only transformers have in common; the defaults are those of GPT-2."""

    context: Count
    vocabulary: Count
    tied_head: Flag = True
    position_rows: Count | None = Field(None, description="rows of the table of learned positions; context unless set")
    embedding_norm: Flag = Field(False, description="a norm right after the embedding")
    window: Count | None = Field(
        None, description="every other layer, from the first on, attends to this many last tokens only"
    )
    sinks: Flag = Field(False, description="a learned logit a head that takes a share of the attention")

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.window is not None and self.layers % 2:
            raise wrong("an even number of layers where every other one has a window", str(self.layers), "layers")
        if (self.position_rows or self.context) < self.context:
            raise wrong(f"at least the context, {self.context}", str(self.position_rows), "position_rows")
        return self

    @property
    def causal(self) -> bool:
        """Whether a token sees those before it alone."""
        return True

    @property
    def tokens_per_sample(self) -> int:
        """Tokens that a sample holds."""
        return self.context

    @property
    def sample_bytes(self) -> float:
        """Size of one sample as stored [B]: token numbers in 16 bits where they fit, else in 32."""
        return float(self.context * token_bytes(self.vocabulary))


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
            rule = f"fewer than layers, {self.layers}, and none with a window"
            raise wrong(rule, str(self.dense_layers), "dense_layers")
        return self

    @property
    def inner_of_expert(self) -> int:
        """Width of the feed-forward layer of an expert."""
        return self.expert_feed_forward or self.inner


class EncoderModel(Attending):
    """An encoder with the tasks of BERT's pre-training: masked tokens, and whether a segment follows another."""

    family: Literal["encoder"]
    context: Count
    vocabulary: Count
    segments: Count = 2
    masked: Count = Field(description="tokens of a sample that are hidden and predicted")
    tied_head: Flag = True
    norm_place: Literal["after", "before"] = Field("after", description="after the addition as in BERT, or before")
    activation: FeedForward = "gelu-exact"

    @model_validator(mode="after")
    def _masked_are_there(self) -> Self:
        if self.masked > self.context:
            raise wrong(f"at most the context, {self.context}", str(self.masked), "masked")
        return self

    @property
    def tokens_per_sample(self) -> int:
        """Tokens that a sample holds."""
        return self.context

    @property
    def sample_bytes(self) -> float:
        """Size of one sample as stored [B]: tokens and their segments; places and tokens that are hidden; one label."""
        token = token_bytes(self.vocabulary)
        return float(self.context * (token + 1) + self.masked * (token + 2) + 1)


class VisionModel(Attending):
    """A vision transformer: patches of an image and a class token through an encoder."""

    family: Literal["vision"]
    image: Count = Field(description="height and width of the square input [pixel]")
    patch: Count = Field(description="height and width of a patch [pixel]")
    channels: Count = 3
    classes: Count = 1000
    activation: FeedForward = "gelu-exact"

    @model_validator(mode="after")
    def _patches_fill_the_image(self) -> Self:
        if self.image % self.patch:
            raise wrong(f"a number that divides image, {self.image}", str(self.patch), "patch")
        return self

    @property
    def context(self) -> int:
        """Patches, and the class token."""
        return (self.image // self.patch) ** 2 + 1

    @property
    def tokens_per_sample(self) -> int:
        """An image counts as one token."""
        return 1

    @property
    def sample_bytes(self) -> float:
        """Size of one sample as stored [B]: a byte a pixel and channel, and the label."""
        return float(self.image**2 * self.channels + label_bytes(self.classes))


def token_bytes(vocabulary: int) -> int:
    """Return the bytes of one token's number as stored."""
    return 2 if vocabulary <= _SMALL_VOCABULARY else 4


def label_bytes(classes: int) -> int:
    """Return the bytes of one label as stored."""
    return 1 if classes <= _SMALL_CLASSES else 2
