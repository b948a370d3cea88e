"""The names of JAX's primitives by what they do; several of them differ between its versions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dcsim.workload.operation import CollectiveKind


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


VIEWS = _words(
    "reshape squeeze expand_dims transpose broadcast_in_dim broadcast_to slice dynamic_slice bitcast_convert_type "
    "copy copy_p stop_gradient optimization_barrier sharding_constraint layout_constraint reshard mesh_cast pvary "
    "pcast name device_put split unstack real imag random_wrap random_unwrap to_edtype from_edtype tie pin unpin "
    "preduced reduced_vary_cast_p vary_unreduced_cast_p with_memory_space_constraint"
)
BARRIERS = _words("optimization_barrier")
TRANSCENDENTAL = _words(
    "exp exp2 expm1 log log1p tanh logistic erf erfc erf_inv sin cos tan asin acos atan atan2 sinh cosh asinh acosh "
    "atanh pow sqrt rsqrt cbrt lgamma digamma polygamma zeta igamma igammac igamma_grad_a random_gamma_grad "
    "bessel_i0e bessel_i1e regularized_incomplete_beta"
)
ELEMENTWISE = _words(
    "add sub mul div rem max min neg sign abs floor ceil round is_finite eq ne lt le gt ge and or xor not select_n "
    "clamp convert_element_type reduce_precision integer_pow square reciprocal add_any nextafter population_count clz "
    "shift_left shift_right_logical shift_right_arithmetic eq_to lt_to le_to mulhi complex conj"
)
SLOW = TRANSCENDENTAL | {"div", "rem"}
INDEXED = _words("gather scatter scatter-add scatter-sub scatter-mul scatter-min scatter-max")
MOVES = _words("concatenate pad rev iota tile stack empty empty2 zeros_like axis_index platform_index iota_2x32_shape")
REDUCTIONS = _words("reduce_sum reduce_max reduce_min reduce_prod reduce_and reduce_or reduce_xor argmax argmin reduce")
SCANS = _words("cumsum cumprod cummax cummin cumlogsumexp")
RANDOM = _words(
    "random_bits random_seed random_fold_in random_split random_clone random_gamma threefry2x32 threefry4x32 "
    "philox2x32 philox4x32 rng_bit_generator rng_uniform"
)
COLLECTIVES: Mapping[str, CollectiveKind] = MappingProxyType(
    {
        "psum": "all-reduce",
        "psum2": "all-reduce",
        "psum_invariant": "all-reduce",
        "unreduced_psum": "all-reduce",
        "pmax": "all-reduce",
        "pmin": "all-reduce",
        "all_gather": "all-gather",
        "all_gather_invariant": "all-gather",
        "all_gather_reduced": "all-gather",
        "pbroadcast": "all-gather",
        "reduce_scatter": "reduce-scatter",
        "unreduced_reduce_scatter": "reduce-scatter",
        "all_to_all": "all-to-all",
        "ppermute": "permute",
    }
)
CUSTOM = _words("pallas_call ffi_call pure_callback io_callback tpu_custom_call mosaic_gpu_call core_map mpmd_map")
MUTABLE = _words("new_ref empty_ref get swap addupdate freeze run_state run_scoped free_ref accum_grad_in_ref")
