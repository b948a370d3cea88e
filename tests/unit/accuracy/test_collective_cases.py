"""Reading published collectives: every column may be missing or odd, and none is dropped without a word."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from dcsim.accuracy import score
from dcsim.accuracy.collectives import table
from dcsim.accuracy.collectives.algorithm import choice_of
from dcsim.accuracy.collectives.case import Case, read
from dcsim.accuracy.collectives.predict import measured_s, predict
from dcsim.accuracy.collectives.system import group_of, interconnect_of, link_of
from dcsim.catalogue import Shelf
from dcsim.errors import InputError

SHELF = Shelf()
PLAIN = {
    "id": "X1",
    "gpu": "H100-SXM",
    "gpus_per_node": "8",
    "gpus": "8",
    "nodes": "1",
    "collective": "all_reduce",
    "message_bytes": "1048576",
    "metric": "busbw_GBps",
    "value": "70",
}


def cases(tmp_path: Path, *rows: dict[str, str]) -> list[Case]:
    return read(write(tmp_path, *rows))


def write(tmp_path: Path, *rows: dict[str, str]) -> Path:
    path = tmp_path / "cases.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)
    return path


def case(tmp_path: Path, **changed: str) -> Case:
    return cases(tmp_path, {**PLAIN, **changed})[0]


@pytest.mark.parametrize(
    ("text", "algorithms", "protocols", "without"),
    [
        ("NCCL 2.29.2 default", (), (), ()),
        ("", (), (), ()),
        ("Ring", ("Ring",), (), ()),
        ("Ring (tuner default)", ("Ring",), (), ()),
        ("Ring (NVLS off)", ("Ring",), (), ("NVLS", "NVLSTree")),
        ("NCCL 2.20.3 (NVLS)", ("NVLS",), (), ()),
        ("NVLSTree/Ring", ("NVLSTree", "Ring"), (), ()),
        ("Tree LL128", ("Tree",), ("LL128",), ()),
        ("Ring, LL", ("Ring",), ("LL",), ()),
        ("NCCL 2.27.7; Ring LL to 1 MiB, NVLS Simple from 2 MiB", ("NVLS", "Ring"), ("LL", "Simple"), ()),
        ("NCCL default, SHARP enabled", (), (), ()),
        ("NCCL default, SHARP/CollNet on", (), (), ()),
        ("CollNet", ("CollNet",), (), ()),
        ("PAT Simple", ("PAT",), ("Simple",), ()),
        ("NCCL_NVLS_ENABLE=0", (), (), ("NVLS", "NVLSTree")),
        ("no SHARP", (), (), ("CollNet",)),
    ],
)
def test_algorithms(
    text: str, algorithms: tuple[str, ...], protocols: tuple[str, ...], without: tuple[str, ...]
) -> None:
    found = choice_of(text)
    assert (found.algorithms, found.protocols, found.without) == (algorithms, protocols, without)


@pytest.mark.parametrize(
    ("columns", "link"),
    [
        ({"intra_link": "NVLink4"}, "nvlink4"),
        ({"intra_link": "NVLink2-cube-mesh", "gpu": "V100-SXM"}, "nvlink2"),
        ({"intra_link": "PCIe4x16", "gpu": "L40S"}, "pcie4"),
        ({"intra_link": "PCIe Gen5 x16", "gpu": "H100-PCIe"}, "pcie5"),
        ({"intra_link": "InfinityFabric"}, "infinity-fabric"),
        ({"intra_link": "NVLink6"}, "nvlink5"),
        ({"gpu": "B300-SXM"}, "nvlink5"),
        ({"gpu": "H20"}, "nvlink4"),
        ({"gpu": "MI355X"}, "infinity-fabric"),
        ({"gpu": "RTX PRO 6000"}, "pcie5"),
        ({"gpu": "L40S"}, "pcie4"),
        ({"gpu": "Gaudi 3"}, "generic"),
        ({"gpu": ""}, "generic"),
    ],
)
def test_links(tmp_path: Path, columns: dict[str, str], link: str) -> None:
    assert link_of(case(tmp_path, **columns), SHELF) == link


@pytest.mark.parametrize(
    ("columns", "ranks", "inside", "domains"),
    [
        ({}, 8, 8, 1),
        ({"gpus": "16", "nodes": "2"}, 16, 8, 2),
        ({"gpus": "16", "nodes": ""}, 16, 8, 2),
        ({"gpus": "", "nodes": "4"}, 32, 8, 4),
        ({"gpus": "", "nodes": "", "gpus_per_node": ""}, 8, 8, 1),
        ({"gpu": "GB200", "gpus_per_node": "4", "gpus": "72", "nodes": "18"}, 72, 72, 1),
        ({"gpu": "GB200", "gpus_per_node": "4", "gpus": "128", "nodes": "32"}, 128, 64, 2),
        ({"gpu": "GB300", "gpus_per_node": "4", "gpus": "8", "nodes": "2", "note": "MNNVL off"}, 8, 4, 2),
        ({"gpu": "H100-SXM", "system": "GH200 NVL32", "gpus": "32", "nodes": "32", "gpus_per_node": "1"}, 32, 32, 1),
    ],
)
def test_groups(tmp_path: Path, columns: dict[str, str], ranks: int, inside: int, domains: int) -> None:
    group = group_of(case(tmp_path, **columns))
    assert (group.ranks, group.inside, group.domains) == (ranks, inside, domains)


def test_networks(tmp_path: Path) -> None:
    def net(**columns: str) -> Any:
        found = case(tmp_path, gpus="16", nodes="2", **columns)
        return interconnect_of(found, group_of(found), SHELF)

    stated = net(inter_link="InfiniBand+SHARP", nics_per_node="8", nic_Gbps="400")
    assert (stated.network_rate, stated.reduces) == (50e9, True)
    assert net(inter_link="EFA", nics_per_node="32", nic_Gbps="100").network_rate == 50e9
    # Nothing stated: 8 cards of 400 Gbit/s on servers with H100, of 200 Gbit/s on those with A100.
    assert net().network_rate == 50e9
    assert net(gpu="A100-SXM").network_rate == 25e9
    assert net(inter_link="RoCE").network.efficiency < net(inter_link="InfiniBand").network.efficiency
    assert net(inter_link="TCP sockets").network.hop.ll > net(inter_link="EFA").network.hop.simple * 0.5
    assert net(inter_link="something new").network.title == net(inter_link="InfiniBand").network.title


@pytest.mark.parametrize("collective", ["all_reduce", "AllReduce", "all-reduce", "allreduce"])
def test_names_of_collectives(tmp_path: Path, collective: str) -> None:
    assert predict(case(tmp_path, collective=collective), SHELF).rate == predict(case(tmp_path), SHELF).rate


def test_what_cannot_be_predicted_says_why(tmp_path: Path) -> None:
    odd = predict(case(tmp_path, collective="all_knead"), SHELF)
    assert (odd.seconds, odd.rate) == (None, None)
    assert "all_knead" in odd.reason
    assert "message_bytes" in predict(case(tmp_path, metric="latency_us", message_bytes=""), SHELF).reason
    assert "says nothing" in predict(case(tmp_path, collective="barrier", message_bytes=""), SHELF).reason
    assert "over 1 rank" in predict(case(tmp_path, gpus="1"), SHELF).reason
    # An algorithm that does not exist there gives way to the library's choice.
    assert predict(case(tmp_path, gpu="A100-SXM", algorithm="NVLS"), SHELF).algorithm == "Ring LL"


def test_times_and_rates_are_two_views_of_one(tmp_path: Path) -> None:
    # 1 MiB x 1.75 / 70 GB/s = 26.2 us
    assert measured_s(case(tmp_path)) == pytest.approx(26.2144e-6)
    assert measured_s(case(tmp_path, metric="algbw_GBps", value="40")) == pytest.approx(26.2144e-6)
    assert measured_s(case(tmp_path, metric="latency_us", value="26.2144")) == pytest.approx(26.2144e-6)
    assert measured_s(case(tmp_path, message_bytes="")) is None


def test_a_loop_that_waits_takes_longer(tmp_path: Path) -> None:
    plain, blocking = (predict(case(tmp_path, note=note), SHELF).seconds for note in ("", "blocking torch loop"))
    assert blocking == pytest.approx((plain or 0.0) + 20e-6)


def test_columns_may_be_missing(tmp_path: Path) -> None:
    bare = {key: PLAIN[key] for key in ("id", "collective", "metric", "value")}
    rows, facts = table.score_cases(write(tmp_path, bare, {**bare, "id": "X2", "collective": "moe_dispatch"}))
    assert [row.id for row in rows] == ["X1", "X2"]
    assert all(row.predicted for row in rows)
    assert facts["not_fitted"]["one node, from 1 MiB"]["rows"] == 2
    assert "coverage" in table.text(rows, facts)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"value": "fast"}, 'found "fast", expected a number'),
        ({"metric": "smiles"}, 'found "smiles", expected latency'),
    ],
)
def test_bad_tables_name_the_line(tmp_path: Path, changed: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        cases(tmp_path, PLAIN, {**PLAIN, **changed})
    assert "cases.csv:3: " in str(caught.value)


def test_a_table_without_its_columns_or_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no column metric, value"):
        cases(tmp_path, {"id": "1", "collective": "all_reduce"})
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "none.csv")


def test_a_fitted_row_is_known_in_another_table(tmp_path: Path) -> None:
    shipped = read(None)
    own = [{**found.row, "id": f"Y{i}"} for i, found in enumerate(shipped[:40])]
    for row in own:
        row.pop("fitted")
    rows, facts = table.score_cases(write(tmp_path, *own))
    assert [row.fitted for row in rows] == [found.text("fitted") == "yes" for found in shipped[:40]]
    written = json.loads(score.to_json(rows, facts))
    assert written["rows"][0].keys() >= {
        "id", "metric", "unit", "measured", "predicted", "error", "low", "high", "fitted", "reason",
    }  # fmt: skip
    assert written["summary"]["all"]["coverage"] == 1.0


def test_fault_of_a_system(tmp_path: Path) -> None:
    """Two of three rows of a box are flagged by their notes, so the third is; half of another's are, so no more are."""
    fault = {"note": "suspiciously low, treat as a fault case"}
    box, other = {**PLAIN, "system": "box", "source": "a"}, {**PLAIN, "system": "other", "source": "a"}
    found = cases(
        tmp_path, {**box, **fault}, {**box, **fault, "id": "X2"}, {**box, "id": "X3"}, other, {**other, **fault}
    )
    assert [case.flagged for case in found] == [True, True, True, False, True]


def test_cards_of_a_rank(tmp_path: Path) -> None:
    """A rank gets the cards next to it, 8 x 400 Gbit/s over 8: alone in its server no more, two share one card."""
    row = {**PLAIN, "nics_per_node": "8", "nic_Gbps": "400", "nodes": "2"}
    for changed, expected in (
        ({"gpus": "16"}, 50e9),
        ({"gpus": "2"}, 50e9),
        ({"gpus": "4", "nics_per_node": "1"}, 25e9),
        ({"gpus": "2", "nics_per_node": "1"}, 50e9),
    ):
        one = case(tmp_path, **{**row, **changed})
        assert interconnect_of(one, group_of(one), SHELF).network_rate == pytest.approx(expected, rel=1e-12)


def test_cards_of_racks(tmp_path: Path) -> None:
    """Where no cards are stated each accelerator of two racks has its own: 400 Gbit/s of GB200, 800 of GB300."""
    row = {**PLAIN, "gpus": "144", "gpus_per_node": "4", "nodes": "36"}
    for gpu, expected in (("GB200", 50e9), ("GB300", 100e9)):
        one = case(tmp_path, **{**row, "gpu": gpu})
        assert group_of(one).domains == 2
        assert interconnect_of(one, group_of(one), SHELF).network_rate == pytest.approx(expected, rel=1e-12)


def test_chips_of_a_torus_share_a_domain(tmp_path: Path) -> None:
    one = case(tmp_path, gpu="TPU v5p", gpus="64", gpus_per_node="4", nodes="16", intra_link="ICI")
    assert group_of(one).domains == 1


@pytest.mark.parametrize("metric", ["latency_us", "busbw_GBps"])
@pytest.mark.parametrize(("column", "text"), [("message_bytes", "abc"), ("gpus", "eight"), ("message_bytes", "-5")])
def test_a_size_that_is_none_is_told_with_its_place(tmp_path: Path, metric: str, column: str, text: str) -> None:
    found = predict(case(tmp_path, metric=metric, **{column: text}), SHELF)
    assert found.seconds is None
    assert found.rate is None
    assert found.reason == f'{tmp_path}/cases.csv:2: {column}: found "{text}", expected a number above zero'


@pytest.mark.parametrize("text", ["", "n/a", "-", "0", "0.0"])
def test_what_a_table_writes_for_nothing_is_not_stated(tmp_path: Path, text: str) -> None:
    assert predict(case(tmp_path, message_bytes=text), SHELF).rate is not None
    assert predict(case(tmp_path, collective="barrier", metric="latency_us", message_bytes=text), SHELF).seconds


def test_one_rank_is_told_with_its_place(tmp_path: Path) -> None:
    told = f"{tmp_path}/cases.csv:2: found a collective over 1 rank, expected at least 2"
    assert predict(case(tmp_path, gpus="1"), SHELF).reason == told
