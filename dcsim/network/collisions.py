"""What hash collisions cost: the share of the ideal rate that the rings of a job keep, drawn with many seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dcsim.network.fabric import router
from dcsim.network.layout import FabricLayout
from dcsim.network.links import Links
from dcsim.network.planner import Planner
from dcsim.network.rings import Rank
from dcsim.network.tree import Floats


def kept_shares(layout: FabricLayout, ranks: Sequence[Rank], seeds: Sequence[int], queue_pairs: int = 1) -> Floats:
    """Return the rate of a ring all-reduce over that of its network cards and inner links alone, shape (seeds,) [1].

    One connection that meets m - 1 others on an uplink as fast as itself gets a share of 1 / m, and the ring goes at
    the rate of its slowest connection (see :class:`~dcsim.network.route.Route`).

    Parameters
    ----------
    layout
        The network; its number of connections is not used.
    ranks
        (endpoint, accelerator) of every rank in logical order.
    seeds
        One draw of the routes each.
    queue_pairs
        Connections between two network cards.
    """
    links = Links(layout)
    asked, capacities = replace(layout, connections=queue_pairs), links.capacities
    own = links.senders() | links.receivers()
    shares = []
    for seed in seeds:
        route = Planner(links, router(asked, links, seed), asked).all_reduce(ranks)
        rates = capacities[route.links] / route.share
        shares.append(float(rates.min() / rates[own[route.links]].min()))
    return np.array(shares)
