"""Timing programs: in place or not, on arrays that fit, with what they were traced to, in one pinned thread."""

from __future__ import annotations

import os
from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest

from dcsim.scenario.workload import CnnModel, MlpModel
from dcsim.workload import micro_kernels, micro_products, model_programs
from dcsim.workload.measure import Effort, one_thread, time_programs, timed
from dcsim.workload.models.abstract import array
from dcsim.workload.pace import Pace
from dcsim.workload.step import Recipe
from dcsim.workload.timing import Program

QUICK = Effort(rounds=2, seconds=1e-6, group=2)
SQUARE = array((64, 64), jnp.float32)


def test_a_program_is_timed_and_traced() -> None:

    programs = [
        Program("product", lambda x, y: x @ y, (SQUARE, SQUARE)),
        Program("in place", lambda x: (x + 1.0,), (SQUARE,), kept=1),
        Program("rows", lambda t, i: t[i], (SQUARE, array((8,), jnp.int32)), below=64),
    ]
    found = time_programs(programs, QUICK)
    assert [timing.name for timing in found] == ["product", "in place", "rows"]
    assert all(0.0 < timing.lowest_s <= timing.seconds < 1.0 for timing in found)
    assert [o.shape for o in found[0].operations] == [(1, 64, 64, 64)]
    assert [len(group) for group in timed(programs, QUICK)] == [2, 1]


def test_keys_and_numbers_of_every_kind_are_made_up() -> None:
    key = jax.eval_shape(lambda: jax.random.key(0))
    function = jax.random.bits
    (found,) = time_programs([Program("bits", lambda k: function(k, (16,)), (key,))], QUICK)
    assert found.seconds > 0.0


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="threads cannot be pinned here")
def test_one_thread_is_pinned_and_set_free_again() -> None:
    before = os.sched_getaffinity(0)
    with one_thread() as conditions:
        assert len(os.sched_getaffinity(0)) == 1
        assert conditions["thread"] == "one, pinned"
        assert "memory" in conditions
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(
    "model",
    [
        MlpModel(family="mlp", inputs=8, hidden=(4,), classes=3),
        CnnModel(family="cnn", image=8, channels=(1, 2), classes=3),
    ],
)
def test_the_steps_of_models_are_programs(model: MlpModel | CnnModel) -> None:
    recipe = Recipe(model, "fp32", "sgd")
    training = model_programs.training("training", recipe, 2)
    scoring = model_programs.scoring("scoring", recipe, 2)
    assert (training.kept, training.below, scoring.kept) == (2, 3, 0)
    found = time_programs([training, scoring], QUICK)
    flops = [sum(o.flops * o.count for o in timing.operations) for timing in found]
    assert flops[0] > 2 * flops[1]


def test_every_micro_kernel_traces_to_what_it_is_to_measure() -> None:
    from dcsim.workload.trace import analyze

    for program in (*micro_products.products(), *micro_products.convolutions()):
        operations = analyze(jax.make_jaxpr(program.function)(*program.arguments), "forward").operations
        kinds = [o.kind for o in operations if o.kind in ("matmul", "convolution")]
        assert len(kinds) == 1, program.name
    names = [program.name for program in micro_kernels.kernels()]
    assert len(names) == len(set(names))


def test_the_pace_is_near_one_when_nothing_changed() -> None:
    pace = Pace()
    again = Pace(2.0 * pace.unit_s)
    assert again.unit_s == 2.0 * pace.unit_s
    # the same programs against twice the unit: half the pace, however busy the machine, within a factor of five
    assert 0.1 < again.now() / pace.now() < 2.5


def test_no_group_begins_after_the_time_is_over() -> None:
    programs = [Program("product", lambda x, y: x @ y, (SQUARE, SQUARE))]
    assert list(timed(programs, replace(QUICK, until=0.0))) == []
