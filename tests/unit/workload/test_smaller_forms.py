"""Smaller forms of models: rounded, pruned, distilled, and what their kernels do."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError

from dcsim.parallel.schedule import ring_all_reduce
from dcsim.scenario.inference import Inference
from dcsim.scenario.workload import Job
from dcsim.workload.costs import inference_costs
from dcsim.workload.execute import Execution
from dcsim.workload.models import family
from dcsim.workload.operation import Operation
from dcsim.workload.smaller import Form, forms, int8, operations, pruning, units

JOB = {
    "name": "learn",
    "model": {"family": "mlp", "inputs": 13, "hidden": [64], "classes": 3},
    "precision": "fp32",
    "optimizer": {"learning_rate": 1e-2},
    "batch": {"global": 32, "micro": 8},
    "parallel": {"data": 4},
    "steps": 60,
}
STUDENT = {"family": "mlp", "inputs": 13, "hidden": [4], "classes": 3}
ASKED = [
    "bf16",
    "int8",
    {"kind": "prune", "share": "60 %"},
    {"kind": "prune", "share": "99 %"},
    {"kind": "prune", "pattern": "2:4"},
    {"kind": "prune", "pattern": "units", "share": "50 %"},
    {"kind": "distil", "model": STUDENT, "steps": "150 steps", "batch": 32},
]


def job(smaller: Any, **other: Any) -> Job:
    execute = {"data": "wine", "validate": {"every": "10 steps", "share": "30 %"}, "smaller": smaller}
    return Job.model_validate(JOB | other | {"execute": execute})


@pytest.fixture(scope="module")
def made() -> dict[str, Form]:
    given = job(ASKED)
    run = Execution(given.model, given, 4, 7)  # type: ignore[arg-type]
    for _ in range(60):
        run.step(ring_all_reduce(4))
    return {form.name: form for form in forms(run, given.model, given)}  # type: ignore[arg-type]


def test_sizes_are_those_of_the_arrays(made: dict[str, Form]) -> None:
    """13 x 64 and 64 x 3 weights, 67 biases: 1091 numbers."""
    matrices, biases = 13 * 64 + 64 * 3, 64 + 3
    sizes = {name: form.weight_bytes for name, form in made.items()}
    assert sizes["as trained"] == 4 * (matrices + biases)
    assert sizes["bf16"] == 2 * (matrices + biases)
    assert sizes["int8"] == matrices + 4 * (64 + 3) + 4 * biases
    gone = round(0.6 * matrices)
    assert sizes["pruned 60 %"] == 4 * (matrices - gone) + matrices / 8 + 4 * biases
    # 13 inputs are no multiple of four and stay; of 64 two of four are kept, with two bits each
    assert sizes["pruned 2:4"] == 4 * 13 * 64 + 64 * 3 / 2 * 4.25 + 4 * biases
    assert sizes["50 % of units out"] == 4 * (13 * 32 + 32 + 32 * 3 + 3)
    assert sizes["distilled to mlp"] == 4 * (13 * 4 + 4 + 4 * 3 + 3)


def test_forms_are_judged_for_real(made: dict[str, Form]) -> None:
    """Little is lost by rounding, more by pruning; of 1 % of the weights little is left."""
    accuracy = {name: form.accuracy or 0.0 for name, form in made.items()}
    assert accuracy["as trained"] > 0.9
    for name in ("bf16", "int8", "pruned 2:4", "50 % of units out", "distilled to mlp"):
        assert accuracy[name] > accuracy["as trained"] - 0.1, name
    assert made["bf16"].loss == pytest.approx(made["as trained"].loss, rel=0.05, abs=0.01)
    assert made["int8"].loss != made["as trained"].loss
    assert made["pruned 99 %"].loss > made["pruned 60 %"].loss > 0.0
    assert accuracy["pruned 99 %"] < accuracy["as trained"]


def test_weights_have_255_levels_a_column() -> None:
    matrix = np.array([[1.0, 10.0], [-0.5, 127.0]], np.float32)
    found, size = int8.weights([matrix, np.array([0.3], np.float32)])
    # Scales 1/127 and 1: -0.5 is 63.5 levels, rounded to the even 64.
    assert found.tolist() == pytest.approx([1.0, 10.0, -64 / 127, 127.0, 0.3], rel=1e-6)
    assert size == 4 + 2 * 4 + 4
    again, _ = int8.weights([found[:4].reshape(2, 2)])
    assert again == pytest.approx(found[:4], rel=1e-6), "rounding again changes nothing"


def test_products_are_those_of_integers_and_scales() -> None:
    draws = np.random.default_rng(1)
    left, right = (draws.normal(size=shape).astype(np.float32) for shape in ((5, 16), (16, 7)))
    scales = np.abs(left).max(axis=1, keepdims=True) / 127, np.abs(right).max(axis=0, keepdims=True) / 127
    codes = np.rint(left / scales[0]).astype(np.int64), np.rint(right / scales[1]).astype(np.int64)
    exact = (codes[0] @ codes[1]) * scales[0] * scales[1]

    def inside(a: Any, b: Any) -> Any:
        return jax.jit(lambda x: jnp.maximum(x @ b, -jnp.inf))(a)

    assert np.asarray(int8.products(inside)(left, right)) == pytest.approx(exact, rel=1e-5, abs=1e-5)

    def loop(a: Any, b: Any) -> Any:
        return jax.lax.scan(lambda carry, row: (carry + row @ b, row @ b), jnp.zeros(7), a)

    total, rows = int8.products(loop)(left, right)
    each = np.stack([np.asarray(int8.products(lambda a, b: a @ b)(row, right)) for row in left])
    assert np.asarray(rows) == pytest.approx(each, rel=1e-5, abs=1e-5)
    assert np.asarray(total) == pytest.approx(each.sum(axis=0), rel=1e-4, abs=1e-4)


def test_convolutions_round_by_image_and_by_output_channel() -> None:
    draws = np.random.default_rng(2)
    images, kernel = (draws.normal(size=shape).astype(np.float32) for shape in ((2, 5, 5, 3), (3, 3, 3, 4)))

    def convolve(a: Any, b: Any) -> Any:
        return jax.lax.conv_general_dilated(a, b, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    by_image = np.rint(images * 127 / np.abs(images).max(axis=(1, 2, 3), keepdims=True))
    by_image *= np.abs(images).max(axis=(1, 2, 3), keepdims=True) / 127
    by_channel = np.rint(kernel * 127 / np.abs(kernel).max(axis=(0, 1, 2))) * np.abs(kernel).max(axis=(0, 1, 2)) / 127
    exact = np.asarray(convolve(by_image.astype(np.float32), by_channel.astype(np.float32)))
    assert np.asarray(int8.products(convolve)(images, kernel)) == pytest.approx(exact, rel=1e-4, abs=1e-4)


def test_the_smallest_weights_go_wherever_they_are() -> None:
    leaves = [np.array([[4.0, -1.0], [3.0, 0.5]]), np.array([9.0]), np.array([[0.1], [7.0]])]
    found, size = pruning.smallest([leaf.astype(np.float32) for leaf in leaves], 0.5)
    assert found.tolist() == [4.0, 0.0, 3.0, 0.0, 9.0, 0.0, 7.0]
    assert size == (4 * 2 + 4 / 8) + 4 + (4 + 2 / 8)


def test_two_of_every_four_inputs_stay() -> None:
    matrix = np.array([[1.0], [-5.0], [3.0], [2.0], [0.0], [0.0], [1.0], [0.0]], np.float32)
    found, size = pruning.in_fours([matrix])
    assert found.tolist() == [0.0, -5.0, 3.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    assert size == 4 * (4 + 0.25)
    wide = np.random.default_rng(3).normal(size=(2, 8, 5)).astype(np.float32)
    kept = pruning.in_fours([wide])[0].reshape(wide.shape)
    assert np.all((kept.reshape(2, 2, 4, 5) != 0).sum(axis=2) == 2)


def test_those_units_stay_whose_weights_are_largest() -> None:
    """Columns sum to 3, 5, 1 and 4: half of them are the second and the last."""
    assert units.strongest(np.array([[1.0, -5.0, 0.0, 2.0], [-2.0, 0.0, 1.0, 2.0]], np.float32), 0.5).tolist() == [1, 3]
    assert units.strongest(np.ones((2, 4), np.float32), 0.99).tolist() == [0], "one stays"


WITH_UNITS = [
    {"family": "mlp", "inputs": 5, "hidden": [8, 6], "classes": 3},
    {"family": "cnn", "image": 8, "channels": [1, 4, 6], "classes": 3},
    {"family": "vision", "image": 8, "patch": 4, "channels": 1, "classes": 3, "layers": 2, "hidden": 8, "heads": 4},
    {"family": "transformer", "layers": 2, "hidden": 8, "heads": 4, "context": 6, "vocabulary": 11,
     "activation": "swiglu", "bias": False, "positions": "rotary"},
    {"family": "encoder", "layers": 1, "hidden": 8, "heads": 4, "context": 6, "vocabulary": 11, "masked": 3},
]  # fmt: skip


@pytest.mark.parametrize("model", WITH_UNITS, ids=lambda model: model["family"])
def test_a_model_without_silent_units_says_the_same(model: Any) -> None:
    """Half of all units have zeros where they come in and go out, so that taking them out must change nothing."""
    given = Job.model_validate(JOB | {"model": model}).model
    assert not isinstance(given, str)
    members = family(given)  # type: ignore[arg-type]
    full = jax.tree.map(lambda leaf: np.array(leaf) + 0.1, members.init(jax.random.key(3), given))
    whole, half = units.without(full, given, 0.5)
    silent = _silenced(full, given)
    kept, narrower = units.without(silent, given, 0.5)
    assert narrower == half
    shapes = jax.eval_shape(lambda: members.init(jax.random.key(0), narrower))
    assert jax.tree.map(np.shape, kept) == jax.tree.map(np.shape, shapes) == jax.tree.map(np.shape, whole)
    batch = _batch(members.batch(given, 4))
    found = members.judge(kept, batch, narrower).losses
    assert np.asarray(found) == pytest.approx(np.asarray(members.judge(silent, batch, given).losses), rel=5e-6)
    assert np.abs(found - members.judge(whole, batch, half).losses).max() > 1e-4


def _batch(shapes: Any) -> Any:
    draws = np.random.default_rng(5)
    real = {name: draws.normal(size=leaf.shape) for name, leaf in shapes.items()}
    return {
        name: leaf.astype(np.float32) if shapes[name].dtype == np.float32 else draws.integers(0, 2, leaf.shape)
        for name, leaf in real.items()
    }


def _silenced(tree: Any, spec: Any) -> Any:
    """Every other unit of every layer with zeros: what comes in, what goes out, biases."""
    tree = jax.tree.map(np.copy, tree)
    if spec.family == "mlp":
        for index in range(2):
            tree[f"layer{index}"]["weight"][:, ::2] = tree[f"layer{index}"]["bias"][::2] = 0.0
    elif spec.family == "cnn":
        for index in range(2):
            tree[f"convolution{index}"]["weight"][..., ::2] = tree[f"convolution{index}"]["bias"][::2] = 0.0
    else:
        blocks, width = tree["blocks"], spec.width_of_head
        columns = np.concatenate([np.arange(width) + 2 * head * width for head in range(6)])  # of 3 x 4 heads
        for layer, out in (("query_key_value", columns), ("expand", np.arange(0, spec.inner, 2))):
            for leaf in blocks[layer].values():
                leaf[..., out] = 0.0
        for leaf in blocks.get("gate", {}).values():
            leaf[..., ::2] = 0.0
    return tree


def product(dtype: str = "bf16") -> Operation:
    """(1, 4, 8, 16): operands of 4 x 16 and 16 x 8, a result of 4 x 8, two bytes each."""
    size = 2.0 * (64 + 128 + 32)
    return Operation("dot_general", "matmul", "forward", dtype, (1, 4, 8, 16), 1024.0, size, size)


def test_eight_bit_kernels_read_a_byte_an_element() -> None:
    (found,) = operations.in_int8([product()])
    assert (found.dtype, found.flops) == ("int8", 1024.0)
    assert found.bytes == found.bytes_fused == 64 + 128 + 2 * 32
    other = Operation("add", "elementwise", "forward", "bf16", (4,), 4.0, 24.0, 24.0)
    assert list(operations.in_int8([other])) == [other]


def test_an_inference_step_in_eight_bits_reads_fewer_bytes_and_runs_at_their_rate() -> None:
    """The names of number formats are those of traced programs: every product is taken, and nothing else."""
    given = job([])
    plain = inference_costs(given.model, "bf16", Inference(step="score"), 8).operations  # type: ignore[arg-type]
    narrow = list(operations.in_int8(plain))
    products = [(old, new) for old, new in zip(plain, narrow, strict=True) if old.kind == "matmul"]
    assert len(products) >= 2
    assert all((old.dtype, new.dtype) == ("bf16", "int8") and new.bytes < old.bytes for old, new in products)
    assert all(old == new for old, new in zip(plain, narrow, strict=True) if old.kind != "matmul")


def test_kernels_of_two_in_four_read_fewer_weights() -> None:
    """128 weights of two bytes: 64 of two bytes and two bits are left."""
    (found,) = operations.in_fours([product()], 2)
    assert found.bytes == pytest.approx(2 * (64 + 32) + 64 * 2.25)


@pytest.mark.parametrize(
    ("smaller", "message"),
    [
        (["int4"], "'bf16' or 'int8'"),
        ([{"kind": "prune", "pattern": "units"}], "a share, or the pattern 2:4"),
        ([{"kind": "prune"}], "a share, or the pattern 2:4"),
        ([{"kind": "distil", "model": {**STUDENT, "inputs": 4}, "steps": "5 steps"}], "13 numbers"),
    ],
)
def test_what_cannot_be_made_smaller_is_told(smaller: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        job(smaller)
