"""The traced costs of dense and convolutional networks against closed forms."""

from __future__ import annotations

import pytest

from dcsim.errors import InputError
from dcsim.scenario.workload import CnnModel, MlpModel
from dcsim.workload.operation import StepCosts
from dcsim.workload.step import Recipe
from dcsim.workload.trace import trace

MLP = MlpModel(family="mlp", inputs=784, hidden=(512, 256), classes=10)
CNN = CnnModel(family="cnn", image=8, channels=(3, 4, 5), classes=10)


def total(costs: StepCosts, kind: str, phase: str) -> float:
    return sum(o.flops * o.count for o in costs.operations if o.kind == kind and o.phase == phase)


def test_mlp_products() -> None:
    """Forward 2B(784 512 + 512 256 + 256 10); backward twice that but for the input's own gradient."""
    costs = trace(Recipe(MLP), 32)
    first, rest = 784 * 512, 512 * 256 + 256 * 10
    assert total(costs, "matmul", "forward") == 2 * 32 * (first + rest)
    assert total(costs, "matmul", "backward") == 2 * 32 * (first + 2 * rest)
    assert costs.parameters == first + rest + 512 + 256 + 10
    assert costs.sample_bytes == 785
    assert costs.tokens_per_sample == 1
    assert [g.name for g in costs.gradients][-1] == "layer0/weight"


def test_cnn_counts_the_taps_that_meet_the_image() -> None:
    """A 3-tap kernel over 8 pixels meets 3 x 8 - 2 = 22 pairs of pixel and tap, over 4 pixels 3 x 4 - 2 = 10."""
    costs = trace(Recipe(CNN), 2)
    first, second = 2 * 2 * 3 * 4 * 22**2, 2 * 2 * 4 * 5 * 10**2
    assert total(costs, "convolution", "forward") == first + second
    # gradients: of both kernels and of the second convolution's input, each with the same pairs
    assert total(costs, "convolution", "backward") == first + 2 * second
    assert total(costs, "matmul", "forward") == 2 * 2 * (2 * 2 * 5) * 10
    assert not costs.warnings
    assert costs.sample_bytes == 8 * 8 * 3 + 1


def test_an_image_pooled_away_is_an_error() -> None:
    with pytest.raises(InputError, match="at least 16 for 4 poolings"):
        trace(Recipe(CnnModel(family="cnn", image=8, channels=(1, 2, 2, 2, 2), classes=2)), 1)
