"""Reading phase and scope from name stacks."""

from __future__ import annotations

import pytest

from dcsim.workload.phases import Context


@pytest.mark.parametrize(
    ("stack", "phase", "scope"),
    [
        ("", "forward", ""),
        ("jvp()", "forward", ""),
        ("jvp(head)", "forward", "head"),
        ("transpose(jvp(head))", "backward", "head"),
        ("transpose(jvp(outer/inner))", "backward", "inner"),
        ("outer/bqhd,bkhd->bhqk", "forward", "outer"),
        ("transpose(jvp(checkpoint))/rematted_computation", "recompute", ""),
        ("transpose(jvp(block))/rematted_computation/attention", "recompute", "attention"),
    ],
)
def test_name_stack(stack: str, phase: str, scope: str) -> None:
    assert Context("forward").of(stack) == Context(phase, scope)


def test_a_loop_body_inherits() -> None:
    outer = Context("forward").of("transpose(jvp(blocks))")
    assert outer.of("") == Context("backward", "blocks")
    assert outer.of("attention") == Context("backward", "attention")
    assert Context("optimizer").of("") == Context("optimizer", "")
