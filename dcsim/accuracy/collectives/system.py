"""From the columns of a case to the ranks and what joins them; what is not stated is what such systems have."""

from __future__ import annotations

import re
from math import ceil
from types import MappingProxyType
from typing import Final

from dcsim.accuracy.collectives.case import Case
from dcsim.catalogue import Shelf
from dcsim.catalogue.fabrics import GpuFabric, NetworkFabric
from dcsim.network.collectives.setting import Interconnect, RankGroup

_OF_GPU: Final = (
    (r"v100|p100", "nvlink2"),
    (r"h100[ -_]*(pcie|nvl)|a100[ -_]*pcie|rtx|l40|l20|l4\b|a10\b|a40|a6000|a16|t4\b|h20[ -_]*pcie", "pcie"),
    (r"a100|a800|a30", "nvlink3"),
    (r"h100|h200|h800|h20|gh200|sm90|hopper", "nvlink4"),
    (r"b100|b200|b300|sm100|blackwell|rubin", "nvlink5"),
    (r"mi\d{3}", "infinity-fabric"),
)
_PCIE_5: Final = r"h100|rtx pro|b40|h20|l20"
_CARDS: Final = MappingProxyType(  # network cards of a server and their rate [bit/s], where none are stated
    {"nvlink2": (4, 100e9), "nvlink3": (8, 200e9), "nvlink4": (8, 400e9), "nvlink5": (8, 400e9)}
)
_OTHER_CARDS: Final = (1, 100e9)
_CARD_OF: Final = ((r"b300|rubin|vr200", 800e9),)  # ConnectX-8 (NVIDIA GB300 NVL72 and DGX B300 datasheets, recalled)
_RACK: Final = 72
_SERVER: Final = 8  # accelerators of a server where it is not stated
_SLICE: Final = r"\btpu|\bici\b"  # links of a torus that join all chips, whatever their host
_EARLY: Final = ("nvlink2", "nvlink3")


def group_of(case: Case) -> RankGroup:
    """Return the ranks of a case and how many of them share scale-up links."""
    per_node = case.gpus_per_node or _SERVER
    ranks = case.gpus or per_node * (case.nodes or 1)
    if re.search(_SLICE, case.text("gpu", "intra_link")):
        return RankGroup(ranks)
    if rack := _rack(case):
        return RankGroup(ranks, ceil(ranks / ceil(ranks / rack)))
    nodes = case.nodes or ceil(ranks / per_node)
    return RankGroup(ranks, ceil(ranks / nodes))


def interconnect_of(case: Case, group: RankGroup, shelf: Shelf) -> Interconnect:
    """Return what joins them: the links of the generation with the stated rate, and the network of the stated kind."""
    link = link_of(case, shelf)
    if link == "nvlink5" and group.inside > (case.gpus_per_node or _SERVER):
        link = "nvlink5-rack"
    gpu = shelf.take(GpuFabric, link)
    rate = case.number("intra_GBps_per_dir")
    network = shelf.take(NetworkFabric, _network(case, link)) if group.domains > 1 else None
    return Interconnect(
        gpu=gpu,
        network=network,
        network_rate=_card_rate(case, group, link),
        gpu_rate=rate * 1e9 if rate else 0.0,
        reduces=bool(re.search(r"sharp|collnet", case.text("inter_link", "algorithm"))),
    )


def link_of(case: Case, shelf: Shelf) -> str:
    """Return the part of the catalogue for the scale-up links: by their name, else by the accelerator, else any."""
    known, stated = shelf.names("gpu-fabrics"), case.text("intra_link")
    if found := re.search(r"(nvlink|pcie)[ -_]*(?:gen *)?(\d)", stated):
        name = "".join(found.groups())
        return name if name in known else ("nvlink5" if name.startswith("nvlink") else "pcie5")
    if re.search(r"infinity|xgmi", stated):
        return "infinity-fabric"
    gpu = case.text("gpu", "system")
    name = next((link for pattern, link in _OF_GPU if re.search(pattern, gpu)), "generic")
    if name == "pcie" or (name == "generic" and "pcie" in stated):
        return "pcie5" if re.search(_PCIE_5, gpu) else "pcie4"
    return name


def _rack(case: Case) -> int:
    """Return how many accelerators share links across servers, 0 if only those of a server do."""
    if re.search(r"mnnvl *(off|disabled|=0)|no mnnvl", case.text("algorithm", "note")):
        return 0
    text = case.text("gpu", "system", "intra_link")
    if found := re.search(r"nvl[ -]?(\d{2,3})\b", text):
        return int(found.group(1))
    return _RACK if re.search(r"gb[23]00", text) else 0


def _network(case: Case, link: str) -> str:
    text = case.text("inter_link") or case.text("system")
    if "efa" in text:
        return "efa-v1" if link in _EARLY else "efa-v2"
    if re.search(r"tcp|socket", text):
        return "ethernet"
    return "roce" if re.search(r"roce|ethernet|spectrum", text) else "infiniband"


def _card_rate(case: Case, group: RankGroup, link: str) -> float:
    """Return the line rate of the cards of a rank [B/s]: its share of those of its server, at least one if there are.

    Libraries give a rank the cards next to it: one that is alone in its server does not get those of all.
    """
    count, stated = case.number("nics_per_node"), case.number("nic_Gbps")
    usual, rate = _CARDS.get(link.removesuffix("-rack"), _OTHER_CARDS)
    rate = next((faster for name, faster in _CARD_OF if re.search(name, case.text("gpu", "system"))), rate)
    per_node = case.gpus_per_node or group.inside
    cards = count or (usual if per_node >= usual else per_node)
    ranks = min(per_node, group.inside)
    own = max(cards / max(per_node, ranks), min(cards / ranks, 1.0))
    return own * (stated * 1e9 if stated else rate) / 8.0
