"""Where copies lie and which legs the bytes travel, small enough to count."""

from __future__ import annotations

import pytest

from dcsim.engine import Streams
from dcsim.storage.placement import CHUNK_BYTES, Layout, Leg, layout, read_legs, write_legs

SMALL = Layout(order=(2, 0, 1), chunks=(1, 0, 0), replicas=2)  # one chunk: primary on node 2, its copy on node 0


def test_the_order_of_nodes_depends_on_the_name_and_the_seed() -> None:
    orders = {layout(name, 8, 3, Streams(seed)).order for name, seed in (("a", 1), ("b", 1), ("a", 2))}
    assert len(orders) == 3
    assert layout("a", 8, 3, Streams(1)) == layout("a", 8, 3, Streams(1))


def test_chunks_are_dealt_to_the_nodes_in_turn() -> None:
    # 10.5 chunks on 4 nodes: 11 chunks as 3, 3, 3, 2.
    found = layout("a", 4, 2, Streams(1), 10.5 * CHUNK_BYTES)
    assert found.chunks == (3, 3, 3, 2)
    # Copies of position 3 (2 chunks) lie on the last node and on the first: first 3 + 2, second 3 + 3, last 3 + 2.
    shares = found.node_shares() * 11
    assert [shares[node] for node in found.order] == pytest.approx([5, 6, 6, 5], rel=1e-12)


def test_more_replicas_than_nodes_are_refused() -> None:
    with pytest.raises(ValueError, match="3 replicas need as many nodes, found 2"):
        layout("a", 2, 3, Streams(1))


def test_readers_of_a_small_object_take_turns_at_its_copies() -> None:
    legs = read_legs(SMALL, [0, 1, 2], first_endpoint=10)
    third = pytest.approx(1 / 3, rel=1e-12)
    assert legs == [
        Leg(12, 0, third, source_disk=2),
        Leg(10, 1, third, source_disk=0),
        Leg(12, 2, third, source_disk=2),
    ]


def test_a_write_goes_to_the_primary_and_on_to_the_next_copy() -> None:
    assert write_legs(SMALL, [0, 1], first_endpoint=10) == [
        Leg(0, 12, 0.5, target_disk=2),
        Leg(1, 12, 0.5, target_disk=2),
        Leg(12, 10, 1.0, target_disk=0),
    ]


def test_a_large_object_in_three_copies_uses_every_node_alike() -> None:
    # Four nodes: a quarter of the payload from the client to each; each passes a half on (2 copies of 1/4) to the next.
    where = layout("data", 4, 3, Streams(1))
    legs = write_legs(where, [0], first_endpoint=1)
    assert sorted(leg.share for leg in legs) == pytest.approx([0.25] * 4 + [0.5] * 4, rel=1e-12)
    reads = read_legs(where, [0, 9], first_endpoint=1)
    assert [leg.share for leg in reads] == pytest.approx([0.125] * 8, rel=1e-12)
