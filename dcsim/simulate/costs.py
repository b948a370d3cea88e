"""What a run costs: electricity, and the share of the equipment's price that its time uses up."""

from __future__ import annotations

from dcsim.facility.cost import straight_line
from dcsim.simulate.assemble import DataCenter


def items(center: DataCenter) -> dict[str, float]:
    """Return the cost of the run by item [USD]."""
    inventory, duration = center.prepared.inventory, center.clock.now
    found = {"electricity": center.facility.summary().electricity_cost_usd}
    found["servers"] = sum(
        parts.pool.count * straight_line(parts.server.price, duration, parts.server.lifetime)
        for parts in inventory.pools
    )
    switch = inventory.switch
    found["network switches"] = center.equipment.switches * straight_line(switch.price, duration, switch.lifetime)
    spec, storage = center.prepared.loaded.scenario.cluster.storage, inventory.storage
    if spec is not None and storage is not None:
        price = storage.server.price + spec.disks.count * storage.disk.price
        found["storage"] = spec.nodes * straight_line(price, duration, storage.server.lifetime)
    return found
