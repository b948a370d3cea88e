"""Validation errors in the words of the scenario file: one problem a value, at its line, without jargon."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from dcsim.errors import Problem
from dcsim.scenario.positions import Positions
from dcsim.scenario.suggest import nearest, quoted

_OR_A_BLOCK = ", or a block such as"  # of kinds.by_kind
_WORDS: Mapping[str, str] = types.MappingProxyType(
    {
        "string_type": "text (a number needs quotes)",
        "bool_type": "true or false",
        "float_type": "a number",
        "finite_number": "a finite number",
        "list_type": "a list",
        "tuple_type": "a list",
        "dict_type": "a block of keys",
        "model_type": "a block of keys",
        "model_attributes_type": "a block of keys",
    }
)


def problems(error: ValidationError, model: type[BaseModel], positions: Positions) -> list[Problem]:
    """Return the problems of a failed validation of ``model``, with their places in the files."""
    return [_problem(each, model, positions) for each in error.errors(include_url=False) if not _is_echo(each)]


def _is_echo(error: Mapping[str, Any]) -> bool:
    """Whether a list is called too short only because its items, each reported already, are wrong."""
    return error["type"] == "too_short" and bool(len(error["input"]) >= error["ctx"]["min_length"])


def _problem(error: Mapping[str, Any], model: type[BaseModel], positions: Positions) -> Problem:
    context = error.get("ctx", {})
    location = [part for part in error["loc"] if part != "[key]"]
    at = context.get("at", "")
    place = positions.walk(location)
    path = f"{place.path}." if place.path else ""
    found, expected, hint = quoted(error["input"]), _WORDS.get(error["type"], ""), context.get("hint", "")
    match error["type"]:
        case "expected" if at:
            below = positions.walk([*location, *at.split(".")])
            return Problem(below.file, below.line, path + at, context["found"], context["expected"])
        case "expected" if _unknown_kind(error):
            place, found = positions.walk([*location, "kind"]), quoted(error["input"]["kind"])
            expected = error["msg"].partition(_OR_A_BLOCK)[0]
            hint = nearest(found.strip('"'), expected.removeprefix("one of ").split(", "))
        case "expected":
            expected = context.get("expected", error["msg"])
        case "extra_forbidden":
            known = sorted(_keys(model, location[:-1]))
            hint, expected = nearest(str(location[-1]), known), f"one of {', '.join(known)}"
            return Problem(place.file, place.line, place.path, f"an unknown key {quoted(location[-1])}", expected, hint)
        case "missing":
            expected = _describe(model, location)
            return Problem(place.file, place.line, f"{path}{location[-1]}", "nothing", expected)
        case "literal_error" | "union_tag_invalid":
            options = list(_options(model, location, context))
            expected = _choice(options)
            if error["type"] == "union_tag_invalid":
                key = context["discriminator"].strip("'")
                place, found = positions.walk([*location, key]), quoted(context["tag"])
            hint = nearest(found.strip('"'), (option for option in options if isinstance(option, str)))
        case "union_tag_not_found":
            key = context["discriminator"].strip("'")
            return Problem(place.file, place.line, f"{path}{key}", "nothing", _choice(list(_families(model, location))))
        case "too_short" | "too_long":
            expected = f"at {'least' if error['type'] == 'too_short' else 'most'} {_bound(context)}"
        case "greater_than":
            expected = f"a number above {context['gt']:g}"
    return Problem(place.file, place.line, place.path, found, expected or _lower(error["msg"]), hint)


def _unknown_kind(error: Mapping[str, Any]) -> bool:
    """Whether a block says what kind of several it is, and there is no such kind."""
    return _OR_A_BLOCK in error["msg"] and isinstance(error["input"], Mapping) and "kind" in error["input"]


def _bound(context: Mapping[str, Any]) -> str:
    count = context.get("min_length", context.get("max_length"))
    return f"{count} item{'' if count == 1 else 's'}"


def _lower(message: str) -> str:
    text = message.removeprefix("Input should be ").removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _choice(options: Iterable[str | int]) -> str:
    words = [f'"{option}"' if isinstance(option, str) else str(option) for option in options]
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _options(model: type[BaseModel], location: list[Any], context: Mapping[str, Any]) -> Iterator[str | int]:
    if "expected_tags" in context:
        yield from (tag.strip(" '") for tag in context["expected_tags"].split(","))
        return
    for kind in _kinds(model, location):
        if typing.get_origin(kind) is typing.Literal:
            yield from typing.get_args(kind)


def _families(model: type[BaseModel], location: list[Any]) -> Iterator[str]:
    for kind in _kinds(model, location):
        if isinstance(kind, type) and issubclass(kind, BaseModel) and "family" in kind.model_fields:
            yield from typing.get_args(kind.model_fields["family"].annotation)


def _keys(model: type[BaseModel], location: list[Any]) -> set[str]:
    """Return the keys that a block may have; the scenario's own block may include files too."""
    keys = {"include"} if not location and "dcsim" in model.model_fields else set()
    for kind in _kinds(model, location):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys |= {field.alias or name for name, field in kind.model_fields.items()}
    return keys


def _describe(model: type[BaseModel], location: list[Any]) -> str:
    """Say what a missing key is for."""
    for kind in _kinds(model, location[:-1]):
        field = _field(kind, location[-1])
        if field is not None and field.description:
            return f"a value ({field.description})"
    return "a value, which is required"


def _field(kind: Any, key: Any) -> FieldInfo | None:
    fields = kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}
    return next((field for name, field in fields.items() if (field.alias or name) == key), None)


def _kinds(model: type[BaseModel], location: Iterable[Any]) -> list[Any]:
    """Return the types that the value at a location of the validator may have."""
    kinds: list[Any] = [model]
    for part in location:
        below = [inner for kind in kinds for inner in _below(kind, part)]
        tagged = [kind for kind in kinds if _is_tagged(kind, part)]
        kinds = below or tagged or kinds
    return kinds


def _below(kind: Any, part: Any) -> list[Any]:
    field = _field(kind, part)
    if field is not None:
        return list(_flat(field.annotation))
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(part, int):
        return list(_flat(arguments[0])) if arguments else []
    return list(_flat(arguments[1])) if origin is dict and isinstance(part, str) else []


def _is_tagged(kind: Any, tag: Any) -> bool:
    """Whether a member of a union is the one that a tag in a location names: its class name or its family."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return False
    family = kind.model_fields.get("family")
    return kind.__name__ == tag or (family is not None and tag in typing.get_args(family.annotation))


def _flat(annotation: Any) -> Iterator[Any]:
    """Yield the members of nested unions and annotations."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _flat(typing.get_args(annotation)[0])
    elif origin is typing.Union or origin is types.UnionType:
        for member in typing.get_args(annotation):
            yield from _flat(member)
    else:
        yield annotation
