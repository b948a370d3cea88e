"""A model that is a function of the user's own, with what it takes described by shapes and number formats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from dcsim.scenario.base import Count, DataSize, Quantity, Value, wrong

DTYPES: Final = (
    "bool", "int4", "int8", "int16", "int32", "uint4", "uint8", "uint16", "uint32", "float16", "bfloat16", "float32",
    "float8_e4m3fn", "float8_e5m2", "complex64", "key",
)  # fmt: skip
_NAME: Final = "[A-Za-z_][A-Za-z0-9_]*"
_FUNCTION: Final = rf"^{_NAME}(\.{_NAME})*:{_NAME}$"
_ARRAY: Final = re.compile(r"^([a-z0-9_]+)\[([^\[\]]*)\]$")
_SIZE: Final = re.compile("^(micro|[1-9][0-9]{0,11})$")
_AXIS: Final = f"^{_NAME}$"
_PLACE: Final = r"^[^:]+\.py:[1-9][0-9]*$"
_LEAF: Final = (
    'an array such as "float32[micro, 784]", a function such as "my_model:init", a number, or a block of these'
)


def is_function(text: str) -> bool:
    """Whether ``text`` names a function as ``package.module:name`` does."""
    return re.fullmatch(_FUNCTION, text) is not None


def array(text: str) -> tuple[str, tuple[int | str, ...]] | None:
    """Return (number format, shape) of text such as ``float32[micro, 784]``, None where it is none.

    A size is a number or the word "micro", the samples of a micro batch.
    """
    found = _ARRAY.match(text)
    sizes = [size.strip() for size in found[2].split(",")] if found and found[2].strip() else []
    if found is None or found[1] not in DTYPES or not all(map(_SIZE.match, sizes)):
        return None
    return found[1], tuple(size if size == "micro" else int(size) for size in sizes)


def _function(found: Any) -> str:
    if not isinstance(found, str) or not is_function(found):
        raise wrong('a function such as "my_model:train_step", its module and its name')
    return found


def _argument(found: Any, at: str) -> Any:
    match found:
        case Mapping():
            return {str(key): _argument(item, f"{at}.{key}" if at else str(key)) for key, item in found.items()}
        case list() | tuple():
            return [_argument(item, at) for item in found]
        case bool() | int() | float():
            return found
        case str() if is_function(found) or array(found) is not None:
            return found
    shown = f'"{found}"' if isinstance(found, str) else "nothing" if found is None else str(found)
    raise wrong(_LEAF, found=shown, at=at)


def _arguments(found: Any) -> Any:
    if isinstance(found, str) and is_function(found):
        return found
    if not isinstance(found, Mapping) or not found:
        raise wrong('a block of arguments by name, or a function such as "my_model:arguments" that returns them')
    return _argument(found, "")


def _matching(pattern: str, expected: str) -> BeforeValidator:
    def check(found: Any) -> str:
        if not isinstance(found, str) or not re.fullmatch(pattern, found):
            raise wrong(expected)
        return found

    return BeforeValidator(check)


Function = Annotated[str, BeforeValidator(_function), Field(json_schema_extra={"pattern": _FUNCTION})]
Axis = Annotated[str, _matching(_AXIS, 'a name of a mesh axis such as "data"')]
Place = Annotated[str, _matching(_PLACE, 'a file and a line such as "my_model.py:31"')]


class KernelCost(Value):
    """What one call of a kernel costs that tracing cannot look into."""

    flops: Annotated[float, Quantity("flop")] = 0.0
    bytes: DataSize | None = Field(None, description="memory traffic; operands and results once unless given")
    units: Literal["matrix", "vector"] = Field("matrix", description="which units of the accelerator compute")


class UserModel(Value):
    """A training or inference step as a JAX function of the user's own, traced with abstract arrays."""

    function: Function = Field(
        description="the step, found beside the scenario or among the installed packages", examples=["my_model:step"]
    )
    arguments: Annotated[
        Any, BeforeValidator(_arguments), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]})
    ] = Field(
        description='by name: arrays such as "float32[micro, 784]", functions that make them, numbers, or blocks of '
        "these; or one function that returns them all"
    )
    parameters: str | None = Field(None, description="the argument that holds the weights; the first unless given")
    batch: str | tuple[str, ...] | None = Field(
        None, description="the argument that holds the samples, or a list of them; the last unless given"
    )
    tokens: Count = Field(1, description="tokens of a sample, for token rates")
    mesh: dict[Axis, Count] = Field(
        {},
        description="sizes of the mesh axes of a step written with shard_map, the outermost first; one rank each place",
    )
    trips: dict[Place, Count] = Field({}, description="trips of while loops whose number depends on data, by line")
    kernels: dict[str, KernelCost] = Field({}, description="costs of custom calls by their name")

    @property
    def ranks(self) -> int:
        """Ranks of the mesh, 1 without one."""
        return prod(self.mesh.values())

    def __hash__(self) -> int:
        """Hash by the function alone: the arguments are plain data, which has no hash."""
        return hash(self.function)
