"""Every model of the catalogue: its parameters as published, its traced products by closed form."""

from __future__ import annotations

from functools import cache
from math import prod
from pathlib import Path

import jax
import pytest

from dcsim import units
from dcsim.catalogue.reader import Entry
from dcsim.catalogue.shelf import Shelf
from dcsim.scenario.models import DetectorModel, MixtureModel, ModelSpec
from dcsim.workload.closed_form import training, update
from dcsim.workload.models import family
from dcsim.workload.operation import StepCosts
from dcsim.workload.step import Recipe
from dcsim.workload.trace import trace

SHELF = Shelf()
OWN = ("char-gpt", "cnn-mnist")  # shapes that nobody published
PRESETS = SHELF.names("models")


@cache
def model(name: str) -> ModelSpec:
    return SHELF.model(name)


@cache
def traced(name: str) -> StepCosts:
    return trace(Recipe(model(name), "bf16", "adamw"), 1)


def stated(name: str, field: str) -> Entry:
    found = SHELF.fields("models", name)[field]
    assert isinstance(found, Entry)
    return found


def counted(name: str) -> int:
    shapes = jax.eval_shape(lambda: family(model(name)).init(jax.random.key(0), model(name)))
    return sum(prod(leaf.shape) for leaf in jax.tree.leaves(shapes))


@pytest.mark.parametrize("name", PRESETS)
def test_parameters_are_those_published(name: str) -> None:
    assert counted(name) == stated(name, "parameters").value
    assert stated(name, "parameters").source
    assert name in OWN or stated(name, "published").source


ROUNDED = {
    # name: (published [parameters], half of its last digit)
    "mlp-mnist": (267e3, 0.5e3),
    "gpt2-small": (124e6, 0.5e6),
    "gpt2-xl": (1558e6, 0.5e6),
    "gpt3-175b": (175.0e9, 0.5e9),  # the paper rounds to 175.0 B; the shape of its table has 174.6 G
    "bloom-176b": (176_247e6, 0.5e6),
    "llama2-70b": (70e9, 1.1e9),  # 68.98 G: the name rounds up
    "llama3-405b": (405e9, 1e9),
    "nemotron4-340b": (9.4e9 + 331.6e9, 0.1e9),
    "bert-base": (110e6, 0.5e6),
    "bert-large": (340e6, 4e6),  # the paper rounds up 336 M
    "vit-b-16": (86e6, 0.6e6),
    "vit-l-16": (307e6, 3e6),  # the paper counts another head: 304.3 M with 1000 classes, 303.3 M with none
    "vit-h-14": (632e6, 0.5e6),
    "resnet-18": (11.7e6, 0.05e6),
    "resnet-50": (25.6e6, 0.05e6),
    "lstm-ptb-medium": (20e6, 0.5e6),
    "lstm-ptb-large": (66e6, 0.5e6),
    "dlrm-kaggle": (5.4e8, 0.05e8),
    "mixtral-8x7b": (47e9, 0.5e9),
    "mixtral-8x22b": (141e9, 0.5e9),
    "deepseek-v3": (671e9, 0.5e9),
    "gpt-oss-120b": (116.83e9, 0.005e9),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_the_rounded_number_of_the_paper_is_near(name: str) -> None:
    published, half = ROUNDED[name]
    assert stated(name, "parameters").value == pytest.approx(published, abs=half)


def products(costs: StepCosts) -> float:
    """FLOPs of matrix products and convolutions, a token."""
    kinds = ("matmul", "convolution")
    return sum(o.flops * o.count for o in costs.operations if o.kind in kinds) / costs.tokens_per_sample


def all_else(costs: StepCosts) -> float:
    """FLOPs of forward and backward pass that are no products, a token."""
    kinds = ("matmul", "convolution")
    rest = (o for o in costs.operations if o.kind not in kinds and o.phase != "optimizer")
    return sum(o.flops * o.count for o in rest) / costs.tokens_per_sample


@pytest.mark.parametrize("name", SHELF.names("models"))
def test_the_flops_of_a_token_equal_the_closed_form(name: str) -> None:
    """Products exactly, the total to a tenth of a percent: of it 0.04 % to 7 % are no products."""
    costs, form = traced(name), training(model(name)) * (1 / model(name).tokens_per_sample)
    assert products(costs) == pytest.approx(form.products, rel=1e-12)
    assert products(costs) + all_else(costs) == pytest.approx(form.total, rel=1e-3)
    assert all_else(costs) == pytest.approx(form.rest, rel=0.05)


@pytest.mark.parametrize("image", [17, 75])
def test_detectors_of_other_sizes_follow_the_closed_form(image: int) -> None:
    """Sides of 3, 2, 1 and of 10, 5, 3, 1: both ways of getting coarser, and odd sides before pools."""
    spec = DetectorModel(family="detector", image=image, width=4, convolutions=(1, 2, 1, 1, 2), classes=5)
    costs, form = trace(Recipe(spec, "bf16", "adamw"), 1), training(spec)
    assert products(costs) == pytest.approx(form.products, rel=1e-12)
    assert all_else(costs) == pytest.approx(form.rest, rel=0.1)


@pytest.mark.parametrize("name", SHELF.names("models"))
def test_an_update_takes_eighteen_operations_a_parameter(name: str) -> None:
    costs = traced(name)
    done = sum(o.flops * o.count for o in costs.operations if o.phase == "optimizer")
    assert done == pytest.approx(update(costs.parameters), rel=1e-3)


@pytest.mark.parametrize(
    ("name", "published", "half"),
    [("mixtral-8x7b", 12.9e9, 0.05e9), ("mixtral-8x22b", 39e9, 0.5e9), ("deepseek-v3", 37e9, 0.6e9)],
)
def test_parameters_that_a_token_meets_are_those_published(name: str, published: float, half: float) -> None:
    """All but the experts that were not chosen, each with three matrices."""
    spec = model(name)
    assert isinstance(spec, MixtureModel)
    each = 3 * spec.hidden * spec.inner_of_expert
    met = counted(name) - (spec.layers - spec.dense_layers) * (spec.experts - spec.chosen) * each
    assert met == pytest.approx(published, abs=half)


@pytest.mark.parametrize("name", SHELF.names("models"))
def test_a_preset_is_traced_whole(name: str) -> None:
    costs = traced(name)
    assert costs.warnings == ()
    assert sum(gradient.elements for gradient in costs.gradients) == costs.parameters == counted(name)


def test_the_page_of_presets_is_that_of_today() -> None:
    """Parameters in full, and FLOPs to the digits in print by closed form: other tests hold the traces to both."""
    page = (Path(__file__).parents[2] / "docs/explanation/presets.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| ")]
    printed = {name: (parameters, flops) for name, _, parameters, flops, *_ in rows if name != "model"}
    assert list(printed) == sorted(PRESETS)
    for name, (parameters, flops) in printed.items():
        if name not in OWN:
            assert parameters == f"{stated(name, 'parameters').value:,}", name
        form = training(model(name)).total / model(name).tokens_per_sample
        assert units.parse(flops, "flop") == pytest.approx(form, rel=1e-3), name
