"""Times of operations on a device with measured kernels, computed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from dcsim import catalogue
from dcsim.catalogue.efficiency import Efficiency
from dcsim.catalogue.parts import Accelerator, Software
from dcsim.compute.measured import form_of, kernel_name, level_shares, trend_features
from dcsim.compute.roofline import OperationTime, operation_time
from dcsim.workload.operation import Operation

EFFICIENCY = Efficiency.model_validate(
    {
        "call": "5 us",
        "products": {
            "trends": [
                {"name": "fp32 nn", "start": "1 us", "work": "0.01 ns", "left": "0.1 ns"},
                {"name": "fp32 tn", "work": "0.02 ns"},
                {"name": "bf16 nn", "work": "0.005 ns"},
            ],
            "samples": ["fp32 nn 1 64 64 64: 8 us", "fp32 nn 1 4096 64 64: 0.1 ms"],
        },
        "convolutions": {
            "trends": [{"name": "fp32 inside", "work": "0.01 ns"}],
            "samples": ["fp32 inside 8 64 64 256 9 1 1 1 2116: 2 ms"],
        },
        "kernels": [
            {
                "name": "elementwise",
                "launch": "2 us",
                "flop": "0.01 ns",
                "function": "1 ns",
                "traffic": ["1 KiB: 0.01 ns", "1 MiB: 0.02 ns"],
            },
            {"name": "rows", "launch": "3 us"},
            {"name": "reduce", "launch": "4 us"},
            {"name": "scatter-add", "launch": "5 us", "traffic": ["1 KiB: 0.1 ns"]},
        ],
        "loop": ["1 KiB: 0.03 ns"],
    }
)
DEVICE = catalogue.Shelf().take(Accelerator, "xeon-8480").model_copy(update={"efficiency": EFFICIENCY})
SOFTWARE = catalogue.Shelf().take(Software, "eager-2020")


def seconds(operation: Operation, clock: float = 1.0) -> float:
    return operation_time(operation, DEVICE, SOFTWARE, clock).seconds


def product(shape: tuple[int, int, int, int], form: str = "nn", dtype: str = "fp32") -> Operation:
    b, m, n, k = shape
    return Operation("dot_general", "matmul", "forward", dtype, shape, 2.0 * b * m * n * k, 1e3, 1e3, form=form)


def kernel(name: str, kind: str, size_bytes: float, **given: float) -> Operation:
    return Operation(name, kind, "forward", "fp32", (1000,), 0.0, size_bytes, size_bytes, **given)  # type: ignore[arg-type]


def test_a_sampled_shape_takes_what_was_measured() -> None:
    assert seconds(product((1, 64, 64, 64))) == pytest.approx(8e-6, rel=1e-9)
    assert seconds(product((1, 4096, 64, 64))) == pytest.approx(1e-4, rel=1e-9)


def test_a_form_without_samples_follows_its_trend() -> None:
    # 64^3 multiplications of 0.02 ns, and of 0.005 ns
    assert seconds(product((1, 64, 64, 64), "tn")) == pytest.approx(64**3 * 2e-11, rel=1e-12)
    assert seconds(product((1, 64, 64, 64), dtype="bf16")) == pytest.approx(64**3 * 5e-12, rel=1e-12)


def test_between_two_samples_the_trend_is_corrected_by_both() -> None:
    # Trends: 1 us + 64^3 x 0.01 ns + 64^2 x 0.1 ns = 4.031 us at 64 rows, and 195.0 us at 4,096. 512 rows are three
    # doublings from either (all can be halved six times and more), and the trend counts as a third sample at a distance
    # of two doublings; weights fall with the third power of the distance.
    def trend(m: int) -> float:
        return 1e-6 + m * 64 * 64 * 1e-11 + m * 64 * 1e-10

    share = 3.0**-3 / (2 * 3.0**-3 + 2.0**-3)
    correction = ((8e-6 / trend(64)) * (1e-4 / trend(4096))) ** share
    assert seconds(product((1, 512, 64, 64))) == pytest.approx(trend(512) * correction, rel=1e-9)


@pytest.mark.parametrize(("form", "dtype", "like"), [("tn-joint", "fp32", "tn"), ("tn", "fp64", "tn")])
def test_what_was_not_measured_counts_as_its_nearest(form: str, dtype: str, like: str) -> None:
    assert seconds(product((1, 64, 64, 64), form, dtype)) == seconds(product((1, 64, 64, 64), like))


def test_an_unknown_form_counts_as_a_known_one_of_its_number_format() -> None:
    assert seconds(product((1, 64, 64, 64), "tt", "bf16")) == seconds(product((1, 64, 64, 64), "nn", "bf16"))


def test_a_product_of_nothing_takes_no_time() -> None:
    assert seconds(product((1, 0, 64, 64))) == 0.0


def test_a_convolution_is_looked_up_by_its_geometry() -> None:
    found = Operation(
        "conv_general_dilated", "convolution", "forward", "fp32", (8, 16, 16, 64), 1e8, 1e6, 1e6,
        form="inside", geometry=(8, 64, 64, 256, 9, 1, 1, 1, 2116),
    )  # fmt: skip
    assert seconds(found) == pytest.approx(2e-3, rel=1e-9)
    # Half the clock doubles all of it: where the time of a product goes is not known.
    assert seconds(found, 0.5) == pytest.approx(4e-3, rel=1e-9)


def test_other_kernels_add_their_terms() -> None:
    # 32 KiB lies midway between the levels: 0.015 ns a byte.
    found = Operation("exp", "elementwise", "forward", "fp32", (1000,), 1000.0, 32768.0, 32768.0, transcendentals=500.0)
    expected = 2e-6 + 32768 * 1.5e-11 + 1000 * 1e-11 + 500 * 1e-9
    assert operation_time(found, DEVICE, SOFTWARE) == OperationTime(pytest.approx(expected, rel=1e-12), "launch")
    assert seconds(found, 0.5) == pytest.approx(expected + 1e-8 + 5e-7, rel=1e-12)


def test_terms_are_those_of_the_name_before_those_of_the_kind() -> None:
    assert seconds(kernel("scatter-add", "scatter", 2.0**20)) == pytest.approx(5e-6 + 2**20 * 1e-10, rel=1e-12)
    # A kind without terms counts as elementwise work.
    assert seconds(kernel("sort", "sort", 2.0**20)) == pytest.approx(2e-6 + 2**20 * 2e-11, rel=1e-12)


def test_a_reduction_that_writes_as_much_as_it_reads_works_row_by_row() -> None:
    # 1,000 numbers of 4 bytes: read once, or read and written
    assert seconds(kernel("reduce_sum", "reduce", 4004.0)) == 4e-6
    assert seconds(kernel("reduce_max+sub+exp", "reduce", 8000.0)) == 3e-6
    assert kernel_name(kernel("reduce_max+sub+exp", "reduce", 8000.0), ["reduce"]) == "reduce"


def test_slices_of_a_loop_are_copied() -> None:
    one = product((1, 64, 64, 64))
    assert seconds(replace(one, stacked_bytes=4096.0)) - seconds(one) == pytest.approx(4096 * 3e-11, rel=1e-9)


def test_outside_the_levels_the_nearest_counts() -> None:
    assert level_shares(1.0, (1024.0, 2.0**20)) == {0: 1.0}
    assert level_shares(2.0**40, (1024.0, 2.0**20)) == {1: 1.0}
    assert level_shares(2.0**12, (1024.0, 2.0**20)) == {0: pytest.approx(0.8), 1: pytest.approx(0.2)}


@pytest.mark.parametrize(
    "changed",
    [
        {"loop": ["64 KiB at 1 ns"]},
        {"loop": ["64 KiB: 80 GB/s"]},
        {"products": {"trends": [{"name": "fp32 nn"}], "samples": ["fp32 nn 1 64 64 64: 100"]}},
        {"products": {"trends": [{"name": "fp32 nn"}], "samples": ["fp32 nn 1 0 64 64: 1 us"]}},
        {"products": {"trends": [{"name": "fp32 nn"}], "samples": ["fp32 nn 1 64 64 64: 0 s"]}},
        {"products": {"trends": []}},
        {"kernels": []},
    ],
)
def test_a_malformed_table_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Efficiency.model_validate({**EFFICIENCY.model_dump(mode="json"), **changed})


def test_a_part_that_was_not_measured_is_written_without_the_table() -> None:
    shipped = catalogue.Shelf().take(Accelerator, "xeon-8480")
    assert "efficiency" not in shipped.model_dump(mode="json")
    assert Accelerator.model_validate(DEVICE.model_dump(mode="json")).efficiency == EFFICIENCY


def convolution(geometry: tuple[int, ...], form: str = "inside") -> Operation:
    return Operation(
        "conv_general_dilated", "convolution", "forward", "fp32", (1,), 1e6, 1e3, 1e3, form=form, geometry=geometry
    )


@pytest.mark.parametrize(
    ("geometry", "form", "expected"),
    [
        ((8, 64, 64, 256, 9, 1, 1, 1, 2116), "inside", "inside"),
        ((8, 16, 8, 256, 9, 1, 1, 1, 2116), "inside", "inside-few"),
        ((8, 64, 64, 1, 256, 1, 1, 1, 256), "inside-broad", "inside-broad-single"),
        ((8, 64, 64, 256, 4, 1, 4, 1, 256), "beyond", "beyond-spread"),
        ((8, 63, 64, 256, 9, 1, 1, 1, 2116), "crossed", "crossed-short"),
        ((8, 64, 64, 256, 9, 1, 1, 1, 2116), "crossed", "crossed"),
        ((8, 2, 64, 9, 256, 1, 1, 1, 2116), "crossed-images", "crossed-images"),
    ],
)
def test_the_kernel_of_a_convolution_is_told_by_its_sizes(geometry: tuple[int, ...], form: str, expected: str) -> None:
    assert form_of(convolution(geometry, form)) == expected


def test_a_product_by_a_vector_is_a_form_of_its_own() -> None:
    assert form_of(product((1, 64, 1, 64))) == "nn-vector"
    assert seconds(product((1, 64, 1, 64), "tn")) == pytest.approx(64 * 64 * 2e-11, rel=1e-12)


def test_plain_loops_leave_out_the_border_and_are_slower_where_weights_are_far() -> None:
    # 2 images, 4 x 6 features, 16 places of 9 taps of which 100 meet the input
    near = trend_features((2, 4, 6, 16, 9, 1, 1, 1, 100), "crossed")
    assert (near["work"], near["far"]) == (2 * 4 * 6 * 100, 0.0)
    assert trend_features((2, 4, 6, 16, 9, 1, 1, 1, 100), "inside")["work"] == 2 * 4 * 6 * 16 * 9
    # 512 x 512 x 9 weights are 9 MiB
    assert trend_features((1, 512, 512, 4, 9, 1, 1, 1, 16), "beyond")["far"] == 512 * 512 * 16


def test_functions_take_their_own_time_where_it_was_measured() -> None:
    measured = EFFICIENCY.model_copy(update={"functions": ("exp: 2 ns", "div: 0.5 ns")})
    device = DEVICE.model_copy(update={"efficiency": measured})
    found = replace(kernel("exp", "elementwise", 0.0), functions=(("div", 10.0), ("exp", 1000.0), ("sin", 100.0)))
    # a sine has no time of its own and takes that of the kernel, 1 ns; launch 2 us
    expected = 2e-6 + 10 * 0.5e-9 + 1000 * 2e-9 + 100 * 1e-9
    assert operation_time(found, device, SOFTWARE).seconds == pytest.approx(expected, rel=1e-12)


def test_the_work_of_an_optimizer_is_an_update_in_place() -> None:
    found = replace(kernel("mul+add", "elementwise", 8.0), phase="optimizer")
    assert kernel_name(found, ["elementwise", "update"]) == "update"
    assert kernel_name(found, ["elementwise"]) == "elementwise"
