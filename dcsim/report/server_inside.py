"""What ``dcsim catalogue servers NAME`` prints of the inside of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim import units
from dcsim.report.columns import columns

if TYPE_CHECKING:
    from dcsim.network.topologies.server import ServerInside


def text(name: str) -> str:
    """Return a server's tree and its rates, nothing for a part that does not tell of its inside."""
    from dcsim.catalogue.parts import Server
    from dcsim.catalogue.shelf import Shelf
    from dcsim.network.inside import inside

    shelf = Shelf()
    found = inside(shelf.take(Server, name), shelf)
    return "" if found is None else f"\n\ninside, by line rates in one direction\n\n{tree(found)}\n\n{_rates(found)}"


def tree(of: ServerInside) -> str:
    """Return the tree of the host, a line for each PCIe switch."""
    graph, lines = of.graph(), []
    for socket in range(of.sockets):
        stores = [node for node in graph[f"socket {socket}"] if node.startswith("nic")]
        lines.append(f"socket {socket}" + (f": {', '.join(stores)}, for storage" if stores else ""))
        for switch in (node for node in graph[f"socket {socket}"] if node.startswith("pcie")):
            lines.append(f"  {switch}: {', '.join(node for node in graph[switch] if not node.startswith('socket'))}")
    if of.nvswitches:
        lines.append(f"nvswitch 0 to {of.nvswitches - 1}: each joined to every gpu")
    return "\n".join(lines)


def _rates(of: ServerInside) -> str:
    facts = of.facts()
    rows = [
        ("gpu to gpu over NVSwitches", of.rates.nvlink),
        ("gpu to a card under its switch", facts.card_bytes_per_s),
        ("host memory to one gpu, the others idle", facts.alone_bytes_per_s),
        ("host memory to each gpu, all reading at once", facts.together_bytes_per_s),
        ("bisection of the gpus over NVSwitches", facts.nvlink_bisection_bytes_per_s),
        ("bisection of the gpus over PCIe and sockets", facts.pcie_bisection_bytes_per_s),
    ]
    shown = [(what, units.show(rate, "B/s")) for what, rate in rows if rate]
    shown.append(("paths without a common link between two gpus", str(facts.disjoint_paths)))
    return columns(("inside", "value"), shown, right=(1,))
