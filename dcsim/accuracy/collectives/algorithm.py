"""What the column ``algorithm`` says of how a collective was done."""

from __future__ import annotations

import re
from typing import Final

from dcsim.network.collectives.choice import Choice
from dcsim.network.collectives.setting import Protocol

_ALGORITHMS: Final = (
    (r"nvls[ -_]*tree", "NVLSTree"),
    (r"nvls", "NVLS"),
    (r"coll[ -_]*net|sharp", "CollNet"),
    (r"hierarch|2[ -]?level", "Hierarchical"),
    (r"torus", "Torus"),
    (r"halving|doubling|rabenseifner", "HalvingDoubling"),
    (r"bruck", "Bruck"),
    (r"\bpat\b", "PAT"),
    (r"tree", "Tree"),
    (r"ring", "Ring"),
    (r"parameter[ -]?server", "ParameterServer"),
    (r"direct", "Direct"),
)
_PROTOCOLS: Final[tuple[tuple[str, Protocol], ...]] = (
    (r"ll[ -_]?128", "LL128"),
    (r"\bll\b", "LL"),
    (r"\bsimple\b", "Simple"),
)
# A switch that is on is one more to choose from, not the one that was chosen.
_ON: Final = re.compile(r"((sharp|collnet|nvls|mnnvl)[/ ]*)+(on|enabled|available|_enable *= *1)\b")
_OFF: Final = re.compile(r"(no |without )?(nvls|sharp|collnet)((?:_enable)? *= *0| (?:off|disabled))?")


def choice_of(text: str) -> Choice:
    """Return the algorithms and protocols that a text names, those of the library where it names none."""
    rest = _ON.sub(" ", text.lower())
    without: list[str] = []
    for found in _OFF.finditer(rest):
        if found.group(1) or found.group(3):
            without += ["NVLS", "NVLSTree"] if found.group(2) == "nvls" else ["CollNet"]
            rest = rest.replace(found.group(0), " ")
    algorithms: list[str] = []
    for pattern, name in _ALGORITHMS:
        if re.search(pattern, rest):
            algorithms.append(name)
            rest = re.sub(pattern, " ", rest)
    protocols: list[Protocol] = []
    for pattern, protocol in _PROTOCOLS:
        if re.search(pattern, rest):
            protocols.append(protocol)
            rest = re.sub(pattern, " ", rest)
    return Choice(tuple(algorithms), tuple(protocols), tuple(without))
