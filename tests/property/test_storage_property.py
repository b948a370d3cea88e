"""Placement and ledger for any volume: copies apart, nodes even, bytes conserved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.engine import Streams
from dcsim.storage.placement import CHUNK_BYTES, Layout, layout, read_legs, write_legs


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    nodes = draw(st.integers(1, 12))
    replicas = draw(st.integers(1, nodes))
    size = draw(st.none() | st.floats(1.0, 200.0 * CHUNK_BYTES))
    return layout(draw(st.text(max_size=8)), nodes, replicas, Streams(draw(st.integers(0, 99))), size)


@given(layouts())
def test_copies_lie_on_distinct_nodes_and_fill_them_evenly(where: Layout) -> None:
    for position, _ in where.parts():
        copies = where.copies(position)
        assert len(set(copies)) == len(copies) == where.replicas
    assert max(where.chunks) - min(where.chunks) <= 1
    chunks = where.node_shares() * sum(where.chunks)
    assert chunks.max() - chunks.min() <= where.replicas + 1e-9
    assert where.node_shares().sum() == pytest.approx(where.replicas, rel=1e-12)


@given(layouts(), st.integers(1, 6))
def test_reads_deliver_every_byte_once_and_to_each_reader_alike(where: Layout, readers: int) -> None:
    legs = read_legs(where, range(readers), first_endpoint=readers)
    for reader in range(readers):
        assert sum(leg.share for leg in legs if leg.target == reader) == pytest.approx(1 / readers, rel=1e-12)
    assert all(leg.source - readers == leg.source_disk and leg.target_disk is None for leg in legs)
    holders = {node for position, _ in where.parts() for node in where.copies(position)}
    assert {leg.source_disk for leg in legs} <= holders


@given(layouts(), st.integers(1, 6))
def test_writes_put_every_copy_on_disk_and_a_node_sends_only_what_it_has(where: Layout, writers: int) -> None:
    legs = write_legs(where, range(writers), first_endpoint=writers)
    stored = where.node_shares()
    for node in range(len(where.order)):
        arrived = sum(leg.share for leg in legs if leg.target_disk == node)
        sent = sum(leg.share for leg in legs if leg.source == writers + node)
        assert arrived == pytest.approx(stored[node], rel=1e-12)
        assert sent <= arrived + 1e-12
    assert all(leg.source != leg.target for leg in legs)
    assert sum(leg.share for leg in legs) == pytest.approx(where.replicas, rel=1e-12)
    assert sum(leg.share for leg in legs if leg.source < writers) == pytest.approx(1.0, rel=1e-12)
