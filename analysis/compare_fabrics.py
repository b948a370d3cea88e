"""Compare networks for the job of a scenario: time, switches, optics and price, collisions, bus bandwidth.

    python analysis/compare_fabrics.py scenarios/fabrics.yaml [--out fabrics]

Runs the scenario with every network of the list below and writes a page, three figures and a table of numbers.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dcsim import simulate
from dcsim.catalogue import Shelf, resolve
from dcsim.errors import DcsimError
from dcsim.estimate.fabric_plan import fabric_layout
from dcsim.network.collectives.choice import collective_time
from dcsim.network.collectives.setting import RankGroup
from dcsim.network.collectives.standard import of_server
from dcsim.network.collisions import kept_shares
from dcsim.report import html, svg
from dcsim.report.figures import Drawing
from dcsim.report.figures.fabrics import BusRates, Shares, bus_bandwidth, collision_loss
from dcsim.report.figures.variants import variants
from dcsim.results import compare
from dcsim.results.comparison import Comparison
from dcsim.scenario.load import Loaded, load

# Label and settings; the first is what the others are compared with. A radix of 64 is that of the switch.
# One group of the balanced dragonfly of 64 ports holds 512 hosts and would be all there is: four balanced groups of 128
# instead, whose switches use 31 of their ports but are paid for in full.
GROUPS = "topology={kind: dragonfly, hosts: 8, routers: 16, globals: 8}"
NETWORKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("fat-tree", ("topology=fat-tree", "radix=64")),
    ("rail-optimized", ("topology=rail-optimized",)),
    ("leaf-spine 1:1", ("topology=leaf-spine",)),
    ("leaf-spine 1:2", ("topology=leaf-spine", "oversubscription=2")),
    ("leaf-spine 1:3", ("topology=leaf-spine", "oversubscription=3")),
    ("leaf-spine 1:5", ("topology=leaf-spine", "oversubscription=5")),
    ("leaf-spine 1:7", ("topology=leaf-spine", "oversubscription=7")),
    ("dragonfly", (GROUPS,)),
    ("dragonfly Valiant", (GROUPS, "routing=valiant")),
    ("torus", ("topology=torus",)),
)
COLLIDING = ("fat-tree", "rail-optimized", "leaf-spine 1:1", "leaf-spine 1:3", "leaf-spine 1:7", "dragonfly Valiant")
QUEUE_PAIRS, DRAWS = (1, 2, 4, 8, 16), 10
SIZES = 2.0 ** np.arange(10, 34)
METRICS = (
    "step_time",
    "exposed_communication",
    "network.switches",
    "network.optics_power",
    "network.price_per_accelerator",
    "site.energy",
)


def loaded(scenario: Path, settings: Sequence[str]) -> Loaded:
    """Return the scenario with these keys of its network."""
    return load(scenario, [f"cluster.network.{setting}" for setting in settings])


def simulated(scenario: Path) -> Comparison:
    """Run the scenario with every network."""
    results = [simulate.run(simulate.prepare(loaded(scenario, settings))) for _, settings in NETWORKS]
    return compare(results, [label for label, _ in NETWORKS])


def collisions(scenario: Path) -> list[Shares]:
    """Return what the ring of the first job keeps of its rate, its ranks on servers in a random order."""
    found = []
    for label, settings in NETWORKS:
        if label in COLLIDING:
            asked = loaded(scenario, settings)
            inventory = resolve(asked)
            layout = fabric_layout(asked.scenario, inventory, asked.folder)
            each, ranks = inventory.pools[0].server.accelerators, asked.scenario.jobs[0].ranks
            order = np.random.default_rng(asked.scenario.seed).permutation(inventory.pools[0].pool.count).tolist()
            places = [(order[rank // each], rank % each) for rank in range(ranks)]
            kept = [kept_shares(layout, places, range(DRAWS), pairs) for pairs in QUEUE_PAIRS]
            found.append(Shares(label, QUEUE_PAIRS, np.array(kept)))
    return found


def bus_rates(scenario: Path) -> list[BusRates]:
    """Return the bus bandwidth of an all-reduce in one server and over more and more of them."""
    asked = load(scenario)
    inventory, shelf = resolve(asked), Shelf(asked.scenario.parts)
    server, count = inventory.pools[0].server, inventory.pools[0].pool.count
    each, net = server.accelerators, of_server(shelf, server, server.accelerators)
    found = []
    for servers in sorted({1, 2, 8, count}):
        time = collective_time("all-reduce", SIZES, RankGroup(servers * each, each), net)
        found.append(
            BusRates(f"{servers * each} ranks, {servers} server{'s' * (servers > 1)}", SIZES, time.bus_bytes_per_s)
        )
    return found


def written(drawing: Drawing, folder: Path) -> None:
    """Write a figure as SVG and PNG with its title."""
    if drawing.figure is not None:
        (folder / f"{drawing.name}.svg").write_text(svg.standalone(drawing), "utf-8")
        svg.write_png(drawing, folder / f"{drawing.name}.png")
    print(f"{drawing.name}: {drawing.title}")


def table(compared: Comparison, file: Path) -> None:
    """Write all metrics of all networks."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["metric", "unit", *compared.labels])
        writer.writerows([row.name, row.unit, *row.values] for row in compared.rows)


def main(arguments: list[str]) -> int:
    """Write the comparison of the networks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenario", type=Path)
    parser.add_argument("--out", type=Path, default=Path("fabrics"), help="the folder to write")
    options = parser.parse_args(arguments)
    try:
        compared = simulated(options.scenario)
        drawings = [
            variants(compared, METRICS),
            collision_loss(collisions(options.scenario)),
            bus_bandwidth(bus_rates(options.scenario), "an all-reduce"),
        ]
    except DcsimError as error:
        print(f"compare_fabrics: {error}", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    for drawing in drawings:
        written(drawing, options.out)
    table(compared, options.out / "metrics.csv")
    html.write(compared, options.out / "comparison.html")
    print(f"page     {options.out / 'comparison.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
