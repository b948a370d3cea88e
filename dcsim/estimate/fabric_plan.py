"""What the fabric of a scenario joins, and how."""

from __future__ import annotations

from pathlib import Path

from dcsim.catalogue.inventory import Inventory, PoolParts
from dcsim.network.appliances import Appliance
from dcsim.network.choice import topology
from dcsim.network.inside import told
from dcsim.network.layout import Endpoint, FabricLayout, InnerLink, Inside
from dcsim.scenario.root import Scenario


def fabric_layout(scenario: Scenario, inventory: Inventory, folder: Path) -> FabricLayout:
    """Return what the fabric joins: the servers of all pools, then the storage nodes.

    ``folder`` is the scenario's, where its other files lie.
    """
    network = scenario.cluster.network
    endpoints = [
        Endpoint(
            f"{parts.pool.name}/{index}",
            parts.server.nics,
            parts.server.nic_rate,
            parts.server.accelerators,
            _inner(parts),
            parts.server.storage_nics or 0,
            _inside(parts),
        )
        for parts in inventory.pools
        for index in range(parts.pool.count)
    ]
    storage = scenario.cluster.storage
    if storage is not None and inventory.storage is not None:
        server = inventory.storage.server
        endpoints += [Endpoint(f"storage/{node}", server.nics, server.nic_rate) for node in range(storage.nodes)]
    link = inventory.fabric_link
    return FabricLayout(
        tuple(endpoints),
        network.link,
        efficiency=link.efficiency,
        hop_latency_s=_given(network.latency.hop, link.latency),
        oversubscription=network.oversubscription,
        core_oversubscription=network.core_oversubscription,
        radix=network.radix,
        topology=topology(network, inventory.switch, folder),
        switch_latency_s=_given(network.latency.switch, inventory.switch.latency),
        cable_latency_s=network.latency.cable,
        policy=network.policy,
        connections=network.queue_pairs,
        appliances=tuple(
            Appliance(each.name, each.kind, each.bound, each.latency, (each.between[0], each.between[1]))
            for each in network.appliances
        ),
        detection_s=network.failover.detection,
        stall_limit_s=network.failover.give_up,
    )


def _given(found: float | None, otherwise: float) -> float:
    return otherwise if found is None else found


def _inner(parts: PoolParts) -> InnerLink | None:
    if parts.link is None:
        return None
    return InnerLink(parts.link.rate * parts.link.efficiency, parts.link.latency)


def _inside(parts: PoolParts) -> Inside | None:
    """Return what a server tells of its inside, by what payload reaches."""
    server, pcie, between = parts.server, parts.pcie, parts.socket_link
    if not told(server) or server.sockets is None or server.pcie_switches is None or pcie is None:
        return None
    return Inside(
        server.sockets,
        server.pcie_switches,
        pcie.rate * pcie.efficiency,
        0.0 if between is None else between.rate * between.efficiency,
        peers=server.link is not None and server.link == server.pcie,
    )
