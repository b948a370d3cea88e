"""The first scenario of somebody's own: a few answers become a file with comments, sized so that it fits."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.catalogue.parts import Server
from dcsim.catalogue.shelf import Shelf
from dcsim.errors import InputError
from dcsim.scenario.suggest import nearest

_MICRO = 4


@dataclass(frozen=True, slots=True)
class Answers:
    """What a first scenario needs to know; names are those of the catalogue."""

    server: str = "dgx-h100"
    count: int = 4
    model: str = "gpt2-small"
    steps: int = 500
    climate: str = "stockholm"
    grid: str = "sweden"


def starter(name: str, answers: Answers) -> str:
    """Return a scenario file with comments: one job on all servers, four samples at a time on every accelerator.

    Raises
    ------
    InputError
        If a name is not in the catalogue, with the nearest that is.
    """
    shelf = Shelf()
    for kind in ("server", "model", "climate", "grid"):
        _known(shelf, kind, getattr(answers, kind))
    ranks = answers.count * shelf.take(Server, answers.server).accelerators
    return _TEXT.format(
        name=name,
        a=answers,
        ranks=ranks,
        batch=ranks * _MICRO,
        micro=_MICRO,
        every=max(1, answers.steps // 5),
    )


def _known(shelf: Shelf, kind: str, name: str) -> None:
    names = shelf.names(f"{kind}s")
    if name not in names:
        hint = nearest(name, names)
        expected = f"one of {', '.join(names)}" + (f"; {hint}" if hint else "")
        raise InputError(f'--{kind}: found "{name}", expected {expected}')


_TEXT = """\
# {a.count} servers of type {a.server} train {a.model}.
# Keys that are left out have defaults; dcsim schema lists them all.
dcsim: 1
name: {name}
seed: 1                                # jitter, routes and failures are drawn from it

site:
  climate: {a.climate}                 # dcsim catalogue climates, or {{file: weather.epw}}
  grid: {a.grid}                       # carbon and price of electricity; dcsim catalogue grids

cluster:
  servers:
    - {{name: train, type: {a.server}, count: {a.count}}}     # dcsim catalogue servers
  network: {{oversubscription: 1}}       # bandwidth of the servers over that of the uplinks
  storage: {{nodes: 3}}                  # holds the samples and the checkpoints

jobs:
  - name: train
    model: {a.model}                   # dcsim catalogue models
    batch: {{global: {batch}, micro: {micro}}}   # samples a step, and of them at once on an accelerator
    parallel: {{data: {ranks}}}            # replicas of the model; data x micro divides the global batch
    steps: {a.steps}
    checkpoint: {{every: {every} steps}}

# Then:
#   dcsim run {name}.yaml
#   dcsim compare {name}.yaml --vary cluster.network.oversubscription=1,4
"""
