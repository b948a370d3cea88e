"""The time of collectives by algorithm and protocol, with round numbers that can be checked on paper."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.catalogue import Shelf
from dcsim.catalogue.fabrics import GpuFabric, NetworkFabric
from dcsim.catalogue.parts import Server
from dcsim.errors import InputError
from dcsim.network.collectives import Choice, Interconnect, RankGroup, bus_factor, collective_time
from dcsim.network.collectives.standard import gpu_fabric, of_server

NONE = {"ll": "0 s", "ll128": "0 s", "simple": "0 s"}
# Steps of 1, 2 and 4 us; 100 GB/s with Simple, half of it with LL128, at most 10 GB/s with LL; no ramps, no tails.
PLAIN = {
    "title": "round numbers",
    "rate": "100 GB/s",
    "base": {"ll": "10 us", "ll128": "20 us", "simple": "40 us"},
    "hop": {"ll": "1 us", "ll128": "2 us", "simple": "4 us"},
    "ramp": "0 s",
    "ramp_size": "1 MB",
    "chunk": "0 s",
    "chunk_size": "1 MB",
    "ring": {"simple": 1.0, "ll128": 0.5, "ll": "10 GB/s"},
    "tail": {"all_gather": 0.0, "reduce_scatter": 0.0, "all_reduce": 0.0, "fast": 0.0},
    "exchange": {
        "short_base": "5 us",
        "short_peer": "1 us",
        "short_ramp": "0 s",
        "short_rate": "10 GB/s",
        "base": "20 us",
        "peer": "2 us",
        "chunk": "0 s",
        "efficiency": 0.8,
        "to_one": 0.4,
        "tail": 0.0,
    },
    "estimate": {"ll": "1 us", "ll128": "2 us", "simple": "4 us", "ll_rate": "10 GB/s", "in_switch": 1.0},
}
SWITCH = {"base": "30 us", "rank": "5 us", "chunk_size": "1 MB", "efficiency": 0.9, "least": 4}
GPU = GpuFabric.model_validate(PLAIN)
NVLS = GpuFabric.model_validate({**PLAIN, "in_switch": SWITCH})
NETWORK = NetworkFabric.model_validate(
    {
        "title": "round numbers",
        "efficiency": 0.8,
        "hop": {"ll": "3 us", "ll128": "6 us", "simple": "14 us"},
        "tree_hop": {"ll": "5 us", "ll128": "10 us", "simple": "20 us"},
        "fill": "1 ms",
        "in_network": 0.5,
        "message": "2 us",
    }
)
ALONE, EIGHT = Interconnect(GPU), RankGroup(8)
BOTH, SIXTEEN = Interconnect(NVLS, NETWORK, 10e9), RankGroup(16, 8)


@pytest.mark.parametrize(
    ("kind", "protocol", "size", "seconds"),
    [
        # 14 steps of an eighth: 10 + 14 x 1 us, and 1.75 x 8 kB / 10 GB/s = 1.4 us
        ("all-reduce", "LL", 8e3, 25.4e-6),
        # 20 + 14 x 2 us and 1.75 x 8 MB / 50 GB/s = 280 us
        ("all-reduce", "LL128", 8e6, 328e-6),
        # 40 + 14 x 4 us and 1.75 x 8 GB / 100 GB/s = 140 ms
        ("all-reduce", "Simple", 8e9, 140.096e-3),
        # 40 + 7 x 4 us and 0.875 x 8 GB / 100 GB/s = 70 ms
        ("all-gather", "Simple", 8e9, 70.068e-3),
        ("reduce-scatter", "Simple", 8e9, 70.068e-3),
        # the whole payload passes every rank: 40 + 7 x 4 us and 80 ms
        ("broadcast", "Simple", 8e9, 80.068e-3),
    ],
)
def test_rings(kind: str, protocol: str, size: float, seconds: float) -> None:
    found = collective_time(kind, size, EIGHT, ALONE, Choice(("Ring",), (protocol,)))  # type: ignore[arg-type]
    assert float(found.seconds) == pytest.approx(seconds, rel=1e-12)
    assert (found.algorithm, found.protocol) == ("Ring", protocol)
    assert float(found.bus_bytes_per_s) == pytest.approx(size * bus_factor(kind, 8) / seconds)  # type: ignore[arg-type]


def test_the_protocol_that_the_library_holds_to_be_cheapest_is_taken_for_each_size() -> None:
    """It reckons with 6.6, 14 and 8.4 us to begin, and for 800 kB with 160, 57 and 78 us."""
    found = collective_time("all-reduce", np.array([8e3, 8e5, 8e9]), EIGHT, ALONE)
    assert [found.candidates[i].protocol for i in found.chosen] == ["LL", "LL128", "Simple"]
    assert found.seconds == pytest.approx([25.4e-6, 76e-6, 140.096e-3])
    assert found.latency_s == pytest.approx([24e-6, 48e-6, 96e-6])


def test_a_tail_is_a_part_more_and_a_chunk_makes_steps_longer() -> None:
    update = {"chunk": 2e-6, "tail": GPU.tail.model_copy(update={"all_reduce": 0.5})}
    net = Interconnect(GPU.model_copy(update=update))
    found = collective_time("all-reduce", 8e6, EIGHT, net, Choice(("Ring",), ("Simple",)))
    # a part is 1 MB, the size at which half the 2 us are reached: 96 us + 14.5 x 1 MB / 100 GB/s + 14 x 1 us
    assert float(found.seconds) == pytest.approx(96e-6 + 145e-6 + 14e-6)


def test_direct_exchanges() -> None:
    # 5 + 7 x 1 us and 0.875 x 8 kB / 10 GB/s; 20 + 7 x 2 us and 0.875 x 8 GB / 80 GB/s
    found = collective_time("all-to-all", np.array([8e3, 8e9]), EIGHT, ALONE)
    assert found.seconds == pytest.approx([12.7e-6, 87.534e-3])
    # with one peer 40 GB/s: 20 + 2 us and 4 GB / 40 GB/s
    assert float(collective_time("all-to-all", 8e9, RankGroup(2), ALONE).seconds) == pytest.approx(100.022e-3)
    # through the network 8 of 16 parts at 8 GB/s a rank: 5 GB / 8 GB/s, 20 + 15 x 2 + 14 us
    assert float(collective_time("all-to-all", 10e9, SIXTEEN, BOTH).seconds) == pytest.approx(0.625 + 64e-6)
    assert float(collective_time("send-receive", 8e9, RankGroup(2), ALONE).seconds) == pytest.approx(80e-3 + 6e-6)
    assert float(collective_time("send-receive", 8e9, RankGroup(2, 1), BOTH).seconds) == pytest.approx(1.0 + 20e-6)


def test_in_the_switch_a_rank_sends_the_payload_and_its_part_of_the_sum() -> None:
    # 30 + 8 x 5 us, and 8 GB x 9 / 8 at 90 GB/s
    found = collective_time("all-reduce", 8e9, EIGHT, Interconnect(NVLS))
    assert (found.algorithm, float(found.seconds)) == ("NVLS", pytest.approx(100.07e-3))
    assert collective_time("all-reduce", 8e9, RankGroup(3), Interconnect(NVLS)).algorithm == "Ring"
    named = collective_time("all-reduce", 8e9, RankGroup(3), Interconnect(NVLS), Choice(("NVLS",)))
    assert float(named.seconds) == pytest.approx(8e9 * 4 / 3 / 90e9 + 45e-6)


@pytest.mark.parametrize(
    ("algorithm", "domains", "rate", "latency"),
    [
        # two servers: one payload through 8 cards of 8 GB/s; 40 + 2 (7 x 4 + 20) us
        ("Tree", 2, 46e9, 136e-6),
        # four: about two, 32 GB/s; 40 + 2 (7 x 4 + 2 x 20) us
        ("Tree", 4, 32e9, 176e-6),
        ("NVLSTree", 2, 64e9, 110e-6),
        ("NVLSTree", 4, 32e9, 150e-6),
        # the network reduces: half of 80 GB/s inside
        ("CollNet", 4, 40e9, 110e-6),
    ],
)
def test_trees_between_servers(algorithm: str, domains: int, rate: float, latency: float) -> None:
    net = Interconnect(NVLS, NETWORK, 10e9, reduces=True)
    found = collective_time("all-reduce", 1e12, RankGroup(8 * domains, 8), net, Choice((algorithm,), ("Simple",)))
    # The pipeline fills in a millisecond at most.
    assert float(found.seconds) == pytest.approx(latency + 1e12 / rate + 1e-3)


def test_a_pipeline_of_the_best_chunks_takes_the_square_of_the_sum_of_roots() -> None:
    """30 + 2 x 20 us; the switch adds 8 x 5 us as the payload grows, half of it at 1 MB."""
    size = 64e9 * 70e-6
    found = collective_time("all-reduce", size, SIXTEEN, BOTH, Choice(("NVLSTree",)))
    assert float(found.seconds) == pytest.approx(4 * 70e-6 + 40e-6 * size / (size + 1e6))


def test_a_ring_through_the_network_fills_too() -> None:
    """40 + 28 x 4 us inside and 2 x 14 us outside, 30 / 16 of the payload through 8 cards in 28 us, and twice that."""
    found = collective_time("all-reduce", 64e9 * 28e-6 * 16 / 30, SIXTEEN, BOTH, Choice(("Ring",), ("Simple",)))
    assert float(found.seconds) == pytest.approx(180e-6 + 28e-6 + 56e-6)


def test_a_library_may_be_wrong_about_what_is_fastest() -> None:
    """It reckons with 1 GB/s for LL, gets 10, and takes LL128 for what LL would do sooner."""
    slow = GPU.model_copy(update={"estimate": GPU.estimate.model_copy(update={"ll_rate": 1e9})})
    found = collective_time("all-reduce", 8e4, EIGHT, Interconnect(slow))
    named = collective_time("all-reduce", 8e4, EIGHT, Interconnect(slow), Choice(("Ring",), ("LL",)))
    assert found.protocol == "LL128"
    assert float(named.seconds) < float(found.seconds)


def test_a_mesh_uses_the_links_to_those_that_take_part() -> None:
    mesh = Interconnect(GPU.model_copy(update={"peers": 7}))
    simple = Choice(("Ring",), ("Simple",))
    assert float(collective_time("all-gather", 14e9, RankGroup(2), mesh, simple).seconds) == pytest.approx(
        44e-6 + 7e9 / (100e9 / 7)
    )
    whole = collective_time("all-gather", 8e9, EIGHT, mesh, simple)
    assert float(whole.seconds) == pytest.approx(70.068e-3)


def test_a_barrier_is_the_smallest_all_reduce() -> None:
    assert float(collective_time("barrier", 1e9, EIGHT, ALONE).seconds) == pytest.approx(24e-6, rel=1e-3)


@pytest.mark.parametrize(
    ("group", "net", "choice", "message"),
    [
        (RankGroup(1), ALONE, Choice(), "over 1 rank"),
        (RankGroup(16, 8), ALONE, Choice(), "without a network"),
        (EIGHT, ALONE, Choice(("Rign",)), 'found algorithm "Rign"'),
        (EIGHT, ALONE, Choice(("NVLS",)), "expected an algorithm that does it there"),
    ],
)
def test_what_cannot_be_is_refused(group: RankGroup, net: Interconnect, choice: Choice, message: str) -> None:
    with pytest.raises(InputError, match=message):
        collective_time("all-reduce", 1e6, group, net, choice)


@pytest.mark.parametrize("name", Shelf().names("gpu-fabrics"))
def test_every_fabric_takes_longer_for_more(name: str) -> None:
    sizes = np.logspace(2, 11, 60)
    net = Interconnect(gpu_fabric(Shelf(), name))
    for kind in ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "broadcast"):
        for ranks in (2, 4, 8):
            found = collective_time(kind, sizes, RankGroup(ranks), net)  # type: ignore[arg-type]
            assert all(np.all(np.diff(one.seconds) > 0.0) for one in found.candidates)
            # Where the library changes over too late a larger size may be done sooner, but not by much.
            assert np.all(found.seconds > 0.55 * np.maximum.accumulate(found.seconds))


def test_links_that_were_never_measured_are_as_any() -> None:
    shelf = Shelf()
    assert gpu_fabric(shelf, "nvlink4").title != gpu_fabric(shelf, "ici-v5e").title == gpu_fabric(shelf, None).title
    net = of_server(shelf, shelf.take(Server, "dgx-h100"), 8)
    assert net.network_rate == 50e9
    assert net.line_rate(8) == 450e9
