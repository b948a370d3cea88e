"""Compiled modules: what XLA wrote for this project's programs, and small texts that can be counted on paper."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dcsim.errors import InputError, ScenarioError
from dcsim.workload.hlo.program import HloProgram, load, program
from dcsim.workload.hlo.text import parse

FIXTURES = Path(__file__).parents[3] / "fixtures" / "hlo"
HEAD = "HloModule test, num_partitions=8\n\n"
ADD = "%add (a: f32[], b: f32[]) -> f32[] {\n  %a = f32[] parameter(0)\n  %b = f32[] parameter(1)\n" + (
    "  ROOT %c = f32[] add(%a, %b)\n}\n\n"
)


def entry(*lines: str, before: str = ADD) -> HloProgram:
    body = "".join(f"  {line}\n" for line in ("%x = f32[16,4]{1,0} parameter(0)", *lines))
    return program(parse(f"{HEAD}{before}ENTRY %main (x: f32[16,4]) -> f32[] {{\n{body}}}\n", "test.hlo"))


def total(found: HloProgram, what: str) -> float:
    return sum(getattr(operation, what) * operation.count for operation in found.operations)


@pytest.mark.parametrize("name", ["image", "attention"])
def test_counts_are_those_of_xla(name: str) -> None:
    counted = json.loads((FIXTURES / "counted.json").read_text())[name]
    found = load(FIXTURES / f"{name}.hlo")
    assert total(found, "flops") == counted["flops"]
    assert total(found, "transcendentals") == counted["transcendentals"]
    assert total(found, "bytes") == pytest.approx(counted["bytes accessed"], rel=0.001)
    assert not found.warnings


def test_every_collective_of_shard_map_is_read() -> None:
    """Of 8 x 16 floats, 512 B, a device gathers four; each quarter goes through the rest."""
    found = load(FIXTURES / "exchange.hlo")
    rows = [(c.kind, len(c.groups), c.size_bytes, count) for c, count in found.collectives]
    assert rows == [
        ("all-gather", 2, 2048, 1),
        ("reduce-scatter", 2, 2048, 1),
        ("all-reduce", 4, 512, 1),
        ("all-to-all", 2, 512, 1),
        ("permute", 0, 512, 1),
        ("all-reduce", 1, 512, 1),
    ]
    assert found.collectives[4][0].pairs == tuple((i, (i + 4) % 8) for i in (0, 4, 1, 5, 2, 6, 3, 7))
    assert found.devices == 8


def test_loops_multiply_what_is_in_them() -> None:
    """Five layers of 32 x 64 by 64 x 16 on each device: one product forward, two backward, collectives in each trip."""
    found = load(FIXTURES / "layers.hlo")
    products = [(o.phase, o.count, o.flops) for o in found.operations if o.kind == "matmul"]
    assert products == [("forward", 5, 2 * 32 * 64 * 16)] + [("backward", 5, 2 * 32 * 64 * 16)] * 2
    assert sum(count for _, count in found.collectives) == 20
    along = {c.groups for c, _ in found.collectives if c.kind == "all-gather"}
    assert along == {((0, 1, 2, 3), (4, 5, 6, 7))}


def test_asynchronous_pairs_count_once_and_by_what_travels() -> None:
    """The tuple of a start holds input and output; a wrapped start holds its collective in a computation."""
    wrapped = (
        "%wrapped (y: f32[16,4]) -> f32[2,4] {\n  %y = f32[16,4]{1,0} parameter(0)\n"
        "  ROOT %rs = f32[2,4]{1,0} reduce-scatter(%y), replica_groups={}, dimensions={0}, to_apply=%add\n}\n\n"
    )
    found = entry(
        "%g = (f32[16,4]{1,0}, f32[64,4]{1,0}) all-gather-start(%x), replica_groups=[2,4]<=[8], dimensions={0}",
        "%gd = f32[64,4]{1,0} all-gather-done(%g)",
        "%r = f32[16,4]{1,0} all-reduce-start(%x), replica_groups={{0,1,2,3,4,5,6,7}}, to_apply=%add",
        "%rd = f32[16,4]{1,0} all-reduce-done(%r)",
        "%s = ((f32[16,4]{1,0}), f32[2,4]{1,0}, s32[]) async-start(%x), calls=%wrapped",
        "%su = ((f32[16,4]{1,0}), f32[2,4]{1,0}, s32[]) async-update(%s)",
        "ROOT %sd = f32[2,4]{1,0} async-done(%su)",
        before=ADD + wrapped,
    )
    rows = [(c.kind, len(c.groups[0]), c.size_bytes, count) for c, count in found.collectives]
    assert rows == [("all-gather", 4, 4 * 256, 1), ("all-reduce", 8, 256, 1), ("reduce-scatter", 8, 256, 1)]
    assert found.operations == ()


def test_several_tensors_of_one_collective_are_one_payload() -> None:
    found = entry(
        "%y = f32[8]{0} constant({0, 1, 2, 3, 4, 5, 6, 7})",
        "ROOT %r = (f32[16,4]{1,0}, /*index=1*/f32[8]{0}) all-reduce(%x, /*index=1*/%y), "
        "replica_groups={}, to_apply=%add",
    )
    assert [c.size_bytes for c, _ in found.collectives] == [256 + 32]


def test_who_is_alone_exchanges_nothing() -> None:
    lonely = "ROOT %r = f32[16,4]{1,0} all-reduce(%x), replica_groups=[8,1]<=[8], to_apply=%add"
    assert entry(lonely).collectives == ()


def test_names_without_signs_and_shapes_before_operands_are_read() -> None:
    text = "HloModule m\n\nENTRY main {\n  x = f32[3,5] parameter(0)\n  ROOT d = f32[3,3] dot(f32[3,5] x, f32[3,5] x), "
    found = program(parse(text + "lhs_contracting_dims={1}, rhs_contracting_dims={1}\n}\n", "m"))
    assert [(o.flops, o.bytes, o.shape) for o in found.operations] == [(2 * 9 * 5, 4 * (9 + 30), (1, 3, 3, 5))]


def test_a_product_of_a_library_states_its_axes() -> None:
    config = '{"gemm_backend_config":{"dot_dimension_numbers":{"lhs_contracting_dimensions":["1"]}}}'
    found = entry(
        "ROOT %g = (f32[16,16]{1,0}, s8[4096]{0}) custom-call(%x, %x), "
        f'custom_call_target="__cublas$gemm", backend_config={config}'
    )
    assert [(o.kind, o.flops) for o in found.operations] == [("matmul", 2 * 16 * 16 * 4)]


def test_a_custom_call_is_warned_of() -> None:
    found = entry('ROOT %c = f32[16,4]{1,0} custom-call(%x), custom_call_target="mine"')
    assert [(o.kind, o.bytes) for o in found.operations] == [("custom", 512)]
    assert found.warnings[0].startswith('test.hlo:11: custom call "mine": only its operands')


def test_the_costliest_branch_is_taken() -> None:
    one, other = (
        f"%{name} (y: f32[16,4]) -> f32[16,4] {{\n  %y = f32[16,4]{{1,0}} parameter(0)\n  ROOT %z = {done}\n}}\n\n"
        for name, done in (
            ("cheap", "f32[16,4]{1,0} copy(%y)"),
            ("dear", "f32[16,4]{1,0} multiply(%y, %y)"),
        )
    )
    found = entry(
        "%p = s32[] constant(0)",
        "ROOT %c = f32[16,4]{1,0} conditional(%p, %x, %x), branch_computations={%cheap, %dear}",
        before=one + other,
    )
    assert [o.name for o in found.operations] == ["multiply"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%r = f32[16,4] all-reduce(%x), replica_groups=ring(8), to_apply=%add", 'found the replica groups "ring(8)"'),
        ("%r = f32[16,4] frobnicate(%x)", 'found the instruction "frobnicate", for which there is no rule'),
        ("%r = f32[16,4 copy(%x)", "found"),
        ("%r = f7[16] copy(%x)", 'found the number format "f7"'),
        ("%r := f32[16]", 'found "%r := f32[16]", expected an instruction'),
        ("%w = f32[16,4] while(%x), condition=%add, body=%add", "found a while loop of unknown length, expected known"),
        ("%w = f32[16,4] call(%x), to_apply=%gone", 'found the computation "gone", which is not in the file'),
    ],
)
def test_what_is_unknown_is_an_error_with_its_line(line: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        entry(line, "ROOT %end = f32[] constant(0)")
    assert f"test.hlo:11: {message}" in str(caught.value)


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(ScenarioError) as caught:
        entry("%r = f7[16] copy(%x)", "%s = f6[16] copy(%x)")
    assert [problem.line for problem in caught.value.problems] == [11, 12]


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.hlo"
    with pytest.raises(InputError, match="No such file"):
        load(path)
    path.write_text("# A title\n")
    with pytest.raises(ScenarioError, match=r'x\.hlo:1: found "# A title", expected the text of one compiled module'):
        load(path)
    path.write_bytes(b"HloModule\xff\xfe")
    with pytest.raises(ScenarioError, match="found a file that is no text"):
        load(path)
