"""Times of operations on a device with measured kernels, computed by hand."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from dcsim import catalogue
from dcsim.catalogue.efficiency import Efficiency
from dcsim.catalogue.parts import Accelerator, Software
from dcsim.compute.measured import bandwidth
from dcsim.compute.roofline import OperationTime, operation_time
from dcsim.workload.operation import Operation

EFFICIENCY = Efficiency.model_validate(
    {
        "bandwidth": ["1 KiB: 80 GB/s", "1 MiB: 40 GB/s"],
        "products": [
            "fp32 nn 1 64 64 64: 100 GFLOP/s",
            "fp32 nn 1 1024 64 64: 200 GFLOP/s",
            "fp32 tn 1 64 64 64: 50 GFLOP/s",
            "bf16 nn 1 64 64 64: 300 GFLOP/s",
        ],
        "convolutions": ["fp32 inside 8 64 64 256 9 1 1 1: 150 GFLOP/s", "fp32 beyond 8 512 512 4 9 1 1 1: 1 GFLOP/s"],
        "kernels": [
            {"name": "elementwise", "launch": "2 us", "traffic": 1.5, "flop": "0.01 ns", "function": "1 ns"},
            {"name": "scatter-add", "launch": "5 us", "traffic": 10.0},
        ],
        "loop_copy": 2.0,
    }
)
DEVICE = catalogue.Shelf().take(Accelerator, "xeon-8480").model_copy(update={"efficiency": EFFICIENCY})
SOFTWARE = catalogue.Shelf().take(Software, "eager-2020")


def seconds(operation: Operation, clock: float = 1.0) -> float:
    return operation_time(operation, DEVICE, SOFTWARE, clock).seconds


def product(shape: tuple[int, int, int, int], form: str = "nn", dtype: str = "fp32") -> Operation:
    b, m, n, k = shape
    return Operation("dot_general", "matmul", "forward", dtype, shape, 2.0 * b * m * n * k, 1e3, 1e3, form=form)


def test_a_measured_shape_takes_what_was_measured() -> None:
    flops = 2.0 * 64**3
    assert seconds(product((1, 64, 64, 64))) == pytest.approx(flops / 100e9, rel=1e-12)
    assert seconds(product((1, 64, 64, 64), "tn")) == pytest.approx(flops / 50e9, rel=1e-12)
    assert seconds(product((1, 64, 64, 64), dtype="bf16")) == pytest.approx(flops / 300e9, rel=1e-12)


def test_a_form_that_was_not_measured_counts_as_the_plain_one_it_is_made_of() -> None:
    assert seconds(product((1, 64, 64, 64), "tn-joint")) == seconds(product((1, 64, 64, 64), "tn"))


def test_halfway_between_two_shapes_the_rate_is_their_geometric_mean() -> None:
    # 256 is two doublings from 64 and from 1024; the other rows are 8 and 64 doublings further, weights 1/68 and less.
    found = product((1, 256, 64, 64))
    assert found.flops / seconds(found) == pytest.approx((100e9 * 200e9) ** 0.5, rel=0.02)


def test_beyond_the_measured_shapes_the_rate_stays_within_the_measured_ones() -> None:
    huge = product((1, 2**20, 2**15, 2**15))
    assert 50e9 <= huge.flops / seconds(huge) <= 300e9


def test_a_convolution_is_looked_up_by_its_geometry() -> None:
    cliff = Operation(
        "conv_general_dilated", "convolution", "forward", "fp32", (8, 2, 2, 512), 1e9, 1e6, 1e6,
        form="beyond", geometry=(8, 512, 512, 4, 9, 1, 1, 1),
    )  # fmt: skip
    assert seconds(cliff) == pytest.approx(1.0, rel=1e-12)


def test_other_kernels_add_their_terms() -> None:
    # 32 KiB lies midway between the levels: 60 GB/s. 2 us + 1.5 x 32 KiB / 60 GB/s + 0.01 ns x 1000 + 1 ns x 500.
    found = Operation("exp", "elementwise", "forward", "fp32", (1000,), 1000.0, 32768.0, 32768.0, transcendentals=500.0)
    expected = 2e-6 + 1.5 * 32768 / 60e9 + 1e-8 + 5e-7
    assert operation_time(found, DEVICE, SOFTWARE) == OperationTime(pytest.approx(expected, rel=1e-12), "launch")
    # Half the clock doubles the arithmetic alone.
    assert seconds(found, 0.5) == pytest.approx(expected + 1e-8 + 5e-7, rel=1e-12)


def test_terms_are_those_of_the_name_before_those_of_the_kind() -> None:
    scatter = Operation("scatter-add", "scatter", "backward", "fp32", (10,), 0.0, 2.0**20, 2.0**20)
    assert seconds(scatter) == pytest.approx(5e-6 + 10 * 2**20 / 40e9, rel=1e-12)
    # A kind without terms counts as elementwise work.
    sort = Operation("sort", "sort", "forward", "fp32", (10,), 0.0, 2.0**20, 2.0**20)
    assert seconds(sort) == pytest.approx(2e-6 + 1.5 * 2**20 / 40e9, rel=1e-12)


def test_slices_of_a_loop_are_copied() -> None:
    one = product((1, 64, 64, 64))
    staged = Operation(**{name: getattr(one, name) for name in one.__slots__} | {"stacked_bytes": 2.0**20})
    assert seconds(staged) - seconds(one) == pytest.approx(2 * 2**20 / 40e9, rel=1e-12)


def test_bandwidth_is_that_of_the_nearest_level_outside_the_measured_ones() -> None:
    assert bandwidth(1.0, EFFICIENCY) == 80e9
    assert bandwidth(2.0**40, EFFICIENCY) == 40e9


@pytest.mark.parametrize(
    "changed",
    [
        {"bandwidth": ["64 KiB at 80 GB/s"]},
        {"bandwidth": ["64 KiB: 80 GB"]},
        {"products": ["fp32 nn 1 64 64 64: 100"]},
        {"products": ["fp32 nn 1 0 64 64: 100 GFLOP/s"]},
        {"products": ["fp32 nn 1 64 64 64: 0 GFLOP/s"]},
        {"kernels": []},
    ],
)
def test_a_malformed_table_is_refused(changed: dict[str, list[str]]) -> None:
    with pytest.raises(ValidationError):
        Efficiency.model_validate({**EFFICIENCY.model_dump(mode="json"), **changed})


def test_a_part_that_was_not_measured_is_written_without_the_table() -> None:
    shipped = catalogue.Shelf().take(Accelerator, "xeon-8480")
    assert "efficiency" not in shipped.model_dump(mode="json")
    assert Accelerator.model_validate(DEVICE.model_dump(mode="json")).efficiency == EFFICIENCY
