"""Times of products and kernels that can be computed on paper."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.compute import kernels
from dcsim.compute.kernels import Chip


def array(number: float) -> np.ndarray:
    return np.array([number])


def chip(**changed: float) -> Chip:
    given = {
        "rate": 1e15, "rate16": 5e14, "bandwidth": 1e13, "cores": 100.0, "product": 0.5, "product16": 0.8,
        "attention": 0.5, "memory": 0.8, "depth": 0.0, **changed,
    }  # fmt: skip
    return Chip(**{name: array(number) for name, number in given.items()})


def seconds(sizes: tuple[float, float, float, float], one: Chip, narrow: bool = True) -> float:
    batch, m, n, k = map(array, sizes)
    return float(kernels.product_seconds((batch, m, n, k), one, narrow)[0])


def test_a_product_of_full_waves_runs_at_the_attained_rate() -> None:
    # 10 x 10 tiles of 128 fill 100 cores once: 2 x 1280 x 1280 x 8192 / (0.5 x 1e15).
    assert seconds((1, 1280, 1280, 8192), chip()) == pytest.approx(2 * 1280 * 1280 * 8192 / 5e14, rel=1e-12)
    assert seconds((1, 1280, 1280, 8192), chip(), narrow=False) == pytest.approx(
        2 * 1280 * 1280 * 8192 / 4e14, rel=1e-12
    )


def test_a_tile_more_takes_a_wave_more() -> None:
    # 101 tiles take two waves: half of the cores' work is asked for, and 1 % more.
    one, more = seconds((1, 1280, 1280, 8192), chip()), seconds((1, 128 * 101, 128, 8192), chip())
    assert more == pytest.approx(2 * one, rel=1e-12)


def test_part_of_a_tile_costs_the_whole_tile() -> None:
    assert seconds((1, 1280, 1153, 8192), chip()) == pytest.approx(seconds((1, 1280, 1280, 8192), chip()), rel=1e-12)


def test_shallow_products_are_slow() -> None:
    deep = seconds((1, 12800, 12800, 1000), chip())
    assert seconds((1, 12800, 12800, 1000), chip(depth=1000.0)) == pytest.approx(2 * deep, rel=1e-12)


def test_thin_products_are_bound_by_memory() -> None:
    # 2 (1 x 4096 + 4096 x 4096 + 1 x 4096) bytes at 8 TB/s.
    assert seconds((1, 1, 4096, 4096), chip()) == pytest.approx(2 * (2 * 4096 + 4096**2) / 8e12, rel=1e-12)


def test_the_longer_of_device_and_host_counts() -> None:
    assert float(kernels.at_least(array(1.0), array(0.0))[0]) == 1.0
    assert float(kernels.at_least(array(0.0), array(2.0))[0]) == 2.0
    assert float(kernels.at_least(array(1.0), array(1.0))[0]) == pytest.approx(2**0.125, rel=1e-12)


def test_products_that_add_to_sums_move_them_beside_their_arithmetic() -> None:
    # 1280 x 1280 x 8192 / (0.5 x 1e15) of arithmetic; 2 (2 x 1280 x 8192) + 8 x 1280^2 bytes at 8 TB/s; order 2.
    sizes = tuple(map(array, (1.0, 1280.0, 1280.0, 8192.0)))
    arithmetic, moved = 2 * 1280 * 1280 * 8192 / 5e14, (4 * 1280 * 8192 + 8 * 1280**2) / 8e12
    found = float(kernels.adding_seconds((sizes[0], sizes[1], sizes[2], sizes[3]), chip())[0])
    assert found == pytest.approx((arithmetic**2 + moved**2) ** 0.5, rel=1e-12)
