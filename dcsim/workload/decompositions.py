"""Operations of matrix decompositions and Fourier transforms, by their closed forms.

G. Golub, C. Van Loan, Matrix Computations, 4th edition (2013): Cholesky n^3/3, LU n^2 (m - n/3), Householder QR
2 n^2 (m - n/3) and as much for the thin Q, Hessenberg form 10 n^3/3, symmetric eigenproblem 4 n^3/3 for values and
9 n^3 with vectors, unsymmetric 10 n^3 and 25 n^3, singular values 4 m n^2 - 4 n^3/3 alone and 14 m n^2 + 8 n^3 with
vectors. A Fourier transform of length n takes 5 n log2 n, half of that where one side is real (M. Frigo, S. Johnson,
"The design and implementation of FFTW3", Proc. IEEE 93, 2005). They run beside the matrix units: as elementwise work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log2, prod
from types import MappingProxyType

from dcsim.workload.graph import Node


def flops(node: Node) -> float:
    """Return the operations of a decomposition or transform."""
    return _FORMS[node.primitive](node)


def _sides(node: Node) -> tuple[float, float, float]:
    """Return (matrices, longer side, shorter side)."""
    *batch, rows, columns = node.inputs[0].shape
    return float(prod(batch)), float(max(rows, columns)), float(min(rows, columns))


def _cholesky(node: Node) -> float:
    count, _, n = _sides(node)
    return count * n**3 / 3.0


def _lu(node: Node) -> float:
    count, m, n = _sides(node)
    return count * n * n * (m - n / 3.0)


def _qr(node: Node) -> float:
    count, m, n = _sides(node)
    return count * 2.0 * n * n * (m - n / 3.0)


def _qr_with_q(node: Node) -> float:
    return 2.0 * _qr(node)


def _eigh(node: Node) -> float:
    count, _, n = _sides(node)
    return count * (9.0 if len(node.outputs) > 1 else 4.0 / 3.0) * n**3


def _eig(node: Node) -> float:
    count, _, n = _sides(node)
    return count * (25.0 if len(node.outputs) > 1 else 10.0) * n**3


def _hessenberg(node: Node) -> float:
    count, _, n = _sides(node)
    return count * 10.0 / 3.0 * n**3


def _tridiagonal_form(node: Node) -> float:
    count, _, n = _sides(node)
    return count * 4.0 / 3.0 * n**3


def _svd(node: Node) -> float:
    count, m, n = _sides(node)
    if node.parameters.get("compute_uv", len(node.outputs) > 1):
        return count * (14.0 * m * n * n + 8.0 * n**3)
    return count * (4.0 * m * n * n - 4.0 * n**3 / 3.0)


def _triangular(node: Node) -> float:
    """n^2 for each of the right sides."""
    return float(node.inputs[0].shape[-1]) * node.inputs[1].elements


def _tridiagonal(node: Node) -> float:
    """8 a row and right side: elimination and back substitution."""
    return 8.0 * node.outputs[0].elements


def _householder(node: Node) -> float:
    """4 m n k for k reflections of an m x n matrix."""
    return 4.0 * node.outputs[0].elements * node.inputs[1].shape[-1]


def _fourier(node: Node) -> float:
    lengths = node.parameters["fft_lengths"]
    real = any(not value.dtype.startswith("complex") for value in (node.inputs[0], node.outputs[0]))
    elements = max(node.inputs[0].elements, node.outputs[0].elements)
    return (2.5 if real else 5.0) * elements * log2(max(2, prod(lengths)))


def _nothing(node: Node) -> float:
    return 0.0 * node.outputs[0].elements


_FORMS: Mapping[str, Callable[[Node], float]] = MappingProxyType(
    {
        "cholesky": _cholesky,
        "lu": _lu,
        "lu_pivots_to_permutation": _nothing,
        "qr": _qr_with_q,
        "geqrf": _qr,
        "geqp3": _qr,
        "householder_product": _householder,
        "ormqr": _householder,
        "eigh": _eigh,
        "eig": _eig,
        "schur": _eig,
        "hessenberg": _hessenberg,
        "tridiagonal": _tridiagonal_form,
        "svd": _svd,
        "triangular_solve": _triangular,
        "tridiagonal_solve": _tridiagonal,
        "fft": _fourier,
    }
)
NAMES = frozenset(_FORMS)
