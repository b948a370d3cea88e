"""What ``dcsim explain`` prints: the meaning of metrics."""

from __future__ import annotations

from textwrap import fill

from dcsim.errors import InputError
from dcsim.results import dictionary
from dcsim.results.definition import Definition

_WIDTH = 96


def text(name: str) -> str:
    """Return the definition, unit and equation of the metric ``name``.

    ``name`` is a metric such as ``jobs.pretrain.mfu``, a pattern such as ``jobs.*.mfu``, or the last part of either.

    Raises
    ------
    InputError
        If there is no such metric.
    """
    found = _find(name)
    if not found:
        hint = _near(name) or "`dcsim show RUN -v` lists the metrics of a run"
        raise InputError(f'found no metric "{name}"; {hint}')
    return "\n\n".join(map(_describe, found))


def _find(name: str) -> list[Definition]:
    exact = dictionary.find(name)
    if exact is not None:
        return [exact]
    return [entry for entry in dictionary.DEFINITIONS if entry.pattern.rpartition(".")[2] == name]


def _near(name: str) -> str:
    """Return a hint at the metric that was meant, in the words it was asked for: whole or by its last part."""
    from dcsim.scenario.suggest import nearest

    known = [entry.pattern for entry in dictionary.DEFINITIONS]
    group, last = name.partition(".")[0], name.rpartition(".")[2]
    near = nearest(last, [pattern.rpartition(".")[2] for pattern in known])
    if not near or "." not in name:
        return near
    return nearest(f"jobs.*.{last}" if group == "jobs" else name, known)


def _describe(entry: Definition) -> str:
    wish = f", {entry.better} is better" if entry.better else ""
    return "\n".join(
        [
            f"{entry.pattern}  {entry.title} [{entry.unit}]{wish}",
            fill(entry.definition, _WIDTH, initial_indent="  ", subsequent_indent="  "),
            fill(f"= {entry.equation}", _WIDTH, initial_indent="  ", subsequent_indent="    "),
        ]
    )
