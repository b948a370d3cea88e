"""What ``dcsim catalogue`` prints: kinds, the parts of a kind, one part with the source of every value."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

from dcsim import units
from dcsim.errors import InputError
from dcsim.report.columns import columns

_WIDTH = 96


def text(kind: str | None, name: str | None) -> str:
    """Return what is known of a part, of a kind, or of the whole catalogue.

    Raises
    ------
    InputError
        For an unknown kind or name.
    """
    if kind is None:
        return _kinds()
    _known(kind)
    return _kind(kind) if name is None else _part(kind, name)


def _known(kind: str) -> None:
    from dcsim import catalogue
    from dcsim.scenario.suggest import nearest, quoted

    if kind not in catalogue.KINDS:
        hint = nearest(kind, catalogue.KINDS) or f"the kinds are {', '.join(catalogue.KINDS)}"
        raise InputError(f"catalogue: found no kind {quoted(kind)}; {hint}")


def _kinds() -> str:
    from dcsim import catalogue

    width = max(map(len, catalogue.KINDS)) + 2
    lines = [
        fill(", ".join(catalogue.names(kind)), _WIDTH, initial_indent=kind.ljust(width), subsequent_indent=" " * width)
        for kind in catalogue.KINDS
    ]
    return "\n".join(lines)


def _kind(kind: str) -> str:
    from dcsim import catalogue

    if kind == "models":
        return _models()
    return columns((kind, "title"), [(name, _title(catalogue.describe(kind, name))) for name in catalogue.names(kind)])


def _models() -> str:
    """Return the models with their size, and the FLOPs of a token of training in closed form."""
    from dcsim import catalogue
    from dcsim.catalogue.shelf import Shelf
    from dcsim.workload.closed_form import training

    shelf, rows = Shelf(), []
    for name in catalogue.names("models"):
        model, facts = shelf.model(name), {field: value for field, value, _ in catalogue.describe("models", name)}
        token = training(model).total / model.tokens_per_sample
        size = f"{int(facts['parameters']):,}" if "parameters" in facts else "-"
        published = facts.get("published", "-")
        rows.append((name, model.family, size, published, units.show(token, "FLOP"), facts["title"]))
    head = ("models", "family", "parameters", "published", "FLOP a token", "title")
    note = (
        "FLOP a token: forward and backward pass, in closed form; an image or a sample of a table counts as one token"
    )
    return f"{columns(head, rows, right=(2, 4))}\n\n{note}"


def _part(kind: str, name: str) -> str:
    from dcsim import catalogue

    rows = catalogue.describe(kind, name)
    facts = [row for row in rows if row[0] != "title"]
    return f"{name}  {_title(rows)}\n\n{columns(('field', 'value', 'source'), facts)}{_inside(kind, name)}"


def _inside(kind: str, name: str) -> str:
    from dcsim.report import server_inside

    return server_inside.text(name) if kind == "servers" else ""


def _title(rows: Sequence[tuple[str, str, str]]) -> str:
    return next((value for field, value, _ in rows if field == "title"), "")
