"""Look parts up by kind and name: the shipped ones, read one file a part, and the user's own from the scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from dcsim.catalogue import fabrics, parts, reader
from dcsim.errors import InputError
from dcsim.scenario.base import Value
from dcsim.scenario.models import FAMILIES, ModelSpec
from dcsim.scenario.suggest import nearest, quoted

Part = Value
P = TypeVar("P", bound=Value)
Own = Mapping[str, Mapping[str, Mapping[str, Any]]]

_FOLDER: Final = Path(__file__).parent
NO_PARTS: Final[Own] = MappingProxyType({})
_OWN_SOURCE: Final = "the scenario"
MODELS: Final = "models"
_FACTS: Final = frozenset({"parameters", "published"})  # of a model, which are none of its shape
RECORDS: Final[Mapping[str, type[Value]]] = MappingProxyType(
    {
        "accelerators": parts.Accelerator,
        "generations": parts.Generation,
        "kernels": parts.Kernels,
        "servers": parts.Server,
        "storage-servers": parts.StorageServer,
        "switches": parts.Switch,
        "links": parts.Link,
        "gpu-fabrics": fabrics.GpuFabric,
        "network-fabrics": fabrics.NetworkFabric,
        "disks": parts.Disk,
        "software": parts.Software,
        "psus": parts.Psu,
        "pdus": parts.Pdu,
        "ups": parts.Ups,
        "transformers": parts.Transformer,
        "chillers": parts.Chiller,
        "climates": parts.Climate,
        "grids": parts.Grid,
    }
)
KINDS: Final = (*RECORDS, MODELS)
_SINGULAR: Final = MappingProxyType(
    {
        "accelerators": "an accelerator",
        "switches": "a switch",
        "kernels": "a set of kernels",
        "software": "a software era",
        "psus": "a power supply",
        "pdus": "a power distribution unit",
        "ups": "a UPS",
    }
)


def a(kind: str) -> str:
    """Return one member of a kind in words: ``a server``."""
    return _SINGULAR.get(kind, f"a {kind.removesuffix('s').replace('-', ' ')}")


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a part: the dotted field ("" for the part itself), what was found, what was expected."""

    field: str
    found: str
    expected: str
    suggestion: str = ""


class PartError(InputError):
    """A part that is unknown or malformed; ``faults`` lists all that is wrong."""

    def __init__(self, kind: str, name: str, faults: tuple[Fault, ...]) -> None:
        texts = (
            f"{'.'.join(filter(None, (kind, name, fault.field)))}: found {fault.found}, expected {fault.expected}"
            + (f"; {fault.suggestion}" if fault.suggestion else "")
            for fault in faults
        )
        super().__init__("\n".join(texts))
        self.kind, self.name, self.faults = kind, name, faults


class Shelf:
    """The catalogue with the user's own parts on top; every part is read once.

    Parameters
    ----------
    own
        The ``parts`` of a scenario: kind -> name -> fields. A part may be ``based_on`` another of its kind, and may
        bear the name of a shipped one, which it then replaces.
    """

    def __init__(self, own: Own = NO_PARTS) -> None:
        self._own = own
        self._read: dict[tuple[str, str], Part] = {}

    def names(self, kind: str) -> list[str]:
        """Return all names of a kind, sorted.

        Raises
        ------
        PartError
            For an unknown kind.
        """
        if kind not in KINDS:
            kinds = ", ".join(KINDS)
            raise PartError("", "", (Fault("", quoted(kind), f"a kind of part: {kinds}", nearest(kind, KINDS)),))
        return sorted({*_shipped(kind), *self._own.get(kind, {})})

    def fields(self, kind: str, name: str) -> reader.Fields:
        """Return the fields of a part as written, those it inherits included.

        Raises
        ------
        PartError
            For an unknown kind or name, or parts that are based on each other.
        """
        if name not in self.names(kind):
            raise PartError(kind, name, (Fault("", quoted(name), *self._known(kind, name)),))
        return self._stacked(kind, name, ())

    def _stacked(self, kind: str, name: str, below: tuple[str, ...]) -> reader.Fields:
        mine = self._own.get(kind, {}).get(name)
        if mine is None:
            return _shipped_fields(kind, name)
        top = reader.normalize(mine, _OWN_SOURCE)
        base = mine.get("based_on")
        if base is None:
            return top
        if not isinstance(base, str) or base not in (_shipped(kind) if base == name else self.names(kind)):
            raise PartError(kind, name, (Fault("based_on", quoted(base), *self._known(kind, base)),))
        if base in below:
            raise PartError(
                kind, name, (Fault("based_on", quoted(base), f"{a(kind)} that is not based on this one in turn"),)
            )
        under = _shipped_fields(kind, base) if base == name else self._stacked(kind, base, (*below, name))
        return reader.merge(_inherited(kind, under, top), top)

    def _known(self, kind: str, word: object) -> tuple[str, str]:
        names = self.names(kind)
        near = nearest(word, names) if isinstance(word, str) else ""
        return f"{a(kind)} of the catalogue ({', '.join(names)})", near

    def part(self, kind: str, name: str) -> Part:
        """Return a part as a validated record.

        Raises
        ------
        PartError
            For an unknown kind or name, or a part of the user that is not of the form of its kind.
        """
        key = (kind, name)
        if key not in self._read:
            fields = reader.plain(self.fields(kind, name))
            try:
                self._read[key] = _validate(kind, fields)
            except ValidationError as error:
                raise PartError(kind, name, tuple(_faults(kind, error))) from None
        return self._read[key]

    def take(self, record: type[P], name: str) -> P:
        """Return a part by the record of its kind, ``take(Server, "dgx-h100")``."""
        kind = next(kind for kind, known in RECORDS.items() if known is record)
        return cast(P, self.part(kind, name))

    def model(self, name: str) -> ModelSpec:
        """Return the shape of a model."""
        return cast(ModelSpec, self.part(MODELS, name))


def _inherited(kind: str, under: reader.Fields, top: reader.Fields) -> reader.Fields:
    """Return what a part takes over from its base, ``under``: not what was said of that alone."""
    own: frozenset[str] = frozenset()
    if kind == MODELS:
        own = _FACTS
    elif RECORDS[kind] is parts.Server and top.keys() & {"accelerators", "nics"} and not top.keys() & parts.INSIDE:
        own = parts.INSIDE  # other counts are joined otherwise, and nothing is said of how
    return {key: entry for key, entry in under.items() if key not in own}


def _validate(kind: str, fields: Mapping[str, Any]) -> Part:
    if kind == MODELS:
        return _models().validate_python({key: value for key, value in fields.items() if key not in {"title", *_FACTS}})
    return RECORDS[kind].model_validate(fields)


def _faults(kind: str, error: ValidationError) -> Iterator[Fault]:
    for found in error.errors(include_url=False):
        context = found.get("ctx", {})
        where = [str(step) for step in found["loc"] if kind != MODELS or step not in FAMILIES]
        where += filter(None, [context.get("at", "")])
        field = ".".join(where)
        match found["type"]:
            case "missing":
                yield Fault(field, "nothing", f"{a(kind)} to state it, or a part that it is based on")
            case "extra_forbidden":
                known = _keys(kind)
                yield Fault(
                    field, f"the unknown key {quoted(where[-1])}", f"a key of {a(kind)}", nearest(where[-1], known)
                )
            case "union_tag_invalid" | "union_tag_not_found":
                tag = quoted(context["tag"]) if "tag" in context else "nothing"
                yield Fault("family", tag, f"a family of models: {', '.join(FAMILIES)}")
            case _:
                shown = context.get("found") or quoted(found["input"])
                yield Fault(field, shown, context.get("expected") or _lower(found["msg"]), context.get("hint", ""))


def _keys(kind: str) -> Sequence[str]:
    return () if kind == MODELS else tuple(RECORDS[kind].model_fields)


def _lower(message: str) -> str:
    return message.removeprefix("Input should be ").removeprefix("Value error, ")


@cache
def _models() -> TypeAdapter[ModelSpec]:
    return TypeAdapter(ModelSpec)


@cache
def _shipped(kind: str) -> frozenset[str]:
    return frozenset(file.stem for file in (_FOLDER / kind).glob("*.yaml"))


@cache
def _shipped_fields(kind: str, name: str) -> reader.Fields:
    fields = reader.read((_FOLDER / kind / f"{name}.yaml").read_text(encoding="utf-8"))
    base = fields.pop("based_on", None)
    return reader.merge(_shipped_fields(kind, base.value), fields) if isinstance(base, reader.Entry) else fields
