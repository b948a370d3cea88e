"""Every shipped part: it loads, every number has a source, and the fast reader agrees with a full YAML reader."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dcsim import catalogue
from dcsim.catalogue import reader

FOLDER = Path(catalogue.__file__).parent
PARTS = [(kind, name) for kind in catalogue.KINDS for name in catalogue.names(kind)]
TEXTS = {"title", "kind", "accelerator", "link", "psu", "family", "scope", "based_on", "generation"} | {
    "pcie",
    "socket_link",
    "host_link",
}
PROMISED = {
    "accelerators": "v100-sxm2-32 a100-sxm-40 a100-sxm-80 h100-sxm h100-pcie h200-sxm b200-sxm mi300x tpu-v5e "
    "xeon-8480 epyc-9654 alveo-u280 h800-sxm gb200 tpu-v5p tpu-v4 tpu-v6e a100-pcie-40 a100-pcie-80 mi250x mi325x "
    "gaudi2 gaudi3 b300-sxm",
    "generations": "volta ampere hopper blackwell cdna2 cdna3 tpu tpu-e tpu-6 gaudi",
    "kernels": "training",
    "servers": "dgx-v100 dgx-a100 dgx-h100 hgx-h200 dgx-b200 mi300x-8 tpu-v5e-8 xeon-2s epyc-2s fpga-u280-4 "
    "hgx-h800 gb200-nvl72 tpu-v5p-4 tpu-v4-4 tpu-v6e-8 a100-pcie-4 mi250x-4 mi325x-8 gaudi2-8 gaudi3-8 dgx-b300",
    "storage-servers": "storage-nvme-2u",
    "switches": "quantum-2-qm9700 spectrum-sn2700 spectrum-3-sn4700 spectrum-4-sn5600",
    "links": "nvlink2 nvlink3 nvlink4 nvlink5 infinity-fabric ici-v5e pcie5 infiniband-ndr infiniband-hdr roce-400",
    "gpu-fabrics": "nvlink2 nvlink3 nvlink4 nvlink5 pcie4 infinity-fabric generic",
    "network-fabrics": "infiniband roce ethernet efa-v1 efa-v2",
    "disks": "nvme-gen4 nvme-gen5 ssd-sata hdd",
    "software": "eager-2020 flash-2023 megatron-2021 deepspeed-2022 te-fp8-2024 mlperf-2024 bridge-2026 "
    "torchtitan-2024 maxtext",
    "psus": "titanium platinum",
    "pdus": "pdu-transformer",
    "ups": "double-conversion eco-mode",
    "transformers": "mv-dry-type mv-oil",
    "chillers": "centrifugal-doe2",
    "climates": "stockholm phoenix singapore dublin",
    "grids": "sweden france us-texas poland singapore",
    "models": "gpt2-small gpt2-medium gpt2-large gpt2-xl char-gpt mlp-mnist cnn-mnist",
}


def test_the_promised_parts_exist() -> None:
    assert set(PROMISED) == set(catalogue.KINDS)
    for kind, names in PROMISED.items():
        assert set(names.split()) <= set(catalogue.names(kind))


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_a_part_loads_and_every_number_has_a_source(kind: str, name: str) -> None:
    catalogue.part(kind, name)
    for field, value, source in catalogue.describe(kind, name):
        assert value
        assert bool(source) != (field in TEXTS), field
        assert source == source.strip()


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_the_fast_reader_agrees_with_a_full_one(kind: str, name: str) -> None:
    text = (FOLDER / kind / f"{name}.yaml").read_text(encoding="utf-8")
    document = YAML(typ="safe", pure=True).load(text)
    common = document.pop("source", "")
    assert reader.read(text) == {key: _entry(value, common) for key, value in document.items()}


def _entry(found: Any, common: str) -> reader.Entry | dict[str, reader.Entry]:
    if not isinstance(found, Mapping):
        return reader.Entry(found)
    if "value" in found:
        return reader.Entry(found["value"], found.get("source", common))
    return {key: _entry(value, common) for key, value in found.items()}


def test_every_file_lies_in_the_folder_of_a_kind() -> None:
    folders = {file.parent.relative_to(FOLDER).as_posix() for file in FOLDER.rglob("*.yaml")}
    assert folders == set(catalogue.KINDS)


@pytest.mark.parametrize(
    "text", ["just words", "key: {value: 1, origin: 2}", 'key: {value: 1} "', "key: bare words", ' key: "a"']
)
def test_a_line_outside_the_subset_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        reader.read(text)


def test_sources_and_description_name_nested_fields() -> None:
    sources = catalogue.sources("accelerators", "h100-sxm")
    assert "dgxc-benchmarking" in sources["peak.bf16"]
    assert "title" not in sources
    rows = {field: value for field, value, _ in catalogue.describe("accelerators", "h100-sxm")}
    assert rows["peak.bf16"] == "989 TFLOP/s"
    assert rows["title"] == "NVIDIA H100 SXM5 80 GB"


def test_a_shipped_part_may_be_based_on_another() -> None:
    rows = {field: value for field, value, _ in catalogue.describe("servers", "hgx-h200")}
    assert rows["accelerator"] == "h200-sxm"
    assert rows["nic_rate"] == "400 Gbit/s"
