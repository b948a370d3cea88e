"""Data sheets of the devices of published runs, and which one a row means."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dcsim.accuracy.training.case import Case

_BYTES_PER_S = {
    "Gb/s": 1.25e8, "Gbps": 1.25e8, "Gbit/s": 1.25e8, "Tb/s": 1.25e11, "Tbps": 1.25e11, "Tbit/s": 1.25e11, "GB/s": 1e9,
}  # fmt: skip
_OMNI_PATH = 0.6  # its host does what other cards do themselves: an assumption
_FOURS, _THROUGH_HOST = "4-GPU links", 10.0
_FILE = Path(__file__).parents[1] / "cases" / "devices.csv"


@dataclass(frozen=True, slots=True)
class DataSheet:
    """Peaks of 16 and 8 bits [FLOP/s], memory [B] and its bandwidth [B/s], tiles at once, links [B/s], power.

    ``power`` is the board's limit for what its data sheet promises, watts per FLOP/s of the peak, over that of the
    fastest board of its kind [1]: a peak that a board states lower already has part of its lower limit in it.
    """

    name: str
    generation: str
    rate16: float
    rate8: float
    memory: float
    bandwidth: float
    cores: float
    link: float
    domain: float
    nic: float
    power: float


@cache
def _sheets() -> tuple[tuple[tuple[str, ...], DataSheet], ...]:
    with _FILE.open(encoding="utf-8", newline="") as file:
        return tuple((tuple(row["words"].split("|")), _sheet(row)) for row in csv.DictReader(file))


def _sheet(row: dict[str, str]) -> DataSheet:
    half = float(row["half_tflops"]) * 1e12
    return DataSheet(
        name=row["name"],
        generation=row["generation"],
        rate16=half,
        rate8=float(row["byte_tflops"] or row["half_tflops"]) * 1e12,
        memory=float(row["memory_gb"]) * 1e9,
        bandwidth=float(row["bandwidth_tb_s"]) * 1e12,
        cores=float(row["cores"]),
        link=float(row["link_gb_s"]) * 1e9,
        domain=float(row["domain"]),
        nic=float(row["nic_gb_s"]) * 1e9,
        power=float(row["power"]),
    )


def data_sheet(name: str) -> DataSheet | None:
    """Return the data sheet of a device as a table names it, None for an unknown one."""
    plain = re.sub(r"[\s_]+", "-", name).lower()
    for words, sheet in _sheets():
        if any(re.sub(r"[\s_]+", "-", word).lower() in plain for word in words):
            return sheet
    return None


def network_rate(case: Case, sheet: DataSheet, domain: float) -> float:
    """Return what a device sends outside its domain, one direction [B/s], from the words of ``inter_link``.

    "8x400Gb/s NDR IB per node", "400Gb/s per GPU", "800Gb/s per node": a rate of Gbit/s, a number of links before it,
    and whose it is. A rate without an owner is one device's; the node is the column ``node_size``.
    """
    words = case.text("inter_link")
    found = re.search(rf"(?:(\d+)\s*x\s*)?(\d+(?:\.\d+)?)\s*({'|'.join(_BYTES_PER_S)})(?:\s*x\s*(\d+))?", words)
    if found is None:
        return _named_rate(words, sheet, domain)
    count = float(found.group(1) or found.group(4) or 1.0)
    rate = count * float(found.group(2)) * _BYTES_PER_S[found.group(3)]
    if "omni-path" in words.lower():
        rate *= _OMNI_PATH
    owner = re.search(r"per\s+(gpu|device|accelerator|card|chip|tpu|node|vm)", words, re.IGNORECASE)
    shared = (owner is not None and owner.group(1).lower() in ("node", "vm")) or (owner is None and count > 1)
    return rate / min(domain, 8.0) if shared else rate


def _named_rate(words: str, sheet: DataSheet, domain: float) -> float:
    found = re.search(r"(?:(\d+)\s*x\s*)?(EDR|HDR|NDR|XDR|QDR|FDR)\s*(\d+)?", words)
    if found is None:
        return sheet.nic
    rates = {"QDR": 40.0, "FDR": 56.0, "EDR": 100.0, "HDR": 200.0, "NDR": 400.0, "XDR": 800.0}
    rate = float(found.group(3) or rates[found.group(2)]) * 1e9 / 8.0
    return rate * float(found.group(1) or 1.0) / min(domain, 8.0) if found.group(1) else rate


def link_rate(case: Case, sheet: DataSheet, tensor: float) -> float:
    """Return what a device sends to ``tensor`` - 1 peers, one direction [B/s]; wiring that the table names lowers it.

    Of the twelve links of an A100, four join two devices of a node that has no switches; a tensor group of two such
    groups of four has several rings: two thirds of the links, an assumption. V100 without switches have their links
    dealt out to their peers.
    """
    words = case.text("intra_link")
    if sheet.name == "v100" and "switch" not in words.lower():
        peers = max((case.positive("node_size") or sheet.domain) - 1.0, 1.0)
        return sheet.link * min(max(tensor - 1.0, 1.0) / peers, 1.0)
    if _FOURS in words:
        return sheet.link * (2.0 if _crosses(case, tensor) else 1.0) / 3.0
    if words.lower().startswith("pcie"):
        return min(sheet.link, 64e9 if "5" in words else 32e9)
    return sheet.link


def half_size(case: Case, tensor: float) -> float:
    """Return how much larger messages of a tensor group are at half of the links' rate than those inside switches [1].

    Between groups of four devices they pass the host, whose copies and threads take their time for each. An assumption:
    what BLOOM's steps of tensor groups of eight with micro batches of 1 to 8 leave for their messages is some 50, 65,
    120 and 150 GB/s.
    """
    return _THROUGH_HOST if _crosses(case, tensor) else 1.0


def _crosses(case: Case, tensor: float) -> bool:
    """Return whether a tensor group has members in two groups of four devices that no link joins."""
    return _FOURS in case.text("intra_link") and tensor > 4
