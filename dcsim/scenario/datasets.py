"""The data sets on which jobs really train: what their samples are, and which models can learn from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

DataName = Literal[
    "python-docs", "python-topics", "digits", "digit-scenes", "iris", "wine", "breast-cancer", "diabetes", "clicks"
]

_CHARACTERS = 128  # ASCII
_TOPICS = 16  # each of at least 7 kB
_DIGIT = 8  # height and width [pixel]
_INK, _DIGITS = 2, 11  # classes of pixels: ink or not, or the digit and none
_SCENE_FAMILIES = ("unet", "detector")


@dataclass(frozen=True, slots=True)
class Table:
    """Samples of ``features`` numbers, with one of ``classes`` labels each, or with a number to predict."""

    features: int
    classes: int | None


TABLES: Mapping[str, Table] = MappingProxyType(
    {
        "digits": Table(64, 10),
        "iris": Table(4, 3),
        "wine": Table(13, 3),
        "breast-cancer": Table(30, 2),
        "diabetes": Table(10, None),
    }
)
"""The toy data sets that scikit-learn carries (F. Pedregosa et al., JMLR 12 (2011) 2825), sizes as its pages state."""

NAMES: tuple[str, ...] = get_args(DataName)
OF_SCIKIT_LEARN = (*TABLES, "digit-scenes")
"""Those that need the extra ``data``."""

FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    dict.fromkeys(TABLES, ("mlp", "cnn", "resnet", "vision"))
    | {
        "python-docs": ("transformer", "mixture", "encoder", "lstm"),
        "python-topics": ("lstm",),
        "digit-scenes": _SCENE_FAMILIES,
        "clicks": ("recommender",),
    }
)
"""The families of models that can learn from a data set."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a model cannot learn from a data set: what is expected where, and what was found; ``at`` is a model's key."""

    expected: str
    found: str
    at: str


def mismatch(name: str, model: Any) -> Mismatch | None:
    """Return why the described ``model`` cannot learn from the data set ``name``, None if it can."""
    if model.family not in FAMILIES[name]:
        *some, last = FAMILIES[name]
        families = f"{', '.join(some)} or {last}" if some else last
        return Mismatch(f"{families}: {_samples(name)}", f'"{model.family}"', "family")
    if name in TABLES:
        return _table_mismatch(name, model)
    if name == "digit-scenes":
        return _scene_mismatch(name, model)
    return None if name == "clicks" else _text_mismatch(name, model)


def _samples(name: str) -> str:
    if name in TABLES:
        return f"the data {name} are {TABLES[name].features} numbers each"
    kinds = {"digit-scenes": "images with something to find", "clicks": "numbers and categories"}
    return f"the data {name} {'are ' + kinds[name] if name in kinds else 'is text'}"


def _table_mismatch(name: str, model: Any) -> Mismatch | None:
    table = TABLES[name]
    at, count = _features(model)
    if count != table.features:
        return Mismatch(f"a size of {table.features} numbers, the samples of {name}", f"{count} numbers", at)
    if table.classes is not None and model.classes < table.classes:
        return Mismatch(f"at least {table.classes}, the classes of {name}", str(model.classes), "classes")
    return None


def _features(model: Any) -> tuple[str, int]:
    """Return the key of a model that says how many numbers a sample has, and the number."""
    if model.family == "mlp":
        return "inputs", model.inputs
    channels = model.channels[0] if model.family == "cnn" else model.channels
    return "image", model.image**2 * channels


def _text_mismatch(name: str, model: Any) -> Mismatch | None:
    if model.vocabulary < _CHARACTERS:
        return Mismatch(f"at least {_CHARACTERS}, the characters of {name}", str(model.vocabulary), "vocabulary")
    classes = getattr(model, "classes", None)
    if name == "python-docs" and classes is not None:
        rule = "no classes, since the next token is predicted, or the data python-topics"
        return Mismatch(rule, str(classes), "classes")
    if name == "python-topics" and not 2 <= (classes or 0) <= _TOPICS:
        return Mismatch(f"2 to {_TOPICS}, as many of the longest topics are told apart", str(classes), "classes")
    return None


def _scene_mismatch(name: str, model: Any) -> Mismatch | None:
    if model.channels != 1:
        return Mismatch(f"1: the images of {name} are gray", str(model.channels), "channels")
    if model.family == "detector":
        wanting = model.classes < _DIGITS
        return Mismatch(f"at least {_DIGITS}, ten digits and none", str(model.classes), "classes") if wanting else None
    if model.classes not in (_INK, _DIGITS):
        rule = f"{_INK}, ink or not, or {_DIGITS}, which digit or none"
        return Mismatch(rule, str(model.classes), "classes")
    if model.image < _DIGIT:
        return Mismatch(f"at least {_DIGIT}, the side of a digit", str(model.image), "image")
    return None
