"""The costs of a step, traced once and kept on disk by content; JAX is imported only if they are missing."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache as once
from hashlib import blake2b
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcsim.scenario.user import UserModel
from dcsim.workload import cache
from dcsim.workload.operation import CollectiveKind, Exchange, Gradient, Group, Operation, StepCosts
from dcsim.workload.user import UserCode, code_of

if TYPE_CHECKING:
    from dcsim.scenario.inference import Inference
    from dcsim.scenario.optimizers import Rule
    from dcsim.scenario.workload import ModelSpec

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CostRequest:
    """One training step: ``micro`` samples through the model in ``precision``, and one update by ``optimizer``.

    With ``inference`` it is a step of a model that serves ``micro`` samples at once; there is no optimizer then. A
    function of the user's own decides about precision and optimizer itself; it is looked for in ``folder`` first.
    """

    model: ModelSpec | UserModel
    precision: str
    optimizer: Rule | str
    micro: int
    folder: Path | None = None
    inference: Inference | None = None


def inference_costs(model: ModelSpec, precision: str, inference: Inference, rows: int) -> StepCosts:
    """Return what one step of a model that serves ``rows`` samples at once costs, from the cache where it can.

    ``cache_bytes`` of the answer are those of all rows. All weights are read once a step, whatever the rows.

    Raises
    ------
    InputError
        For a model that cannot do what is asked, or more tokens than it has positions for.
    """
    return costs(CostRequest(model, precision, "", rows, inference=inference))


def costs(request: CostRequest) -> StepCosts:
    """Return what the step costs, from the cache where it was traced before by the same code and the same JAX.

    Raises
    ------
    InputError
        If the model's sizes do not fit together, or the user's own code cannot be found, imported or traced.
    """
    code = code_of(request.model, request.folder or Path()) if isinstance(request.model, UserModel) else None
    path = cache.folder() / "costs" / f"{_key(request, code)}.json"
    found = _load(path)
    if found is None:
        found = _trace(request, code)
        _store(path, found)
    return found


def packed(request: CostRequest) -> tuple[str, str]:
    """Return the traced costs as the name and the text of their file, to be delivered to another machine's cache.

    Raises
    ------
    InputError
        As :func:`costs` does.
    """
    code = code_of(request.model, request.folder or Path()) if isinstance(request.model, UserModel) else None
    return f"{_key(request, code)}.json", _to_json(costs(request))


def deliver(found: Mapping[str, str]) -> None:
    """Put packed costs that are not there yet into this machine's cache."""
    for name, text in found.items():
        path = cache.folder() / "costs" / name
        if not path.exists():
            _write(path, text)


def _trace(request: CostRequest, code: UserCode | None) -> StepCosts:
    from dcsim.workload import runtime

    runtime.prepare()
    if isinstance(request.model, UserModel):
        from dcsim.workload.user_trace import trace_user

        return trace_user(request.model, code or code_of(request.model, Path()), request.micro)
    if request.inference is not None:
        from dcsim.workload.inference import trace_inference

        return trace_inference(request.model, request.precision, request.inference, request.micro)
    from dcsim.workload.step import Recipe
    from dcsim.workload.trace import trace

    return trace(Recipe(request.model, request.precision, request.optimizer), request.micro)


def _key(request: CostRequest, code: UserCode | None) -> str:
    """Digest the request, the code that traces and the libraries it traces with."""
    digest = blake2b(digest_size=20)
    model = request.model.model_dump(mode="json")
    rule = request.optimizer if isinstance(request.optimizer, str) else request.optimizer.model_dump(mode="json")
    served = request.inference.model_dump(mode="json") if request.inference else None
    given = [model, request.precision, rule, request.micro, _tracer(), code.digest() if code else "", served]
    digest.update(json.dumps(given, sort_keys=True).encode())
    return digest.hexdigest()


@once
def _tracer() -> str:
    """Digest the code that traces and the versions of what it traces with, read once in a process."""
    digest, here = blake2b(digest_size=20), Path(__file__).parent
    digest.update("\0".join(metadata.version(name) for name in ("jax", "optax")).encode())
    for source in sorted(here.rglob("*.py")):
        digest.update(source.relative_to(here).as_posix().encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()


def _load(path: Path) -> StepCosts | None:
    try:
        return _from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        _LOG.warning("the cached costs %s cannot be read (%s); they are traced again", path, error)
        return None


def _store(path: Path, found: StepCosts) -> None:
    _write(path, _to_json(found))


def _write(path: Path, text: str) -> None:
    try:
        cache.write(path, text)
    except OSError as error:
        _LOG.warning("the traced costs cannot be kept in %s (%s); the next run traces again", path, error)


def _to_json(found: StepCosts) -> str:
    return json.dumps(found, default=_fields_of)


def _fields_of(record: Any) -> dict[str, Any]:
    """Return what a record holds; ``dataclasses.asdict`` would copy every number of the order first."""
    return {each.name: getattr(record, each.name) for each in fields(record)}


def _from_json(data: dict[str, Any]) -> StepCosts:
    sizes = ("shape", "geometry")
    read: dict[str, Any] = {
        "operations": [
            Operation(
                **{
                    **row,
                    **{name: tuple(row[name]) for name in sizes},
                    "functions": tuple((name, count) for name, count in row["functions"]),
                }
            )
            for row in data["operations"]
        ],
        "gradients": [Gradient(**row) for row in data["gradients"]],
        "exchanges": [Exchange(**{**row, "group": _group(**row["group"])}) for row in data["exchanges"]],
        "mesh": map(tuple, data["mesh"]),
        "sequence": map(tuple, data["sequence"]),
        "order": data["order"],
        "warnings": data["warnings"],
    }
    return StepCosts(**{**data, **{name: tuple(rows) for name, rows in read.items()}})


def _group(kind: CollectiveKind, axes: list[str], pairs: list[list[int]]) -> Group:
    return Group(kind, tuple(axes), tuple((source, target) for source, target in pairs))
