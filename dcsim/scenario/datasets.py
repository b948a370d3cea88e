"""The data sets on which jobs really train: what their samples are, and which models can learn from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

DataName = Literal["python-docs", "digits", "iris", "wine", "breast-cancer", "diabetes"]

TEXT_FAMILIES = ("transformer",)
_CHARACTERS = 128  # ASCII


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


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a model cannot learn from a data set: what is expected where, and what was found; ``at`` is a model's key."""

    expected: str
    found: str
    at: str


def mismatch(name: str, model: Any) -> Mismatch | None:
    """Return why the described ``model`` cannot learn from the data set ``name``, None if it can."""
    if name not in TABLES:
        return _text_mismatch(name, model)
    table = TABLES[name]
    features = _features(model)
    if features is None:
        return Mismatch(f"mlp or cnn: the data {name} are {table.features} numbers each", f'"{model.family}"', "family")
    at, count = features
    if count != table.features:
        return Mismatch(f"a size of {table.features} numbers, the samples of {name}", f"{count} numbers", at)
    if table.classes is not None and model.classes < table.classes:
        return Mismatch(f"at least {table.classes}, the classes of {name}", str(model.classes), "classes")
    return None


def _text_mismatch(name: str, model: Any) -> Mismatch | None:
    if model.family not in TEXT_FAMILIES:
        return Mismatch(f"{' or '.join(TEXT_FAMILIES)}: the data {name} is text", f'"{model.family}"', "family")
    if model.vocabulary < _CHARACTERS:
        return Mismatch(f"at least {_CHARACTERS}, the characters of {name}", str(model.vocabulary), "vocabulary")
    return None


def _features(model: Any) -> tuple[str, int] | None:
    """Return the key of a model that says how many numbers a sample has, and the number."""
    if model.family == "mlp":
        return "inputs", model.inputs
    if model.family == "cnn":
        return "image", model.image**2 * model.channels[0]
    return None
