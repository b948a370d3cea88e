"""Whether what servers tell of their inside fits together."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dcsim.catalogue.inventory import Inventory, PoolParts
from dcsim.errors import Problem
from dcsim.network.inside import missing
from dcsim.network.topologies.base import MisfitError
from dcsim.network.topologies.server import Rates, ServerInside
from dcsim.scenario.root import Scenario

Report = Callable[..., Problem]


def problems(scenario: Scenario, inventory: Inventory, report: Report) -> Iterator[Problem]:
    """Yield servers with shares that are not equal, that leave a field out, or whose cards are all for storage."""
    seen = set[str]()
    for parts in inventory.pools:
        if parts.pool.type not in seen:
            seen.add(parts.pool.type)
            own = parts.pool.type in scenario.parts.get("servers", {})
            path = f"parts.servers.{parts.pool.type}" if own else f"cluster.servers.{parts.pool.name}.type"
            for key, found, expected in _faults(parts):
                yield report(f"{path}.{key}" if own else path, found if own else f"{key}: {found}", expected)


def _faults(parts: PoolParts) -> Iterator[tuple[str, str, str]]:
    """Yield key, what was found and what is expected."""
    server = parts.server
    if server.rank_nics < 1:
        most = f"at most {server.nics - 1}, so that a card is left for ranks: the server has {server.nics} nics in all"
        yield "storage_nics", str(server.storage_nics), most
        return
    for field in missing(server):
        yield (
            field,
            "nothing",
            "a value, as of sockets, pcie_switches, pcie and, where sockets are several, socket_link",
        )
    if server.sockets is not None and server.pcie_switches is not None and not missing(server):
        rates = Rates(nvlink=0.0, pcie=0.0, socket=0.0, nic=0.0)
        counts = (server.accelerators, server.rank_nics, server.sockets, server.pcie_switches)
        try:
            ServerInside(*counts, 0, rates).check()
        except MisfitError as error:
            yield error.key, error.found, error.expected
