"""Functions of the user's own: where they are found, what their digest covers, what they cost, how they go wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from dcsim.errors import ScenarioError
from dcsim.scenario.user import UserModel
from dcsim.workload.costs import CostRequest, costs
from dcsim.workload.operation import StepCosts
from dcsim.workload.user import NotFoundError, code_of, key_of

STEP = """
import jax
import jax.numpy as jnp
import optax

from layers import forward

OPTIMIZER = optax.adam(1e-3)


def init():
    return {"first": jnp.zeros((8, 16)), "second": jnp.zeros((16, 4))}


def state():
    return OPTIMIZER.init(init())


def loss(weights, batch):
    return jnp.mean((forward(weights, batch["x"] / 255) - batch["y"]) ** 2)


def step(weights, state, batch):
    error, gradients = jax.value_and_grad(loss)(weights, batch)
    changes, state = OPTIMIZER.update(gradients, state, weights)
    return optax.apply_updates(weights, changes), state, error


def predict(weights, batch):
    return forward(weights, batch)


def everything(micro):
    both = {"x": jax.ShapeDtypeStruct((micro, 8), jnp.float32), "y": jax.ShapeDtypeStruct((micro, 4), jnp.float32)}
    return {"weights": init(), "state": state(), "batch": both}
"""
LAYERS = """
import jax


def forward(weights, x):
    return jax.nn.relu(x @ weights["first"]) @ weights["second"]
"""
BATCH = {"x": "float32[micro, 8]", "y": "float32[micro, 4]"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DCSIM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mine.py").write_text(STEP)
    (tmp_path / "layers.py").write_text(LAYERS)
    return tmp_path


def described(function: str = "mine:step", **keys: Any) -> UserModel:
    arguments = {"weights": "mine:init", "state": "mine:state", "batch": BATCH}
    return UserModel.model_validate({"function": function, "arguments": arguments, **keys})


def traced(model: UserModel, folder: Path, micro: int = 5) -> StepCosts:
    return costs(CostRequest(model, "", "", micro, folder))


def flops(found: StepCosts, phase: str) -> float:
    return sum(o.flops * o.count for o in found.operations if o.kind == "matmul" and o.phase == phase)


def failure(folder: Path, body: str, **keys: Any) -> str:
    (folder / "layers.py").write_text(body)
    with pytest.raises(ScenarioError) as caught:
        traced(described(**keys), folder)
    return str(caught.value)


def test_a_whole_step_is_cut_into_its_phases(folder: Path) -> None:
    """Forward 2 x 5 x (8 x 16 + 16 x 4); backward the same for the weights, and the second layer's input."""
    found = traced(described(), folder)
    first, second = 2 * 5 * 8 * 16, 2 * 5 * 16 * 4
    assert flops(found, "forward") == first + second
    assert flops(found, "backward") == first + 2 * second
    assert found.parameters == 8 * 16 + 16 * 4
    assert found.parameter_bytes == 4 * found.parameters
    assert found.optimizer_bytes == 8 * found.parameters + 4  # two moments, and the counter of steps
    assert found.sample_bytes == 4 * (8 + 4)
    assert not found.warnings


def test_what_prepares_the_batch_is_forward_and_what_follows_the_gradients_is_the_update(folder: Path) -> None:
    found = traced(described(), folder)
    divisions = [o for o in found.operations if o.name == "div" and o.shape == (5, 8)]
    assert [o.phase for o in divisions] == ["forward"]
    updates = [o for o in found.operations if o.phase == "optimizer" and o.shape == (8, 16)]
    # gradient; weights and two moments, read and written; and two single numbers that correct the moments
    assert sum(o.bytes for o in updates) == 7 * 8 * 16 * 4 + 2 * 4


def test_gradients_are_what_the_update_reads_of_the_backward_pass(folder: Path) -> None:
    found = traced(described(), folder)
    assert sorted((g.elements, g.element_bytes) for g in found.gradients) == [(64, 4.0), (128, 4.0)]
    assert [g.elements for g in found.gradients] == [64, 128]  # the last layer's is ready first
    assert found.gradients[-1].after == len(found.order) - 1


def test_one_function_may_return_all_arguments(folder: Path) -> None:
    whole = traced(described(arguments="mine:everything"), folder)
    parts = traced(described(), folder)
    assert (whole.operations, whole.optimizer_bytes) == (parts.operations, parts.optimizer_bytes)


def test_a_step_without_gradients_is_all_forward(folder: Path) -> None:
    model = described("mine:predict", arguments={"weights": "mine:init", "batch": "float32[micro, 8]"})
    found = traced(model, folder)
    assert {o.phase for o in found.operations} == {"forward"}
    assert (found.gradients, found.order, found.optimizer_bytes) == ((), (), 0)


def test_accumulation_in_a_loop_is_backward(folder: Path) -> None:
    (folder / "mine.py").write_text(
        STEP
        + """

def accumulated(weights, state, batch):
    def one(total, part):
        error, gradients = jax.value_and_grad(loss)(weights, part)
        return jax.tree.map(jnp.add, total, gradients), error

    gradients, errors = jax.lax.scan(one, jax.tree.map(jnp.zeros_like, weights), batch)
    changes, state = OPTIMIZER.update(gradients, state, weights)
    return optax.apply_updates(weights, changes), state, errors.mean()
"""
    )
    batch = {name: text.replace("[", "[3, ") for name, text in BATCH.items()}
    arguments = {"weights": "mine:init", "state": "mine:state", "batch": batch}
    found = traced(described("mine:accumulated", arguments=arguments), folder)
    once = traced(described(), folder)
    assert flops(found, "forward") == 3 * flops(once, "forward")
    assert flops(found, "backward") == 3 * flops(once, "backward")
    assert sorted(g.elements for g in found.gradients) == [64, 128]


def test_the_digest_covers_every_file_that_is_imported(folder: Path) -> None:
    code = code_of(described(), folder)
    assert [file.name for file in code.files] == ["layers.py", "mine.py"]
    assert "optax" in code.packages
    before = code.digest()
    (folder / "unrelated.py").write_text("x = 1")
    assert code_of(described(), folder).digest() == before
    (folder / "layers.py").write_text(LAYERS + "\n# changed\n")
    assert code_of(described(), folder).digest() != before


def test_changed_code_is_traced_anew(folder: Path) -> None:
    first = traced(described(), folder)
    (folder / "layers.py").write_text(LAYERS.replace("jax.nn.relu(x", "jax.nn.relu(2 * x"))
    assert traced(described(), folder) != first


def test_packages_with_relative_imports_are_followed(folder: Path) -> None:
    package = folder / "models" / "deep"
    package.mkdir(parents=True)
    (folder / "models" / "__init__.py").write_text("")
    (package / "__init__.py").write_text("from .net import step")
    (package / "net.py").write_text("from .. import shared\n\n\ndef step(w, x):\n    return shared.apply(w, x)")
    (folder / "models" / "shared.py").write_text("def apply(w, x):\n    return x @ w")
    model = described("models.deep:step", arguments={"w": "float32[4, 4]", "x": "float32[micro, 4]"})
    names = {file.relative_to(folder).as_posix() for file in code_of(model, folder).files}
    assert names == {"models/__init__.py", "models/deep/__init__.py", "models/deep/net.py", "models/shared.py"}
    assert flops(traced(model, folder), "forward") == 2 * 5 * 4 * 4
    assert not [name for name in sys.modules if name.startswith("models")]


def test_code_is_not_executed_to_be_found(folder: Path) -> None:
    (folder / "loud.py").write_text("raise SystemExit(3)")
    assert code_of(described("loud:step"), folder).files


def test_modules_of_the_same_name_do_not_meet(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    (other / "mine.py").write_text("def step(w, x):\n    return x @ w @ w")
    model = described("mine:step", arguments={"w": "float32[4, 4]", "x": "float32[micro, 4]"})
    assert flops(traced(described(), folder), "forward") != flops(traced(model, other), "forward") == 4 * 5 * 4 * 4


def test_a_module_that_is_nowhere(folder: Path) -> None:
    with pytest.raises(NotFoundError, match=r'no file of the module "absent", expected absent\.py in'):
        traced(described("absent:step"), folder)


def test_a_function_that_is_nowhere_names_the_nearest(folder: Path) -> None:
    with pytest.raises(NotFoundError, match=r'no function "stepp" in .*mine\.py.*did you mean "step"'):
        traced(described("mine:stepp"), folder)


def test_what_is_nowhere_is_blamed_on_the_key_that_names_it(folder: Path) -> None:
    arguments = {"w": "mine:absent", "x": {"a": ["absent:make", 3]}}
    model = UserModel.model_validate({"function": "mine:step", "arguments": arguments})
    assert key_of(model, "mine:step") == "function"
    assert key_of(model, "mine:absent") == "arguments.w"
    assert key_of(model, "absent") == "arguments.x.a"
    with pytest.raises(NotFoundError, match=r'no file of the module "absent"') as caught:
        traced(model, folder)
    assert caught.value.name == "absent"


def test_code_that_cannot_be_imported_names_its_line(folder: Path) -> None:
    assert "layers.py:1: found code that is not importable (ModuleNotFoundError" in failure(folder, "import absent_pkg")
    assert "python -m pip install absent_pkg" in failure(folder, "import absent_pkg")
    assert "layers.py:2: found code that is no Python" in failure(folder, "x = 1\nif:")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("if x.sum() > 0: x = -x", "jax.lax.cond"),
        ("x = x[x > 0]", "jnp.where"),
        ("x = x @ x", "can be traced with the arguments"),
        ("exit(1)", "can be traced"),
    ],
)
def test_code_that_cannot_be_traced_names_its_line(folder: Path, line: str, expected: str) -> None:
    text = failure(folder, f"def forward(weights, x):\n    {line}\n    return x @ weights['first'] @ weights['second']")
    assert "layers.py:2: found code that is not traceable (" in text
    assert expected in text


ENDLESS = """
import jax


def forward(weights, x):
    x = jax.lax.while_loop(lambda v: v.sum() < 1, lambda v: v * 2, x)
    return x @ weights["first"] @ weights["second"]
"""


def test_a_loop_of_unknown_length_asks_for_it_and_takes_it(folder: Path) -> None:
    model = described("mine:predict", arguments={"weights": "mine:init", "batch": "float32[micro, 8]"})
    (folder / "layers.py").write_text(ENDLESS)
    with pytest.raises(ScenarioError, match=r'layers\.py:6: found a while loop.*trips: \{"layers\.py:6": 20\}'):
        traced(model, folder)
    known = model.model_copy(update={"trips": {"layers.py:6": 7}})
    looped = [o for o in traced(known, folder).operations if o.count == 7]
    # a trip doubles 40 numbers and, for its condition, sums them and compares
    assert sum(o.flops for o in looped) == 40 + 39 + 1


def test_keys_that_name_no_argument(folder: Path) -> None:
    with pytest.raises(ScenarioError, match=r'mine\.py:\d+: found the key "batch: data".*weights, state, batch'):
        traced(described(batch="data"), folder)
