"""Which precision runs where, on devices with different units."""

from __future__ import annotations

import pytest

from dcsim.catalogue.parts import Accelerator
from dcsim.compute.precision import flop_energy, matrix_precision, matrix_rate, precision_of, vector_rate

V100 = {"fp64": 7.8e12, "fp32": 15.7e12, "fp16": 125e12}
A100 = {"fp64": 9.7e12, "fp32": 19.5e12, "tf32": 156e12, "bf16": 312e12, "fp16": 312e12, "int8": 624e12}
H100 = {"fp64": 34e12, "fp32": 67e12, "tf32": 495e12, "bf16": 989e12, "fp16": 989e12, "fp8": 1979e12}
TPU = {"bf16": 197e12, "int8": 394e12}
AMX = {"fp64": 3.6e12, "fp32": 7.2e12, "bf16": 115e12}


def _device(peak: dict[str, float]) -> Accelerator:
    return Accelerator.model_construct(title="a device", peak=peak)


@pytest.mark.parametrize(
    ("peak", "dtype", "runs"),
    [
        (H100, "float32", "tf32"),  # as XLA does by default
        (V100, "float32", "fp32"),
        (H100, "bfloat16", "bf16"),
        (V100, "bfloat16", "fp32"),  # fp16 could not hold the exponents
        (V100, "float16", "fp16"),
        (TPU, "float16", "bf16"),  # no wider one: the widest there is
        (TPU, "float32", "bf16"),
        (AMX, "float16", "fp32"),
        (A100, "float8_e4m3fn", "fp16"),
        (H100, "float8_e5m2", "fp8"),
        (H100, "int8", "fp16"),
        (A100, "int8", "int8"),
        (A100, "float64", "fp64"),
    ],
)
def test_matrix_products_run_in_the_nearest_wider_precision(peak: dict[str, float], dtype: str, runs: str) -> None:
    assert matrix_precision(dtype, _device(peak)) == runs
    assert matrix_rate(dtype, _device(peak)) == peak[runs]


def test_elementwise_work_runs_at_the_fp32_rate_and_fp64_at_its_own() -> None:
    assert vector_rate("bfloat16", _device(H100)) == 67e12
    assert vector_rate("int32", _device(H100)) == 67e12
    assert vector_rate("float64", _device(H100)) == 34e12
    assert vector_rate("bfloat16", _device(TPU)) == pytest.approx(197e12 / 16, rel=1e-12)


def test_both_spellings_of_a_type_are_known() -> None:
    assert precision_of("bf16") == precision_of("bfloat16") == "bf16"
    assert precision_of("bool") == precision_of("uint32") == "fp32"


def test_every_precision_draws_the_same_power_at_its_peak() -> None:
    device = _device(H100).model_copy(update={"energy_per_flop": 0.5e-12})
    assert flop_energy(device, H100["bf16"]) == 0.5e-12
    assert flop_energy(device, H100["fp8"]) == pytest.approx(0.25e-12, rel=1e-3)
    for rate in H100.values():
        assert flop_energy(device, rate) * rate == pytest.approx(0.5e-12 * 989e12, rel=1e-12)
