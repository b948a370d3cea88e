"""A calibration finds the terms that made its timings, and predicts what it was not fitted on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dcsim import catalogue, cli, units
from dcsim.accuracy import compute, entry, machine
from dcsim.accuracy.calibration import Timings, _joined, calibrate
from dcsim.accuracy.cases.steps import CASES
from dcsim.accuracy.compute import naive_seconds, predicted_seconds, row
from dcsim.accuracy.machine import Device, measured
from dcsim.accuracy.score import score
from dcsim.compute.roofline import operation_time
from dcsim.errors import InputError
from dcsim.scenario.load import load
from dcsim.workload.measure import Effort, Timing
from dcsim.workload.operation import Operation

# A machine that does not exist: its terms are these, and the calibration is to find them from the timings below.
CALL_S, WORK_S, RESULT_S = 5e-6, 1e-11, 2e-10
LAUNCH_S, FLOP_S, FUNCTION_S, BYTE_S, SLICE_S = 1e-6, 3e-12, 4e-10, 2e-11, 3e-11


def product(b: int, m: int, n: int, k: int) -> Operation:
    flops, moved = 2.0 * b * m * n * k, 4.0 * b * (m * k + k * n + m * n)
    return Operation("dot_general", "matmul", "forward", "fp32", (b, m, n, k), flops, moved, moved, form="nn")


def convolution(images: int, features: int, places: int) -> Operation:
    geometry = (images, features, features, places, 9, 1, 1, 1, 9 * places)
    flops = 2.0 * images * features**2 * places * 9
    return Operation(
        "conv_general_dilated", "convolution", "forward", "fp32", (images, places, features), flops, flops / 9,
        flops / 9, form="inside", geometry=geometry,
    )  # fmt: skip


def elementwise(elements: int, flops: int, functions: int, slices: int = 0) -> Operation:
    moved = 8.0 * elements
    return Operation(
        "tanh+mul", "elementwise", "forward", "fp32", (elements,), 1.0 * flops * elements, moved, moved,
        transcendentals=1.0 * functions * elements, stacked_bytes=4.0 * slices * elements,
    )  # fmt: skip


def seconds(operation: Operation) -> float:
    """Return the time of one execution on the machine [s]."""
    if operation.kind == "matmul":
        b, m, n, k = operation.shape
        return WORK_S * b * m * n * k + RESULT_S * b * m * n
    if operation.kind == "convolution":
        return 0.5 * WORK_S * operation.flops
    traffic_s = BYTE_S * operation.bytes + SLICE_S * operation.stacked_bytes
    return LAUNCH_S + traffic_s + FLOP_S * operation.flops + FUNCTION_S * operation.transcendentals


def timing(name: str, *operations: Operation) -> Timing:
    total_s = CALL_S + sum(seconds(operation) for operation in operations)
    return Timing(name, total_s, total_s, operations)


def made_up() -> Timings:
    """Return what would have been timed."""
    return Timings(
        Timing("empty", CALL_S, CALL_S, ()),
        tuple(timing(f"product {shape}", product(*shape)) for shape in _shapes()),
        tuple(timing(f"convolution {n}", convolution(2**n, 8 * n, 2 ** (10 - n))) for n in range(1, 9)),
        tuple(_kernels()),
    )


def _shapes() -> Iterator[tuple[int, int, int, int]]:
    for m in (8, 64, 512):
        for n in (16, 256):
            for k in (32, 1024):
                yield 1, m, n, k


def _kernels() -> Iterator[Timing]:
    for power in range(8, 24, 2):
        for flops, functions, slices in ((1, 0, 0), (4, 0, 0), (2, 1, 0), (1, 0, 1)):
            name = f"kernel {power} {flops} {functions} {slices}"
            yield timing(name, elementwise(2**power, flops, functions, slices))
    yield timing("two", elementwise(2**10, 1, 0), elementwise(2**12, 2, 1))


MACHINE = entry.Machine("Round Numbers 3000", "AuthenticAMD", 16e9, "one thread of a machine made up")
DEVICE = measured("made-up", MACHINE, made_up()).device


def test_the_terms_are_those_that_made_the_times() -> None:
    calibration = calibrate(made_up())
    (kernel,) = calibration.efficiency.kernels
    assert kernel.name == "elementwise"
    assert kernel.launch == pytest.approx(LAUNCH_S, rel=1e-3)
    assert kernel.flop == pytest.approx(FLOP_S, rel=1e-2)
    assert kernel.function == pytest.approx(FUNCTION_S, rel=1e-3)
    for level in kernel.traffic:
        assert units.parse(level.partition(":")[2].strip(), "time") == pytest.approx(BYTE_S, rel=1e-2)
    for level in calibration.efficiency.loop:
        assert units.parse(level.partition(":")[2].strip(), "time") == pytest.approx(SLICE_S, rel=1e-2)
    assert max(map(abs, calibration.errors.values())) < 1e-3
    assert calibration.summary.startswith("33 programs, median error 0.0%")


def test_a_shape_that_was_not_timed_is_predicted() -> None:
    for found in (product(1, 100, 100, 100), elementwise(3000, 3, 1), convolution(5, 20, 50)):
        assert operation_time(found, DEVICE.accelerator, DEVICE.software).seconds == pytest.approx(
            seconds(found), rel=1e-2
        )


def test_a_program_is_its_operations_and_its_call() -> None:
    found = (product(1, 64, 256, 32), elementwise(100, 1, 0))
    expected = CALL_S + sum(map(seconds, found))
    assert predicted_seconds(found, DEVICE) == pytest.approx(expected, rel=1e-2)


def test_the_naive_roofline_knows_two_rates() -> None:
    # The best rate: 2 FLOPs in 10 ps and a share of the result, 0.2 ns for every k = 1,024; memory: 8 B in 160 ps.
    peak = 2.0 * 1024 / (1024 * WORK_S + RESULT_S)
    large = product(1, 4096, 4096, 4096)
    assert naive_seconds((large,), DEVICE) == pytest.approx(large.flops / peak, rel=1e-3)
    moved = elementwise(10**6, 1, 0)
    assert naive_seconds((moved,), DEVICE) == pytest.approx(8e6 * BYTE_S, rel=2e-2)


def test_a_row_of_an_inference_step_is_predicted_from_what_was_timed() -> None:
    case = next(case for case in CASES if case.mode == "inference")
    found = row(case, timing(case.name, product(1, 64, 256, 32)), DEVICE)
    assert found.error == pytest.approx(0.0, abs=1e-3)
    assert found.naive_error is not None
    assert (found.metric, found.unit, found.fitted) == ("step time", "s", False)


def test_the_entry_can_be_included_by_a_scenario_and_read_back(tmp_path: Path) -> None:
    file = tmp_path / "made-up.yaml"
    file.write_text(measured(entry.name_of(file), MACHINE, made_up()).text)
    assert Device(*entry.device(entry.read(file))) == DEVICE
    (tmp_path / "use.yaml").write_text(
        "dcsim: 1\nname: use\ninclude: made-up.yaml\n"
        "cluster: {servers: [{name: a, type: made-up, count: 2}]}\n"
        "jobs: [{name: j, model: mlp-mnist, precision: fp32, software: made-up, batch: {global: 4, micro: 2},"
        " parallel: {data: 2}, steps: 2}]\n"
    )
    inventory = catalogue.resolve(load(tmp_path / "use.yaml"))
    assert inventory.pools[0].accelerator == DEVICE.accelerator
    assert inventory.jobs[0].software == DEVICE.software
    assert inventory.pools[0].server.accelerators == 1


def dcsim(*arguments: object) -> Result:
    return CliRunner().invoke(cli.application(), [str(each) for each in arguments], prog_name="dcsim")


def test_the_command_line_calibrates_and_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few made-up timings in place of nine hundred, and two small models in place of all."""
    monkeypatch.setattr(machine, "time_kernels", lambda progress: made_up())
    monkeypatch.setattr(compute, "CASES", CASES[:2])
    monkeypatch.setattr(compute, "_STEPS", Effort(rounds=2, seconds=1e-3, group=2))
    file, numbers = tmp_path / "made-up.yaml", tmp_path / "accuracy.json"
    done = dcsim("calibrate", "--out", file)
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, f"entry    {file}")
    done = dcsim("accuracy", "compute", "--calibration", file, "--json", numbers)
    assert done.exit_code == 0, done.output
    assert "naive roofline" in done.stdout
    found = json.loads(numbers.read_text())
    assert [row["id"] for row in found["rows"]] == [case.name for case in CASES[:2]]
    assert all(row["measured"] > 0.0 and row["predicted"] > 0.0 and not row["fitted"] for row in found["rows"])
    assert found["summary"]["calibration"] == f"read from {file}"
    assert "CPU seconds" in found["summary"]["conditions"]
    done = dcsim("accuracy", "compute", "--json", "-", "--quiet")
    assert json.loads(done.stdout)["summary"]["calibration"].startswith("33 programs")


def test_an_unknown_domain_is_refused() -> None:
    done = dcsim("accuracy", "weather")
    expected = 'dcsim: accuracy: found "weather", expected compute, training or collectives\n'
    assert (done.exit_code, done.stderr) == (2, expected)


def test_a_missing_calibration_is_refused(tmp_path: Path) -> None:
    done = dcsim("accuracy", "compute", "--calibration", tmp_path / "none.yaml", "--quiet")
    assert done.exit_code == 2
    assert "none.yaml" in done.stderr


@pytest.mark.parametrize("text", ["parts: {}\n", "dcsim: 1\n", "parts: {accelerators: {a: {based_on: h100-sxm}}}\n"])
def test_a_file_without_a_measured_device_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match="expected a file written by dcsim calibrate"):
        entry.device(entry.read(file))


def test_an_entry_is_called_as_its_file() -> None:
    assert entry.name_of(Path("there/my-box.yaml")) == "my-box"
    assert entry.name_of(Path("-")) == "this-cpu"
    with pytest.raises(InputError, match="expected a name of lower-case letters"):
        entry.name_of(Path("My Box.yaml"))


def test_this_machine_tells_its_conditions() -> None:
    found = entry.this_machine({"thread": "one, pinned"})
    assert found.processor in found.conditions
    for part in ("jax", "numpy", "Python", "thread one, pinned", "CPU seconds, measured 20"):
        assert part in found.conditions
    assert found.memory_bytes > 1e8


def test_a_rare_form_counts_with_what_it_is_a_particular_of() -> None:
    few = {"inside": [("a", (1,), 1.0)], "inside-few": [("b", (2,), 1.0)], "beyond-few": [("c", (3,), 1.0)]}
    assert {form: len(rows) for form, rows in _joined(few).items()} == {"inside": 2, "beyond-few": 1}


@pytest.mark.parametrize("verb", [("calibrate", "--out"), ("accuracy", "compute", "--json")])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    def never(progress: machine.Progress) -> Timings:
        raise AssertionError("measured")

    monkeypatch.setattr(machine, "time_kernels", never)
    done = dcsim(*verb, tmp_path / "none" / "box.yaml", "--quiet")
    assert done.exit_code == 2
    assert f"found no folder {tmp_path / 'none'}" in done.stderr


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "time_kernels", lambda progress: made_up())
    file = tmp_path / "box.yaml"
    file.write_text("older\n")

    def full(path: Path, text: str, encoding: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    done = dcsim("calibrate", "--out", file, "--quiet")
    assert done.exit_code != 0
    assert "accelerators:" in done.stdout  # the entry itself, where it can still be saved
    assert file.read_text() == "older\n"


def test_an_interrupt_keeps_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "time_kernels", lambda progress: replace(made_up(), partial=True))
    file = tmp_path / "box.yaml"
    assert dcsim("calibrate", "--out", file, "--quiet").exit_code == 130
    assert "# Partial: the measurement was interrupted." in file.read_text()
    monkeypatch.setattr(compute, "_STEPS", Effort(rounds=2, seconds=1e-3, group=1))
    monkeypatch.setattr(compute, "CASES", CASES[:2])

    def interrupted(programs: list[object], effort: Effort, pace: object) -> Iterator[list[Timing]]:
        yield [timing("one", product(1, 64, 256, 32))]
        raise KeyboardInterrupt

    monkeypatch.setattr(compute, "timed", interrupted)
    done = dcsim("accuracy", "compute", "--calibration", file, "--json", "-")
    assert done.exit_code == 130
    found = json.loads(done.stdout)
    assert (len(found["rows"]), found["summary"]["partial"]) == (1, "interrupted after 1 of 2 cases")


def test_a_machine_too_busy_to_be_calibrated_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    def slow(programs: list[object], effort: Effort, pace: object) -> Iterator[list[Timing]]:
        limits.append(effort.until)
        if len(limits) == 1:
            yield [timing("empty"), timing("one", elementwise(2**10, 1, 0))]

    monkeypatch.setattr(machine, "timed", slow)
    with pytest.raises(
        InputError, match=r"found 0 of \d+ products and convolutions timed in 10 s, expected 100 at least"
    ):
        machine.time_kernels(lambda words: None, 10.0)
    assert limits[1] - limits[0] == pytest.approx(5.0)  # the other kernels have half of the time


def test_errors_are_at_the_pace_of_the_calibration_and_stated_as_timed() -> None:
    slow = replace(timing("one", product(1, 64, 256, 32)), slowness=1.5)
    rows = [row(case, replace(slow, raw_s=2.0 * slow.seconds), DEVICE) for case in CASES[1:4:2]]
    facts = compute.pace_facts(rows)
    assert facts["as_timed"]["median"] == pytest.approx(0.5, abs=1e-3)  # predicted right, timed at twice that
    assert score([row.error for row in rows]).median == pytest.approx(0.0, abs=1e-3)
    told = compute.text(rows, facts)
    assert "took 1.50 to 1.50 times what they took at calibration, the median step at 1.50" in told
    assert "as timed, not brought to that pace: median error 50.0%, 90 % 50.0%" in told
    efficiency = DEVICE.accelerator.efficiency
    assert efficiency is not None
    known = efficiency.model_copy(update={"pace": ("product: 98 us", "sweep: 0.2 ms")})
    device = Device(DEVICE.accelerator.model_copy(update={"efficiency": known}), DEVICE.software)
    assert compute._unit(device) == {"product": pytest.approx(98e-6), "sweep": pytest.approx(2e-4)}
