"""The jobs of a scenario: which model, how it is split, how long it runs, what it writes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from dcsim import units
from dcsim.scenario.base import DataSize, Duration, Fraction, PositiveDuration, Value
from dcsim.scenario.names import Name

Precision = Literal["fp32", "bf16", "fp16"]


class TransformerModel(Value):
    """A decoder-only transformer as published for GPT-2: learned positions, layer norm, GELU, tied head."""

    family: Literal["transformer"]
    layers: PositiveInt
    hidden: PositiveInt
    heads: PositiveInt
    context: PositiveInt
    vocabulary: PositiveInt
    feed_forward: PositiveInt | None = Field(
        None, description="width of the feed-forward layer; 4 x hidden unless given"
    )
    tied_head: bool = True


class MlpModel(Value):
    """A dense network with ReLU between its layers and a softmax classifier at the end."""

    family: Literal["mlp"]
    inputs: PositiveInt
    hidden: tuple[PositiveInt, ...]
    classes: PositiveInt


class CnnModel(Value):
    """A small convolutional classifier: 3x3 convolutions with ReLU and 2x2 max-pooling, then one dense layer."""

    family: Literal["cnn"]
    image: PositiveInt = Field(description="height and width of the square input [pixel]")
    channels: tuple[PositiveInt, ...] = Field(
        min_length=1, description="input channels, then those of each convolution"
    )
    classes: PositiveInt


ModelSpec = Annotated[TransformerModel | MlpModel | CnnModel, Field(discriminator="family")]


class Batch(Value):
    """How many samples (sequences, images) one step takes."""

    global_: PositiveInt = Field(alias="global", description="samples a step over all ranks")
    micro: PositiveInt = Field(description="samples a rank takes through the model at once")


class Parallel(Value):
    """How the job is split over accelerators."""

    data: PositiveInt = Field(1, description="data-parallel replicas, one accelerator each")
    bucket: DataSize = Field(
        units.parse("25 MiB", "data"), description="gradients are all-reduced in buckets of about this size"
    )
    overlap: bool = Field(True, description="all-reduce a bucket while the backward pass goes on")


class Optimizer(Value):
    """Which Optax optimizer updates the weights."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = Field(3e-4, gt=0, allow_inf_nan=False)


class Target(Value):
    """What an executed job is to reach; the time and energy at which it does are metrics."""

    loss: float = Field(gt=0, allow_inf_nan=False)


class Execute(Value):
    """Run the real math of the job on real data while it is simulated."""

    data: Literal["python-docs"]
    target: Target | None = None


class Checkpoint(Value):
    """When the job's state is written to the storage pool."""

    every: str = Field(description='"200 steps"', pattern=r"^[1-9][0-9]{0,11} steps?$")

    @property
    def steps(self) -> int:
        """Steps between two checkpoints."""
        return int(self.every.split()[0])


class Job(Value):
    """One training job."""

    name: Name
    model: Name | ModelSpec
    precision: Precision = "bf16"
    software: Name = Field("flash-2023", description="the software era of the catalogue whose efficiencies apply")
    optimizer: Optimizer = Optimizer()
    batch: Batch
    parallel: Parallel = Parallel()
    steps: PositiveInt
    servers: Name | None = Field(
        None, description="the server pool to run in; any pool with enough accelerators unless given"
    )
    arrive: Duration = Field(0.0, description="when the job is submitted, after the start")
    launch: Duration = Field(
        units.parse("20 s", "time"),
        description="from placement to the first step: container start, communicator set-up",
    )
    sample_size: DataSize | None = Field(
        None, description="bytes read from storage a sample; from the model's input unless given"
    )
    jitter: Fraction = Field(0.0, description="standard deviation of the compute time of a step")
    checkpoint: Checkpoint | None = None
    execute: Execute | None = None


class ServerFault(Value):
    """A server that stops at a stated time and is repaired after a stated time."""

    at: Duration
    kind: Literal["server"]
    target: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*/[0-9]+$", description='pool and index, "train/15"')
    repair: PositiveDuration
