"""Timing programs: in place or not, on arrays that fit, with what they were traced to, in one pinned thread."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from math import log

import jax
import jax.numpy as jnp
import pytest

from dcsim.scenario.workload import CnnModel, MlpModel
from dcsim.workload import measure, micro_kernels, micro_products, model_programs
from dcsim.workload.measure import Effort, one_thread, time_programs, timed
from dcsim.workload.models.abstract import array
from dcsim.workload.pace import Pace, at_unit
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
    assert all(0.0 < timing.raw_s == timing.seconds < 1.0 for timing in found)
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


def test_a_machine_slower_than_the_unit_takes_less_at_its_pace() -> None:
    pace = Pace()
    begin = time.monotonic()
    pace.read()
    now = pace.slowness(begin, time.monotonic())
    assert 0.1 < now < 10.0  # the same programs a moment later, however busy the machine
    twice = Pace({name: 2.0 * seconds for name, seconds in pace.unit.items()})
    twice._at, twice._logs = pace._at, pace._logs
    assert twice.slowness(begin, time.monotonic()) == pytest.approx(now / 2.0)
    assert at_unit(1.0) == 1.0
    assert at_unit(4.0) == pytest.approx(4.0**-0.7)
    # another unit: what was timed at the old one is brought to the new one, the median of all readings
    before = at_unit(twice.slowness(begin, time.monotonic()))
    assert before * twice.settle() == pytest.approx(at_unit(twice.slowness(begin, time.monotonic())))
    assert twice.unit == pace.usual()


def test_readings_near_a_program_count_and_others_do_not() -> None:
    pace = Pace({"product": 1.0, "function": 1.0, "sweep": 1.0})
    pace._at, pace._logs = [0.0, 10.0, 10.05, 20.0], [[log(x)] * 3 for x in (3.0, 2.0, 8.0, 5.0)]
    assert pace.slowness(10.0, 10.02) == pytest.approx(4.0)  # the geometric mean of 2 and 8
    assert pace.slowness(15.0, 16.0) == pytest.approx(8.0)  # none near: the last one before
    assert pace.slowness(-9.0, -8.0) == pytest.approx(3.0)  # none before: the first one
    assert pace.slowness(-9.0, 99.0) == pytest.approx((3.0 * 2.0 * 8.0 * 5.0) ** 0.25)


def test_rounds_are_spread_over_the_compilation_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Quick:
        def __init__(self, program: Program) -> None:
            self.name = program.name
            told.append(f"compile {program.name}")

        def once(self, seconds: float) -> float:
            told.append(self.name)
            return 1.0

        def operations(self) -> tuple[()]:
            return ()

    monkeypatch.setattr(measure, "Run", Quick)
    programs = [Program(name, lambda x: x, (SQUARE,)) for name in "abc"]
    found = time_programs(programs, Effort(rounds=2, group=1))
    assert [timing.name for timing in found] == ["a", "b", "c"]
    assert told == ["compile a", "a", "compile b", "a", "b", "compile c", "b", "c", "c"]


def test_no_group_begins_after_the_time_is_over() -> None:
    programs = [Program("product", lambda x, y: x @ y, (SQUARE, SQUARE))]
    assert list(timed(programs, replace(QUICK, until=0.0))) == []
