"""How tokens reach the experts of a mixture: over how many domains, and how evenly."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dcsim.parallel.parallelism import Parallelism

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Routing:
    """Ways to route, every field of shape (cases,).

    Attributes
    ----------
    nodes
        Domains that a token goes to at most; infinite without a limit.
    imbalance
        Tokens of the busiest of the ranks that share experts over the mean [1].
    capacity
        Tokens that every expert takes over the mean: fewer are padded, more are dropped (D. Lepikhin et al., "GShard",
        ICLR 2021, section 2.2) [1]; 0 where all are taken and none is padded.
    once
        1 where a token goes once to a domain that has several of its experts, 0 where it goes once for each of them, as
        in a plain all-to-all.
    """

    nodes: Floats = field(default_factory=lambda: np.full(1, np.inf))
    imbalance: Floats = field(default_factory=lambda: np.ones(1))
    capacity: Floats = field(default_factory=lambda: np.zeros(1))
    once: Floats = field(default_factory=lambda: np.ones(1))


def mean_load(routing: Routing) -> Floats:
    """Return what the mean rank's experts compute over the tokens routed to them, padding included [1]."""
    return np.where(routing.capacity > 0, routing.capacity, 1.0)


def busiest_load(routing: Routing, plan: Parallelism) -> Floats:
    """Return what the busiest rank's experts compute over the mean of the tokens routed [1].

    With a capacity, all ranks compute alike.
    """
    uneven = np.where(plan.expert > 1, routing.imbalance, 1.0)
    return np.where(routing.capacity > 0, routing.capacity, uneven)


def dropped_share(routing: Routing) -> Floats:
    """Return the share of the tokens routed to the busiest rank that its experts have no place for [1]."""
    beyond = 1.0 - routing.capacity / routing.imbalance
    return np.where(routing.capacity > 0, np.maximum(beyond, 0.0), 0.0)


def crossings(routing: Routing, domains: Floats, chosen: Floats) -> Floats:
    """Return how often a token leaves its own domain on average: once to a domain, or once for each choice there."""
    each = chosen * (domains - 1.0) / domains
    return np.where(routing.once > 0, reached_domains(domains, chosen, routing.nodes), each)


def reached_domains(domains: Floats, chosen: Floats, nodes: Floats) -> Floats:
    """Return to how many domains but its own a token goes on average.

    Its ``chosen`` experts are at random in ``nodes`` of the ``domains`` at most, themselves at random: of the D =
    min(nodes, domains) that it may go to it reaches D (1 - (1 - 1 / D)^chosen), of which (domains - 1) / domains are
    others (node-limited routing: DeepSeek-AI, DeepSeek-V3 Technical Report (2024), section 2.1.2).
    """
    allowed = np.minimum(nodes, domains)
    reached = allowed * (1.0 - (1.0 - 1.0 / allowed) ** chosen)
    return np.asarray(reached * (domains - 1.0) / domains)
