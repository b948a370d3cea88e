"""Tokens on their way to experts: how many domains they reach, and how much the busiest rank has to do."""

from __future__ import annotations

from dataclasses import fields
from itertools import product

import numpy as np
import pytest

from dcsim.parallel.parallelism import Parallelism
from dcsim.parallel.routing import Routing, busiest_load, crossings, dropped_share, mean_load, reached_domains

NUMBERS = {"nodes": np.inf, "imbalance": 1.0, "capacity": 0.0, "once": 1.0}


def routing(**given: float) -> Routing:
    return Routing(**{name: np.array([number]) for name, number in (NUMBERS | given).items()})


def plan(expert: float) -> Parallelism:
    given = {field.name: 1.0 for field in fields(Parallelism)} | {"expert": expert}
    return Parallelism(**{name: np.array([size]) for name, size in given.items()})


def reached(domains: float, chosen: float, nodes: float) -> float:
    return float(reached_domains(np.array([domains]), np.array([chosen]), np.array([nodes]))[0])


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_domains_that_a_token_reaches_are_those_of_all_choices_counted(nodes: int) -> None:
    # Three domains, own domain 0; three choices among every set of `nodes` of them, all equally likely.
    allowed = [found for found in product((0, 1), repeat=3) if sum(found) == nodes]
    others = [
        len({domain for domain in choice if domain != 0})
        for found in allowed
        for choice in product([domain for domain in range(3) if found[domain]], repeat=3)
    ]
    assert reached(3.0, 3.0, float(nodes)) == pytest.approx(sum(others) / len(others), rel=1e-9)


def test_a_limit_of_four_nodes_saves_a_third_of_what_deepseek_sends() -> None:
    # 8 experts of a token on 8 servers: 7 (1 - (7/8)^8) = 4.595 others without a limit; 7/8 x 4 (1 - (3/4)^8) = 3.150.
    assert reached(8.0, 8.0, np.inf) == pytest.approx(7 * (1 - (7 / 8) ** 8), rel=1e-12)
    assert reached(8.0, 8.0, 4.0) == pytest.approx(3.5 * (1 - 0.75**8), rel=1e-12)
    assert reached(1.0, 8.0, 4.0) == 0.0


def test_a_plain_all_to_all_sends_a_token_once_for_each_choice() -> None:
    # Of 8 choices on 4 domains, 6 are elsewhere; going once to each domain, 4 (1 - (3/4)^8) x 3/4 = 2.70 are.
    four, eight = np.array([4.0]), np.array([8.0])
    assert float(crossings(routing(once=0.0), four, eight)[0]) == pytest.approx(6.0, rel=1e-12)
    assert float(crossings(routing(), four, eight)[0]) == pytest.approx(3 * (1 - 0.75**8), rel=1e-12)


@pytest.mark.parametrize(
    ("given", "expert", "mean", "busiest", "dropped"),
    [
        ({}, 8.0, 1.0, 1.0, 0.0),
        ({"imbalance": 1.5}, 8.0, 1.0, 1.5, 0.0),
        ({"imbalance": 1.5}, 1.0, 1.0, 1.0, 0.0),  # a rank that has all experts has all tokens, however uneven
        ({"capacity": 1.25}, 8.0, 1.25, 1.25, 0.0),
        ({"imbalance": 1.5, "capacity": 1.2}, 8.0, 1.2, 1.2, 0.2),  # 0.3 of 1.5
    ],
)
def test_loads(given: dict[str, float], expert: float, mean: float, busiest: float, dropped: float) -> None:
    one = routing(**given)
    found = mean_load(one), busiest_load(one, plan(expert)), dropped_share(one)
    assert [float(each[0]) for each in found] == pytest.approx([mean, busiest, dropped], rel=1e-12)
