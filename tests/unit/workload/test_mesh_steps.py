"""Steps written with shard_map over a mesh of any size: one rank's share, collectives with axis, bytes and order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dcsim.errors import ScenarioError
from dcsim.parallel.meshed import meshed
from dcsim.parallel.program import Collective, Compute, Program, Read, Wait
from dcsim.scenario.user import UserModel
from dcsim.workload.costs import CostRequest, costs
from dcsim.workload.operation import Group, StepCosts

CODE = """
import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import AbstractMesh, AxisType
from jax.sharding import PartitionSpec as P

SPLIT = {"up": P(None, None, "model"), "down": P(None, "model", None)}


def init():
    return {"up": jnp.zeros((3, 16, 64)), "down": jnp.zeros((3, 64, 16))}


def loss(weights, x):
    def layer(stream, own):
        return stream + lax.psum(jax.nn.relu(stream @ own["up"]) @ own["down"], "model"), None

    return jnp.mean(jnp.square(lax.scan(layer, x, weights)[0]))


def gradients(weights, x):
    value, found = jax.value_and_grad(loss)(weights, x)
    return lax.pmean(value, "data"), jax.tree.map(lambda g: lax.psum(g, "data"), found)


def update(weights, moments, found):
    moments = jax.tree.map(lambda m, g: 0.9 * m + g, moments, found)
    return jax.tree.map(lambda w, m: w - 0.1 * m, weights, moments), moments


def inside(weights, moments, x):
    def local(weights, moments, x):
        value, found = gradients(weights, x)
        return *update(weights, moments, found), value

    specs = (SPLIT, SPLIT, P("data"))
    return jax.shard_map(local, in_specs=specs, out_specs=(SPLIT, SPLIT, P()), check_vma=False)(weights, moments, x)


def outside(weights, moments, x):
    sharded = jax.shard_map(gradients, in_specs=(SPLIT, P("data")), out_specs=(P(), SPLIT), check_vma=False)
    value, found = sharded(weights, x)
    return *update(weights, moments, found), value


def beside(weights, moments, x):
    return inside(weights, moments, x)[0]["up"] @ weights["down"]


def plain(weights, moments, x):
    return loss({name: array for name, array in weights.items()}, x) if False else x.sum()


def every(x):
    def local(x):
        gathered = lax.all_gather(x, "model", axis=1, tiled=True)
        scattered = lax.psum_scatter(gathered, "model", scatter_dimension=1, tiled=True)
        swapped = lax.all_to_all(scattered, "data", 0, 0, tiled=True)
        shifted = lax.ppermute(swapped, "model", [(0, 1), (1, 0)])
        return lax.pmax(shifted, ("data", "model")) + lax.axis_index("data")

    return jax.shard_map(local, in_specs=P("data", "model"), out_specs=P("data", "model"), check_vma=False)(x)


def half(x):
    mesh = AbstractMesh((4, 2), ("data", "model"), axis_types=(AxisType.Auto,) * 2)
    local = lambda x: lax.psum(x, "data")
    return jax.shard_map(local, mesh=mesh, in_specs=P("data"), out_specs=P(), axis_names={"data"}, check_vma=False)(x)
"""
MESH = {"data": 4, "model": 2}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DCSIM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "sharded.py").write_text(CODE)
    return tmp_path


def traced(folder: Path, name: str, mesh: dict[str, int] | None = None, **keys: Any) -> StepCosts:
    arguments = {"weights": "sharded:init", "moments": "sharded:init", "x": "float32[micro, 16]"}
    given = {"function": f"sharded:{name}", "arguments": arguments, "mesh": MESH if mesh is None else mesh, **keys}
    return costs(CostRequest(UserModel.model_validate(given), "", "", 80, folder))


def refusal(folder: Path, name: str, **keys: Any) -> str:
    with pytest.raises(ScenarioError) as caught:
        traced(folder, name, **keys)
    return str(caught.value)


def test_shapes_are_those_of_one_rank(folder: Path) -> None:
    """80 samples over 4 are 20 a rank, 64 columns over 2 are 32: six products of 2 x 20 x 16 x 32 a layer."""
    found = traced(folder, "inside")
    products = [o for o in found.operations if o.kind == "matmul"]
    assert sum(o.flops * o.count for o in products) == 3 * 6 * (2 * 20 * 16 * 32)
    assert found.parameters == 2 * 3 * 16 * 64
    assert found.parameter_bytes == found.optimizer_bytes == 4 * found.parameters / 2  # over two columns
    assert found.state_bytes == 2 * 4 * found.parameters
    assert found.sample_bytes == 4 * 16


def test_collectives_are_read_with_axis_bytes_and_order(folder: Path) -> None:
    found = [(e.group, e.size_bytes) for e in traced(folder, "inside").exchanges]
    model, data = Group("all-reduce", ("model",)), Group("all-reduce", ("data",))
    activations, weights = 20 * 16 * 4, 3 * 16 * 32 * 4
    assert found[:6] == [(model, activations)] * 6  # forward and backward of three layers
    assert sorted(found[6:], key=lambda each: each[1]) == [(data, 4), (data, weights), (data, weights)]


def test_every_collective_has_its_kind_and_payload(folder: Path) -> None:
    """80 x 16 floats over 4 x 2: a rank holds 20 x 8; gathered over two columns it has 20 x 16."""
    found = traced(folder, "every", arguments={"x": "float32[micro, 16]"}).exchanges
    assert [(e.group.kind, e.group.axes, e.size_bytes) for e in found] == [
        ("all-gather", ("model",), 20 * 16 * 4),
        ("reduce-scatter", ("model",), 20 * 16 * 4),
        ("all-to-all", ("data",), 20 * 8 * 4),
        ("permute", ("model",), 20 * 8 * 4),
        ("all-reduce", ("data", "model"), 20 * 8 * 4),
    ]
    assert found[3].group.pairs == ((0, 1), (1, 0))


def test_an_update_outside_of_shard_map_costs_a_rank_its_share(folder: Path) -> None:
    inner, outer = traced(folder, "inside"), traced(folder, "outside")
    for name in ("parameter_bytes", "optimizer_bytes", "residual_bytes", "state_bytes"):
        assert getattr(inner, name) == getattr(outer, name)
    totals = [
        {p: sum(o.bytes * o.count for o in f.operations if o.phase == p and o.shape) for p in ("backward", "optimizer")}
        for f in (inner, outer)
    ]
    assert totals[0] == totals[1]
    assert [e.size_bytes for e in inner.exchanges] == [e.size_bytes for e in outer.exchanges]


def test_sixteen_thousand_ranks_are_as_quick_as_eight(folder: Path) -> None:
    found = traced(folder, "inside", {"data": 8192, "model": 2}, arguments={
        "weights": "sharded:init", "moments": "sharded:init", "x": "float32[163840, 16]",
    })  # fmt: skip
    assert found.operations == traced(folder, "inside").operations
    assert meshed(found, 0.0, overlap=True).ranks == 16384


def test_an_axis_of_one_rank_needs_no_collective(folder: Path) -> None:
    found = traced(folder, "inside", {"data": 4, "model": 1})
    assert {e.group.axes for e in found.exchanges} == {("data",)}


def test_a_result_is_awaited_where_it_is_read(folder: Path) -> None:
    """The sum of a layer is read by the addition right after it, gradients by the update at the end."""
    found = traced(folder, "inside")
    layers, gradients = found.exchanges[:6], [e for e in found.exchanges[6:] if e.size_bytes > 4]
    assert all(e.ready == e.issued == e.needed for e in layers)
    for each in gradients:
        assert each.ready < each.issued <= each.needed
        assert found.operations[found.sequence[each.needed][0]].phase == "optimizer"


def instructions(program: Program, kind: type) -> list[Any]:
    return [each for each in program.instructions if isinstance(each, kind)]


def test_the_program_has_all_operations_and_collectives(folder: Path) -> None:
    found = traced(folder, "inside")
    for overlap in (True, False):
        program = meshed(found, 12.0, overlap)
        executed = sum(o.flops * times for c in instructions(program, Compute) for o, times in c.operations)
        assert executed == sum(o.flops * o.count for o in found.operations)
        assert len(instructions(program, Collective)) == len(found.exchanges) == 9
        assert instructions(program, Read) == [Read(12.0)]


def test_a_reduction_begins_as_soon_as_its_operands_are_complete(folder: Path) -> None:
    found = traced(folder, "inside")
    kinds = [type(each).__name__ for each in meshed(found, 0.0, overlap=True).instructions]
    assert "Collective Compute Wait" in " ".join(kinds)  # a gradient travels beside kernels
    blocking = meshed(found, 0.0, overlap=False).instructions
    after = [blocking[i + 1] for i, each in enumerate(blocking) if isinstance(each, Collective)]
    assert all(isinstance(each, Wait | Collective) for each in after)


def test_equal_stretches_are_one_object(folder: Path) -> None:
    computes = instructions(meshed(traced(folder, "inside"), 0.0, overlap=False), Compute)
    assert len({id(each) for each in computes}) < len(computes)


def test_a_mesh_that_the_scenario_does_not_state(folder: Path) -> None:
    text = refusal(folder, "half", mesh={}, arguments={"x": "float32[80, 16]"})
    assert "found shard_map over the mesh {data: 4, model: 2}" in text
    assert "expected in the scenario under model: mesh: {data: 4, model: 2}" in text
    assert "sharded.py:" in text


def test_an_axis_left_to_the_compiler(folder: Path) -> None:
    text = refusal(folder, "half", arguments={"x": "float32[80, 16]"})
    assert "found shard_map that leaves the axis model to the compiler" in text


def test_products_outside_of_shard_map_on_divided_arrays(folder: Path) -> None:
    text = refusal(folder, "beside")
    assert "found dot_general outside of shard_map on arrays that are divided over ranks" in text


def test_a_mesh_without_shard_map(folder: Path) -> None:
    assert "found a function without jax.shard_map for the mesh {data: 4, model: 2}" in refusal(folder, "plain")
