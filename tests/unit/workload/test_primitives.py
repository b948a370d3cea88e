"""What the primitives of JAX cost, against closed forms; every function of its public interface has a rule."""

from __future__ import annotations

from collections.abc import Callable
from math import log2
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.experimental import pallas as pl
from jax.extend import core

from dcsim.errors import ScenarioError
from dcsim.scenario.user import KernelCost
from dcsim.workload.operation import Operation
from dcsim.workload.reader import Known
from dcsim.workload.trace import analyze_step

KEY = jax.eval_shape(lambda: jax.random.key(0))
ROUNDS = 113  # 32-bit operations of a random word, see rules.charge


def array(*shape: int, dtype: Any = jnp.float32) -> Any:
    return jax.ShapeDtypeStruct(shape, dtype)


def ints(*shape: int) -> Any:
    return array(*shape, dtype=jnp.int32)


def operations(function: Callable[..., Any], *arguments: Any, **known: Any) -> tuple[Operation, ...]:
    closed = jax.make_jaxpr(function)(*arguments)
    return analyze_step(closed, Known(strict=True, **known), []).traced.operations


def flops(found: tuple[Operation, ...]) -> float:
    return sum(o.flops * o.count for o in found)


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (lambda x: lax.cumsum(x), [array(100, 8)], 100 * 8),
        (lambda x: lax.cumlogsumexp(x), [array(100)], 100),
        (lambda x: lax.sort(x), [array(4, 256)], 4 * 256 * log2(256)),
        (lambda x: lax.top_k(x, 3), [array(4, 256)], 4 * 256 * 8),
        (lambda x: lax.reduce_max(x, [1]), [array(4, 256)], 4 * 255),
        (lambda x: lax.argmax(x, 1, jnp.int32), [array(4, 256)], 4 * 255),
        (lambda x: lax.exp2(x), [array(10)], 10),
        (lambda x: lax.logistic(x), [array(10)], 30),
        (lambda x: x.astype(jnp.bfloat16), [array(10)], 10),
        (lambda k: jax.random.bits(k, (1000,)), [KEY], 1000 * ROUNDS),
        (lambda x, i: x.at[i].max(1.0, mode="drop", wrap_negative_indices=False), [array(100, 8), ints(5)], 5 * 8),
        (lambda x, i: x.at[i].add(1.0, mode="drop", wrap_negative_indices=False), [array(100, 8), ints(5)], 5 * 8),
        (lambda x, i: x.at[i].set(1.0, mode="drop", wrap_negative_indices=False), [array(100, 8), ints(5)], 0),
        (lambda x: jnp.fft.fft(x), [array(3, 1024, dtype=jnp.complex64)], 5 * 3 * 1024 * 10),
        (lambda x: jnp.fft.rfft(x), [array(3, 1024)], 2.5 * 3 * 1024 * 10),
        # and the mask of the other half: its indices shifted and compared once, a choice for each element
        (lambda a: lax.linalg.cholesky(a, symmetrize_input=False), [array(2, 6, 6)], 2 * 6**3 / 3 + 2 * 36 + 72),
        (lambda a: lax.linalg.lu(a)[0], [array(6, 6)], 6 * 6 * (6 - 2)),
        (lambda a: lax.linalg.qr(a, full_matrices=False)[0], [array(9, 6)], 4 * 36 * (9 - 2)),
        (lambda a: lax.linalg.eigh(a, symmetrize_input=False), [array(6, 6)], 9 * 6**3),
        (lambda a: lax.linalg.svd(a, full_matrices=False), [array(9, 6)], 14 * 9 * 36 + 8 * 6**3),
        (lambda a: lax.linalg.svd(a, compute_uv=False), [array(9, 6)], 4 * 9 * 36 - 4 * 6**3 / 3),
        (lambda a, b: lax.linalg.triangular_solve(a, b, left_side=True), [array(6, 6), array(6, 10)], 36 * 10),
        (lambda x, w, g: lax.ragged_dot(x, w, g), [array(64, 16), array(4, 16, 8), ints(4)], 2 * 64 * 16 * 8),
        (lambda x: x @ x.T.astype(jnp.bfloat16), [array(4, 8, dtype=jnp.bfloat16)], 2 * 4 * 4 * 8),
    ],
)  # fmt: skip
def test_closed_forms(function: Callable[..., Any], arguments: list[Any], expected: float) -> None:
    assert flops(operations(function, *arguments)) == pytest.approx(expected, rel=1e-12)


def test_both_gradients_of_a_ragged_product_cost_as_much_as_the_product() -> None:
    gradient = jax.grad(lambda x, w, g: lax.ragged_dot(x, w, g).sum(), argnums=(0, 1))
    found = operations(gradient, array(64, 16), array(4, 16, 8), ints(4))
    assert sorted(o.flops for o in found if o.kind == "matmul") == [2 * 64 * 16 * 8] * 2


def test_a_grouped_convolution_and_its_gradients_count_the_same_taps() -> None:
    """16 channels in 4 groups: an output sees 4 of them. Three taps over 10 positions meet 28 elements each way."""

    def convolve(x: Any, w: Any) -> Any:
        numbers = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=numbers, feature_group_count=4).sum()

    found = operations(jax.grad(convolve, argnums=(0, 1)), array(2, 10, 10, 16), array(3, 3, 4, 8))
    kernels = [o.flops for o in found if o.kind == "convolution"]
    assert kernels == [2 * 2 * 4 * 8 * 28**2] * 2


def test_a_strided_and_dilated_convolution_counts_real_elements_alone() -> None:
    """Positions 0, 2, 4 of 6 with taps 0 and 2 to the right: the last tap falls outside, five pairs remain."""
    found = operations(
        lambda x, w: lax.conv_general_dilated(x, w, (2,), [(0, 2)], rhs_dilation=(2,)), array(1, 1, 6), array(1, 1, 2)
    )
    assert flops(found) == 2 * 5


def test_four_bit_numbers_are_packed() -> None:
    (found,) = operations(lambda x: x.astype(jnp.int8), array(100, dtype=jnp.int4))
    assert found.bytes == 50 + 100


def test_operands_of_a_barrier_stay_apart() -> None:
    found = operations(lambda x, y: lax.optimization_barrier((x, y))[1] * 2, array(1000), array(10))
    assert [o.bytes for o in found] == [2 * 10 * 4]


def test_programs_that_print_or_check_cost_nothing_more() -> None:
    def loud(x: Any) -> Any:
        jax.debug.print("{}", x)
        jax.debug.callback(lambda _: None, x)
        return x * 2

    assert flops(operations(loud, array(10))) == 10


def test_a_linear_solver_is_its_program() -> None:
    """Conjugate gradients: a product with the matrix to begin with, and one in each of the stated trips."""

    def solve(a: Any, b: Any) -> Any:
        return jax.scipy.sparse.linalg.cg(lambda v: a @ v, b)[0]

    with pytest.raises(ScenarioError, match=r'trips: \{"(test_primitives\.py:\d+)": 20\}') as caught:
        operations(solve, array(16, 16), array(16))
    line = caught.value.problems[0].line
    found = operations(solve, array(16, 16), array(16), trips={f"test_primitives.py:{line}": 30})
    assert sum(o.count for o in found if o.shape == (1, 16, 1, 16)) == 1 + 30


@jax.custom_vjp
def clipped(x: Any) -> Any:
    return x @ x


clipped.defvjp(lambda x: (clipped(x), x), lambda x, g: ((g @ x.T + x.T @ g) * 0.5,))


def test_custom_derivatives_are_those_of_the_user() -> None:
    found = operations(jax.grad(lambda x: clipped(x).sum()), array(8, 8))
    assert sum(o.count for o in found if o.kind == "matmul" and o.phase == "backward") == 2


def test_the_costliest_of_several_branches_is_taken() -> None:
    branches = [lambda x: x, lambda x: x @ x, lambda x: (x @ x) @ x]
    found = operations(lambda i, x: lax.switch(i, branches, x), ints(), array(8, 8))
    assert flops(found) == pytest.approx(2 * 2 * 8**3, abs=10)


def test_a_rematerialized_block_repeats_what_its_gradient_reads() -> None:
    """The second product's result is not read by the backward pass, so only the first is computed again."""

    def block(w: Any, x: Any) -> Any:
        return jnp.sin(x @ w) @ w

    found = operations(jax.grad(lambda w, x: jax.checkpoint(block)(w, x).sum()), array(8, 8), array(4, 8))
    assert [o.count for o in found if o.kind == "matmul" and o.phase == "recompute"] == [1]


def double(x_ref: Any, out_ref: Any) -> None:
    out_ref[...] = x_ref[...] * 2


def pallas(x: Any, estimate: Any = None) -> Any:
    return pl.pallas_call(double, out_shape=array(8, 128), name="double", cost_estimate=estimate)(x)


def foreign(x: Any) -> Any:
    return jax.ffi.ffi_call("my_target", array(8, 128))(x)


def called_back(x: Any) -> Any:
    return jax.pure_callback(double_outside, array(8, 128), x)


def double_outside(x: Any) -> Any:
    return x * 2


@pytest.mark.parametrize(
    ("function", "name"),
    [(pallas, "double"), (foreign, "my_target"), (called_back, "double_outside")],
    ids=["pallas", "foreign", "callback"],
)
def test_a_custom_call_asks_for_its_cost_and_takes_it(function: Callable[..., Any], name: str) -> None:
    asked = (
        rf'test_primitives\.py:\d+: found the custom call "{name}".*kernels: \{{{name}: \{{flops: 2 GFLOP, bytes: 10 MB'
    )
    with pytest.raises(ScenarioError, match=asked):
        operations(lambda x: function(x) + 1, array(8, 128))
    stated = {name: KernelCost.model_validate({"flops": "3 MFLOP", "units": "vector"})}
    (kernel, _) = operations(lambda x: function(x) + 1, array(8, 128), kernels=stated)
    assert (kernel.name, kernel.kind, kernel.flops) == (f"kernel {name}", "custom", 3e6)
    assert kernel.bytes == 2 * 8 * 128 * 4
    stated = {name: KernelCost.model_validate({"bytes": "5 kB"})}
    assert operations(lambda x: function(x) + 1, array(8, 128), kernels=stated)[0].bytes == 5000


def test_a_pallas_kernel_may_bring_its_own_estimate() -> None:
    estimate = pl.CostEstimate(flops=1000, transcendentals=0, bytes_accessed=77)
    (kernel,) = operations(lambda x: pallas(x, estimate), array(8, 128))
    assert (kernel.flops, kernel.bytes) == (1000, 77)


def test_a_primitive_without_a_rule_is_refused_in_a_step_of_the_user() -> None:
    mystery = core.Primitive("mystery")
    mystery.def_abstract_eval(lambda aval: aval)
    with pytest.raises(ScenarioError, match=r'found the primitive "mystery", whose cost no trace can see'):
        operations(lambda x: mystery.bind(x) * 2, array(100))
    found = operations(
        lambda x: mystery.bind(x) * 2, array(100), kernels={"mystery": KernelCost.model_validate({"flops": "5 FLOP"})}
    )
    assert flops(found) == 5 + 100


def test_arrays_changed_in_place_are_refused() -> None:
    def change(x: Any) -> Any:
        box = jax.new_ref(x)
        box[...] += 1
        return box[...]

    with pytest.raises(ScenarioError, match=r"test_primitives\.py:\d+: found a mutable array \(new_ref\)"):
        operations(change, array(3))


X, M, B = array(6, 8), array(6, 6), array(4, 9, 9, 3)
PUBLIC: dict[str, Callable[[], Any]] = {
    "elementwise": lambda: (lambda x: [f(x) for f in (
        jnp.abs, jnp.sign, jnp.floor, jnp.ceil, jnp.round, jnp.isnan, jnp.square, jnp.reciprocal, jnp.cbrt, jnp.sqrt,
        jnp.exp, jnp.exp2, jnp.expm1, jnp.log, jnp.log1p, jnp.sin, jnp.cos, jnp.tan, jnp.tanh, jnp.sinh, jnp.cosh,
        jnp.arcsin, jnp.arccos, jnp.arctan, jnp.arcsinh, jnp.arccosh, jnp.arctanh, jnp.sinc, jnp.deg2rad, jnp.trunc,
    )], X),
    "activations": lambda: (lambda x: [f(x) for f in (
        jax.nn.relu, jax.nn.relu6, jax.nn.gelu, jax.nn.silu, jax.nn.swish, jax.nn.elu, jax.nn.selu, jax.nn.celu,
        jax.nn.softplus, jax.nn.soft_sign, jax.nn.hard_tanh, jax.nn.hard_swish, jax.nn.mish, jax.nn.glu,
        jax.nn.sigmoid, jax.nn.log_sigmoid, jax.nn.leaky_relu, jax.nn.softmax, jax.nn.log_softmax,
        jax.nn.logsumexp, jax.nn.standardize, jax.nn.squareplus,
    )], X),
    "special": lambda: (lambda x: [f(x) for f in (
        jax.scipy.special.erf, jax.scipy.special.erfc, jax.scipy.special.erfinv, jax.scipy.special.gammaln,
        jax.scipy.special.digamma, jax.scipy.special.i0e, jax.scipy.special.i1e, jax.scipy.special.expit,
        jax.scipy.special.logit, jax.scipy.special.entr, jax.scipy.special.ndtri,
    )], X),
    "reductions": lambda: (lambda x: [f(x, axis=0) for f in (
        jnp.sum, jnp.mean, jnp.std, jnp.var, jnp.max, jnp.min, jnp.prod, jnp.all, jnp.any, jnp.argmax, jnp.argmin,
        jnp.median, jnp.cumsum, jnp.cumprod, jnp.ptp, jnp.nanmean, jnp.count_nonzero, jnp.sort, jnp.argsort,
        jnp.linalg.norm,
    )], X),
    "moves": lambda: (lambda x: [
        jnp.concatenate([x, x]), jnp.stack([x, x]), jnp.pad(x, 1), jnp.tile(x, 2), jnp.roll(x, 1), jnp.flip(x), x.T,
        jnp.repeat(x, 2, 0), jnp.split(x, 2), jnp.tril(x), jnp.eye(3) + x[:3, :3], jnp.diag(x), x[::2], x[1], x[:, -1],
        jnp.take(x, jnp.array([0, 1]), axis=0), jnp.take_along_axis(x, jnp.argsort(x), 1), jnp.moveaxis(x, 0, 1),
        jnp.where(x > 0, x, 0), jnp.clip(x, 0, 1), jnp.searchsorted(x[0], x[1]),
        jnp.bincount(x[0].astype(int), length=4),
        jnp.histogram(x)[0], jnp.digitize(x, x[0]), jnp.unwrap(x), jnp.interp(x, x[0], x[1]), jnp.outer(x, x),
        jnp.einsum("ij,kj->ik", x, x), jnp.tensordot(x, x.T, 1), jnp.kron(x, x), jnp.cross(x[:, :3], x[:, :3]),
        x.at[0].mul(2), x.at[0].min(2), x.at[0].divide(2), lax.dynamic_update_slice(x, x[:1], (0, 0)),
    ], X),
    "linear algebra": lambda: (lambda a: [
        jnp.linalg.inv(a), jnp.linalg.solve(a, a), jnp.linalg.det(a), jnp.linalg.slogdet(a), jnp.linalg.eigh(a),
        jnp.linalg.eigvalsh(a), jnp.linalg.svd(a), jnp.linalg.qr(a), jnp.linalg.cholesky(a), jnp.linalg.pinv(a),
        jnp.linalg.lstsq(a, a)[0], jax.scipy.linalg.lu_factor(a), jax.scipy.linalg.cho_solve((a, True), a),
        jnp.linalg.matrix_power(a, 3), jax.scipy.linalg.expm(a, max_squarings=2),
    ], M),
    "random": lambda: (lambda key: [f(key) for f in (
        jax.random.bits, jax.random.uniform, jax.random.normal, jax.random.bernoulli, jax.random.gumbel,
        jax.random.exponential, jax.random.laplace, jax.random.cauchy, jax.random.split,
        lambda k: jax.random.randint(k, (3,), 0, 5), lambda k: jax.random.categorical(k, jnp.zeros(5)),
        lambda k: jax.random.truncated_normal(k, -1, 1), lambda k: jax.random.permutation(k, 8),
        lambda k: jax.random.fold_in(k, 1), lambda k: jax.random.choice(k, 5, (2,)),
        lambda k: jax.random.orthogonal(k, 3), lambda k: jax.random.dirichlet(k, jnp.ones(3)),
    )], KEY),
    "images": lambda: (lambda x: [
        jax.image.resize(x, (4, 5, 5, 3), "bilinear"),
        lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "SAME"),
        jax.grad(lambda y: lax.reduce_window(y, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "SAME").sum())(x),
        jax.grad(lambda y: lax.reduce_window(y, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "SAME").sum())(x),
        lax.conv_transpose(x, jnp.zeros((3, 3, 3, 5)), (2, 2), "SAME"), jnp.fft.fft2(x), jnp.fft.irfft(x),
    ], B),
    "attention": lambda: (lambda x: [
        jax.nn.dot_product_attention(x, x, x, is_causal=True), jax.nn.one_hot(jnp.zeros(3, int), 4),
    ], array(2, 8, 4, 16)),
}  # fmt: skip


@pytest.mark.parametrize("group", PUBLIC)
def test_the_public_functions_of_jax_have_rules(group: str) -> None:
    function, argument = PUBLIC[group]()
    assert operations(function, argument)
