"""The jobs of a scenario: which model, how it is split, how long it runs, what it writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationError, model_validator

from dcsim import units
from dcsim.errors import InputError
from dcsim.scenario.base import (
    Count,
    DataSize,
    Duration,
    Fraction,
    Value,
    wrong,
)
from dcsim.scenario.datasets import mismatch
from dcsim.scenario.inference import Inference
from dcsim.scenario.learning import Execute
from dcsim.scenario.measured import Measured
from dcsim.scenario.models import CnnModel, MlpModel, ModelSpec, TransformerModel
from dcsim.scenario.names import Name
from dcsim.scenario.optimizers import Optimizer
from dcsim.scenario.parallel import Parallel, Plain, Reduction, spelled_out
from dcsim.scenario.search import Search, put
from dcsim.scenario.smaller import STUDENTS, WITH_UNITS, Distil, Prune, described, has_units
from dcsim.scenario.steps import Steps, count
from dcsim.scenario.user import UserModel

__all__ = ["CnnModel", "Job", "MlpModel", "ModelSpec", "Optimizer", "TransformerModel"]

Precision = Annotated[
    Literal["fp32", "bf16", "fp16", "fp8", "mxfp8", "nvfp4"],
    BeforeValidator(lambda found: "fp32" if found == "tf32" else found),  # products of fp32 run so where they can
]
NARROW: Final = ("fp8", "mxfp8", "nvfp4")
"""Formats of matrix products alone, with 16 bits elsewhere."""

SCALED_BLOCKS: Final = ("mxfp8", "nvfp4")
"""Those with a scale a block; fp8 has one a tensor."""


def _named_or_described(found: Any) -> str | None:
    if isinstance(found, UserModel) or (isinstance(found, dict) and "function" in found):
        return "UserModel"
    described = isinstance(found, dict | Value)
    return "ModelSpec" if described else "Name" if isinstance(found, str) else None


Model = Annotated[
    Annotated[Name, Tag("Name")] | Annotated[ModelSpec, Tag("ModelSpec")] | Annotated[UserModel, Tag("UserModel")],
    Discriminator(
        _named_or_described,
        custom_error_type="expected",
        custom_error_message='a model of the catalogue such as "gpt2-small", or a block of keys with a family or a '
        "function",
    ),
]


class Batch(Value):
    """How many samples (sequences, images) one step takes."""

    global_: Count = Field(alias="global", description="samples a step over all ranks")
    micro: Count = Field(description="samples a rank takes through the model at once")


class Checkpoint(Value):
    """When the job's state is written to the storage pool."""

    every: Steps

    @property
    def steps(self) -> int:
        """Steps between two checkpoints."""
        return count(self.every)


class Job(Value):
    """One job: a training, or a model that serves a stated number of batches."""

    name: Name
    model: Model
    precision: Precision = "bf16"
    software: Name = Field("flash-2023", description="the software era of the catalogue whose efficiencies apply")
    inference: Inference | None = Field(
        None, description="what a step does where a trained model serves; it trains unless given"
    )
    optimizer: Optimizer = Optimizer()
    batch: Batch
    parallel: Annotated[Parallel, BeforeValidator(spelled_out, json_schema_input_type=Literal["auto"] | Parallel)] = (
        Parallel()
    )
    steps: Count
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
    measured: tuple[Measured, ...] = Field(
        (), description="published figures of such a job, told beside those of the run"
    )
    search: Search | None = Field(None, description="run it again and again with other settings to find good ones")

    @model_validator(mode="after")
    def _searchable(self) -> Self:
        if self.search is None:
            return self
        if self.execute is None or self.execute.validate_ is None:
            raise wrong("the keys execute and validate too, by which trials are judged", "a search without", "search")
        for path in self.search.space:
            for value in self.search.values(path):
                try:
                    self.varied(self.name, self.arrive, {path: value})
                except InputError as error:
                    found = f"{path} = {value!r}, of which trials say: {error}"
                    raise wrong("values that the job can have", found, f"search.space.{path}") from None
        return self

    @model_validator(mode="after")
    def _check(self) -> Self:
        if isinstance(self.model, UserModel) and self.model.mesh and self.parallel.data != 1:
            raise wrong("1: the mesh of the model is the whole job", found=str(self.parallel.data), at="parallel.data")
        if isinstance(self.model, UserModel) and self.model.mesh and self.batch.micro != self.batch.global_:
            rule = f"batch.global, {self.batch.global_}: one call of the function is the step of the whole mesh"
            raise wrong(rule, found=str(self.batch.micro), at="batch.micro")
        local = self.parallel.local_steps
        each = self.batch.micro * self.parallel.data * local
        if self.batch.global_ % each:
            factors = f"batch.micro x parallel.data{' x local_steps' * (local > 1)}"
            numbers = f"{self.batch.micro} x {self.parallel.data}{f' x {local}' * (local > 1)}"
            below = self.batch.global_ // each * each
            near = f"{below} or {below + each}" if below else str(each)
            rule = f"a multiple of {factors} = {numbers} = {each}: the nearest is {near}"
            raise wrong(rule, found=str(self.batch.global_), at="batch.global")
        if self.execute is None and self.parallel.asynchronous:
            rule = "synchronous: what asynchronous updates do depends on what they are, so they need the key execute"
            raise wrong(rule, found='"asynchronous"', at="parallel.reduce.updates")
        self._check_split()
        if self.inference is not None:
            self._check_inference()
        if self.execute is not None and isinstance(self.model, UserModel):
            rule = "a model with a family, since a function of the user's own is only traced"
            raise wrong(rule, found=f'"{self.model.function}"', at="model.function")
        if self.execute is not None and not isinstance(self.model, str | UserModel):
            wanting = mismatch(self.execute.data, self.model)
            if wanting is not None:
                raise wrong(wanting.expected, found=wanting.found, at=f"model.{wanting.at}")
            self._check_smaller(self.execute, self.model)
        return self

    def _check_split(self) -> None:
        """Refuse what only replicas of one accelerator can do, and what only a parallel plan can."""
        if self.precision in NARROW and not self.parallel.split:
            rule = "bf16, fp16 or fp32; narrower products need a parallel plan, such as parallel.sharding: optimizer"
            raise wrong(rule, found=f'"{self.precision}"', at="precision")
        if not self.parallel.split:
            return
        if self.parallel.activations == "fp8" and self.precision not in NARROW[:2]:
            rule = "computed, or precision: fp8 or mxfp8 beside it: no other products read 8 bits"
            raise wrong(rule, found='"fp8"', at="parallel.activations")
        if isinstance(self.model, UserModel):
            rule = "a transformer of the catalogue or with a family: a function of the user's own is split by its mesh"
            raise wrong(rule, found=f'"{self.model.function}"', at="model.function")
        for key in ("execute", "search", "inference"):
            if getattr(self, key) is not None:
                raise wrong("nothing beside a parallel plan, whose time is modelled alone", found="a block", at=key)

    def _check_inference(self) -> None:
        """Refuse what a model that serves cannot have: it learns nothing, so there is no state to keep or reduce."""
        if isinstance(self.model, UserModel):
            rule = "a training step or none: a function of the user's own is itself whatever step it computes"
            raise wrong(rule, found=f'"{self.model.function}"', at="model.function")
        for key in ("execute", "checkpoint"):
            if getattr(self, key) is not None:
                raise wrong("nothing, beside the key inference: only training changes weights", found="a block", at=key)
        usual = Parallel()
        for key in ("reduce", "compression", "bucket", "overlap", "prefetch"):
            if getattr(self.parallel, key) != getattr(usual, key):
                rule = "nothing, beside the key inference: there are no gradients to sum"
                raise wrong(rule, found="a value", at=f"parallel.{key}")

    def _check_smaller(self, execute: Execute, model: ModelSpec) -> None:
        """Refuse units of a model that has none to take out, and a student that cannot learn from data or teacher."""
        for place, form in enumerate(map(described, execute.smaller)):
            if isinstance(form, Prune) and form.pattern == "units" and not has_units(model):
                raise wrong(WITH_UNITS, found=f'"{model.family}"', at=f"execute.smaller.{place}.pattern")
            if not isinstance(form, Distil):
                continue
            if model.family not in STUDENTS:
                rule = f"a teacher of a family of {', '.join(STUDENTS)}"
                raise wrong(rule, found=f'"{model.family}"', at=f"execute.smaller.{place}")
            wanting = mismatch(execute.data, form.model)
            if wanting is not None:
                at = f"execute.smaller.{place}.model.{wanting.at}"
                raise wrong(wanting.expected, found=wanting.found, at=at)

    @property
    def origin(self) -> str:
        """The job's name, or that of the search whose trial it is."""
        return self.name.partition("/")[0]

    def varied(self, name: str, arrive: float, settings: Mapping[str, Any]) -> Job:
        """Return a trial of this job: with another name, submitted at ``arrive`` [s], with other ``settings``.

        Raises
        ------
        InputError
            If the settings cannot be those of a job.
        """
        data = self.model_dump(mode="json", by_alias=True, exclude={"search"})
        astray = put(data, settings)
        if astray is not None:
            raise InputError(f"found the path {astray}, expected one of keys that the job has written down")
        try:
            found = Job.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            context = first.get("ctx", {})
            place = ".".join(map(str, (*first["loc"], *filter(None, [context.get("at")]))))
            raise InputError(f"{place}: expected {context.get('expected') or first['msg']}") from None
        # The name of a trial is none that a scenario may have, so it is no one else's.
        return found.model_copy(update={"name": name, "arrive": arrive})

    @property
    def reduction(self) -> Reduction:
        """How gradients are summed: around a ring where they really are and nothing is named, which math follows."""
        ring = self.execute is not None and self.parallel.reduce is None
        return Plain(kind="ring") if ring else self.parallel.reduction

    @property
    def ranks(self) -> int:
        """Accelerators that the job runs on: its replicas with all their parts, or the places of its model's mesh."""
        return self.model.ranks if isinstance(self.model, UserModel) and self.model.mesh else self.parallel.ranks
