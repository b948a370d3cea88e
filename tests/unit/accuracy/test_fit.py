"""The fit of kernel terms recovers the constants that made the times."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.accuracy.fit import Equation, Tie, fit_terms

TRUE = {("elementwise", "launch"): 2e-6, ("elementwise", "traffic"): 1.25, ("elementwise", "function"): 4e-10}


def equation(name: str, features: dict[tuple[str, str], float], factor: float = 1.0) -> Equation:
    return Equation(name, features, 1e-6, (1e-6 + sum(TRUE[term] * features[term] for term in features)) * factor)


def programs(noise: float) -> list[Equation]:
    """Programs of 1 to 4 kernels over 10 us to 10 ms of traffic and none to 10^7 functions."""
    random = np.random.default_rng(5)
    found = []
    for index in range(40):
        values = (1.0 + index % 4, 10.0 ** random.uniform(-5, -2), (index % 3) * 10.0 ** random.uniform(3, 7))
        features = dict(zip(TRUE, values, strict=True))
        found.append(equation(str(index), features, float(np.exp(noise * random.standard_normal()))))
    return found


def test_exact_times_give_the_exact_terms() -> None:
    fit = fit_terms(programs(0.0))
    assert dict(fit.terms) == pytest.approx(TRUE, rel=1e-9)
    assert max(map(abs, fit.errors.values())) < 1e-9


def test_noisy_times_give_nearly_the_terms() -> None:
    # 40 programs with 5 % of noise each: 5 % / sqrt(40) is 0.8 %, and each term weighs in a third of them at least.
    fit = fit_terms(programs(0.05))
    assert dict(fit.terms) == pytest.approx(TRUE, rel=0.06)


def test_a_term_that_nothing_needs_is_zero_and_never_negative() -> None:
    equations = [
        Equation(str(n), {("reduce", "flop"): 1.0 * n, ("reduce", "launch"): 1.0}, 0.0, 2.0 * n - 0.5)
        for n in (1, 2, 3)
    ]
    assert fit_terms(equations).terms["reduce", "launch"] == 0.0


def test_a_tie_decides_what_programs_leave_open() -> None:
    # One program knows only the sum of two terms; tied, they are equal.
    both = Equation("sum", {("copy", "low"): 1.0, ("copy", "high"): 1.0}, 0.0, 4.0)
    fit = fit_terms([both], [Tie(("copy", "low"), ("copy", "high"), 1.0)])
    assert dict(fit.terms) == pytest.approx({("copy", "low"): 2.0, ("copy", "high"): 2.0}, rel=1e-9)


def test_a_tie_of_terms_that_no_program_has_is_no_equation() -> None:
    one = Equation("one", {("copy", "low"): 1.0}, 0.0, 4.0)
    assert fit_terms([one], [Tie(("sort", "low"), ("sort", "high"), 1.0)]).terms == {("copy", "low"): 4.0}


def test_times_must_be_above_zero() -> None:
    with pytest.raises(ValueError, match="above zero"):
        fit_terms([])
    with pytest.raises(ValueError, match="above zero"):
        fit_terms([Equation("none", {}, 0.0, 0.0)])


def test_half_the_time_is_as_wrong_as_twice_the_time() -> None:
    # One term for programs of 1 s and 1.44 s: the logarithms are least off at 1.2 s; relative errors would say 1.14 s.
    equations = [Equation(str(n), {("copy", "launch"): 1.0}, 0.0, n) for n in (1.0, 1.44)]
    assert fit_terms(equations).terms["copy", "launch"] == pytest.approx(1.2, rel=1e-9)
