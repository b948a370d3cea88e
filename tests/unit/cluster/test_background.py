"""Traffic of others on a small fabric, by hand: what it gets, and what it leaves to a job."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dcsim.cluster.background import Background
from dcsim.cluster.records import Records
from dcsim.engine import Clock, Recorder, Streams
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout, InnerLink
from dcsim.scenario.background import Incast, Pair, Permutation, StorageTraffic, Uniform

GB = 1e9


class Place:
    """Six servers of two cards of 10 GB/s and two storage nodes of one; a hop takes 1 ms."""

    def __init__(self, seed: int = 3, **settings: Any) -> None:
        self.clock = Clock()
        servers = tuple(Endpoint(f"train/{i}", 2, 10 * GB, 2, InnerLink(40 * GB, 1e-4)) for i in range(6))
        nodes = tuple(Endpoint(f"storage/{i}", 1, 10 * GB) for i in range(2))
        kept: dict[str, Any] = {"hop_latency_s": 1e-3, "policy": "d-mod-k", "radix": 8} | settings
        streams = Streams(seed)
        self.fabric = Fabric(self.clock, FabricLayout(servers + nodes, 10 * GB, **kept), streams)
        records = Records(Recorder(self.clock, ()))
        self.hall: Any = SimpleNamespace(clock=self.clock, fabric=self.fabric, streams=streams, records=records)

    def start(self, spec: Any) -> Background:
        background = Background(self.hall, spec)
        self.clock.process(background.life())
        return background

    def all_reduce_s(self, size_bytes: float, at_s: float = 1.0) -> float:
        """Return how long an all-reduce between servers 0 and 1 takes that begins at ``at_s``."""
        route = self.fabric.all_reduce([(0, 0), (0, 1), (1, 0), (1, 1)])
        took: list[float] = []

        def job():  # type: ignore[no-untyped-def]
            yield self.clock.until(at_s)
            yield self.fabric.transfer(route, size_bytes, "job")
            took.append(self.clock.now - at_s - route.latency_s)

        self.clock.run(self.clock.process(job()))  # type: ignore[no-untyped-call]
        return took[0]


def pair(rate: float, **other: Any) -> Pair:
    return Pair.model_construct(
        name="b", kind="pair", source="train/0", target="train/1", rate=rate, card=0, at=0.0, until=None, **other
    )


def test_a_slow_flow_beside_an_all_reduce_gets_what_it_asks_for_and_leaves_the_rest() -> None:
    # Two rings, one a card, each with half of 2 (n-1)/n = 1.5 payloads: 0.75 on every card. The flow takes 3 of the
    # 10 GB/s of card 0, the ring on it 7, and both rings move at the rate of the slower: 0.75 x 4 GB / 7 GB/s.
    place = Place()
    background = place.start(pair(3 * GB))
    assert place.all_reduce_s(4 * GB) == pytest.approx(0.75 * 4 / 7, rel=1e-9)
    assert background.row().slowdown == pytest.approx(1.0, rel=2e-3)  # but for the latency of its first byte
    assert background.moved_bytes == pytest.approx(3 * GB * (place.clock.now - 1e-3), rel=1e-9)


def test_a_greedy_flow_shares_the_bottleneck_evenly_with_the_all_reduce() -> None:
    # Both want more than half of card 0: max-min gives 5 GB/s to each of the two connections on it.
    place = Place()
    background = place.start(pair(8 * GB))
    took = place.all_reduce_s(4 * GB)
    assert took == pytest.approx(0.75 * 4 / 5, rel=1e-9)
    # 8 GB/s until the all-reduce begins to flow, 5 GB/s from then on.
    before = place.clock.now - took - 1e-3
    assert background.moved_bytes == pytest.approx(8 * GB * before + 5 * GB * took, rel=1e-9)
    assert place.fabric.sent_bytes == pytest.approx(place.fabric.received_bytes, rel=1e-12)


def test_nothing_is_left_of_a_flow_after_its_end_and_nothing_is_there_before_it_begins() -> None:
    place = Place()
    background = place.start(
        Pair.model_validate(
            {
                "name": "b",
                "kind": "pair",
                "source": "train/0",
                "target": "train/1",
                "rate": "24 Gbit/s",
                "at": "10 s",
                "until": "75 s",
            }
        )
    )
    assert place.all_reduce_s(4 * GB) == pytest.approx(0.75 * 4 / 10, rel=1e-9)
    assert place.all_reduce_s(4 * GB, 100.0) == pytest.approx(0.75 * 4 / 10, rel=1e-9)
    # By both cards, 65 s, renewed after the first minute: the latency of the first byte is paid twice.
    assert background.moved_bytes == pytest.approx(3 * GB * (65.0 - 2e-3), rel=1e-9)
    assert background.offered_bytes == pytest.approx(3 * GB * 65.0, rel=1e-12)


def test_an_incast_takes_n_times_size_over_rate_again_and_again() -> None:
    # 5 senders x 1 GB into one card of 10 GB/s: 0.5 s after the latency; bursts at 2, 5 and 8 s.
    place = Place()
    background = place.start(
        Incast.model_validate(
            {
                "name": "b",
                "kind": "incast",
                "target": "train/2",
                "size": "1 GB",
                "at": "2 s",
                "every": "3 s",
                "until": "9 s",
            }
        )
    )
    place.clock.run(2.5)
    assert background.row().ended == 0
    place.clock.run(2.501 + 1e-9)
    row = background.row()
    assert (row.ended, row.moved_bytes) == (1, 5 * GB)
    assert row.time_s == pytest.approx(1e-3 + 5 * 1.0 / 10.0, rel=1e-9)
    assert row.slowdown == pytest.approx(1.0, rel=1e-9)
    place.clock.run(20.0)
    assert (background.row().ended, background.moved_bytes) == (3, 15 * GB)


def test_an_incast_slows_an_all_reduce_down_to_its_share_of_the_card() -> None:
    # Four senders and the ring's connection into card 0 of server 1: 2 GB/s each while all are there.
    place = Place()
    background = place.start(
        Incast.model_validate(
            {"name": "b", "kind": "incast", "target": "train/1", "senders": 4, "size": "100 GB", "at": "0 s"}
        )
    )
    took = place.all_reduce_s(4 * GB)
    assert took == pytest.approx(0.75 * 4 / 2, rel=1e-9)
    # 10 GB/s from the end of its latency until the all-reduce flows, four fifths of that from then on.
    alone = place.clock.now - took - 1e-3
    assert background.moved_bytes == pytest.approx(10 * GB * alone + 8 * GB * took, rel=1e-9)


def test_a_permutation_fills_every_card_to_its_load() -> None:
    place = Place(policy="adaptive")
    place.start(Permutation(name="b", kind="permutation", load=0.4))
    place.clock.run(1.0)
    loads, wiring = place.fabric.loads.values, place.fabric.wiring
    for start in wiring.host_links:
        assert loads[start : start + 12] == pytest.approx(np.full(12, 4 * GB), rel=1e-9)
    assert np.all(loads[12:14] == 0.0)  # storage nodes send nothing


def test_random_payloads_load_the_cards_as_asked_on_average_and_move_what_they_offer() -> None:
    # 12 cards x 10 GB/s x 20 % = 24 GB/s in payloads of 0.1 GB: 240 a second; in 20 s 4,800 +- 70.
    place = Place(policy="adaptive")
    background = place.start(
        Uniform.model_validate({"name": "b", "kind": "uniform", "load": "20 %", "size": "100 MB", "until": "20 s"})
    )
    place.clock.run(30.0)
    row = background.row()
    assert row.ended == pytest.approx(4800, abs=4 * 70)
    assert row.moved_bytes == row.offered_bytes == pytest.approx(row.ended * 0.1 * GB, rel=1e-12)
    assert 1.0 < row.slowdown < 2.0
    assert place.fabric.received_bytes == pytest.approx(row.moved_bytes, rel=1e-9)


def test_draws_belong_to_the_seed_and_the_name() -> None:
    def moments(seed: int, name: str) -> list[float]:
        place = Place(seed)
        place.start(
            Uniform.model_construct(name=name, kind="uniform", load=0.1, size=1 * GB, servers=None, at=0.0, until=None)
        )
        place.clock.run(5.0)
        return place.fabric.loads.integrals.tolist()

    assert moments(3, "b") == moments(3, "b")
    assert moments(3, "b") != moments(4, "b")
    assert moments(3, "b") != moments(3, "c")


@pytest.mark.parametrize(("direction", "side"), [("read", 0), ("write", 1)])
def test_storage_traffic_leaves_and_enters_the_storage_nodes(direction: str, side: int) -> None:
    place = Place()
    place.start(
        StorageTraffic.model_validate({"name": "b", "kind": "storage", "direction": direction, "rate": "96 Gbit/s"})
    )
    place.clock.run(1.0)
    start = place.fabric.wiring.host_links[side]
    assert place.fabric.loads.values[start + 12 : start + 14] == pytest.approx(np.full(2, 6 * GB), rel=1e-9)


def test_a_dead_cable_moves_a_steady_flow_to_another_path_without_losing_bytes() -> None:
    place = Place(detection_s=0.1)
    far = Pair.model_construct(
        name="b", kind="pair", source="train/0", target="storage/1", rate=4 * GB, card=0, at=0.0, until=None
    )
    background = place.start(far)
    place.clock.run(1.0)
    used = [
        i for i in np.flatnonzero(place.fabric.loads.values).tolist() if place.fabric.link_table()[i].tier != "host"
    ]
    place.fabric.outage.impair("x", np.array(used[:1]), 0.0)
    place.clock.run(3.0)
    # 4 GB/s but for the latency and the 0.1 s until routing knew.
    assert background.moved_bytes == pytest.approx(4 * GB * (3.0 - 1e-3 - 0.1), rel=1e-9)
    assert place.fabric.sent_bytes == pytest.approx(place.fabric.received_bytes, rel=1e-12)
