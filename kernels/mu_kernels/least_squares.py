"""Regularised least squares for every row of a sparse matrix: the half-step of alternating least squares.

For row u with columns i of weights c_i, factors y_i and the penalties p = diagonal + ridge_u,

    x_u = argmin  sum over i of c_i (x.y_i - 1)^2  +  sum over k of p_k x_k^2

The dense part of the matrix of all columns is diagonal: the caller turns the factors into the basis of eigenvectors of
their Gram matrix first. So a row of n columns costs a system of min(n, D) unknowns, or D + 2 n D a step of conjugate
gradients, and never D^2.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from mu_kernels._check import refuse_where
from mu_kernels._cholesky import ONE, ZERO, factorise, gram, solve_factorised, unit_matrix
from mu_kernels.compile import kernel
from mu_kernels.csr import CSR
from mu_kernels.threads import run_rows

BLOCK = 496
"""Columns of a row that are in memory at once, of millions maybe. No power of two, whose rows share cache lines."""


def solve_rows(
    rows: CSR, weights: Any, factors: Any, diagonal: Any, ridge: Any, *, threads: int | None = None
) -> np.ndarray:
    """float32 [R, D]: the solution of each row, by Cholesky factorisation; 0 of a row without columns.

    Args:
      rows: CSR [R, V].
      weights: float32, c of each entry of `rows`, above 0.
      factors: float32 [V, D].
      diagonal: float32 [D], not negative.
      ridge: float32 [R], above 0.
      threads: None for all CPUs; the result does not depend on it.

    Raises:
      ValueError: shapes differ, a number is out of range, or a row's system is singular in float32; names the first.
    """
    arrays = _checked(rows, weights, factors, diagonal, ridge)
    solutions = np.zeros((rows.n_rows, arrays[3].shape[1]), np.float32)
    failed = np.zeros(rows.n_rows, np.bool_)
    run_rows(_solve_rows, rows.n_rows, threads, *arrays, solutions, failed, min_rows=16)
    if failed.any():
        row = int(np.argmax(failed))
        raise ValueError(
            f"the system of row {row} is singular in float32: weights or factors are too large, ridge small"
        )
    return solutions


def improve_rows(
    rows: CSR,
    weights: Any,
    factors: Any,
    diagonal: Any,
    ridge: Any,
    start: Any,
    steps: int,
    *,
    threads: int | None = None,
) -> np.ndarray:
    """float32 [R, D]: the same after `steps` of conjugate gradients from `start` (float32 [R, D]).

    Raises:
      ValueError: as `solve_rows`.
    """
    arrays = _checked(rows, weights, factors, diagonal, ridge)
    shape = rows.n_rows, arrays[3].shape[1]
    solutions = np.array(start, np.float32, order="C")
    if solutions.shape != shape:
        raise ValueError(f"start is {solutions.shape}; it must be {shape}")
    run_rows(_improve_rows, rows.n_rows, threads, *arrays, solutions, steps, min_rows=16)
    return solutions


def _checked(rows: CSR, weights: Any, factors: Any, diagonal: Any, ridge: Any) -> tuple[np.ndarray, ...]:
    """The arrays of the kernels, in their types."""
    factors = np.ascontiguousarray(factors, np.float32)
    if factors.ndim != 2:
        raise ValueError(f"factors are {factors.shape}; they must be [V, D]")
    n_items, dim = rows.n_columns, factors.shape[1]
    weights = _numbers("weights", weights, (len(rows),), "and above 0", lambda array: array > 0)
    factors = _numbers("factors", factors, (n_items, dim), "", np.isfinite)
    diagonal = _numbers("diagonal", diagonal, (dim,), "and not negative", lambda array: array >= 0)
    ridge = _numbers("ridge", ridge, (rows.n_rows,), "and above 0", lambda array: array > 0)
    return rows.indptr, rows.indices, weights, factors, diagonal, ridge


def _numbers(
    name: str, values: Any, shape: tuple[int, ...], rule: str, holds: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """float32 of this shape, all finite, for which the rule holds."""
    array = np.ascontiguousarray(values, np.float32)
    if array.shape != shape:
        raise ValueError(f"{name} has the shape {array.shape}; it must have {shape}")
    refuse_where(~(np.isfinite(array) & holds(array)), array, name, f"it must be finite {rule}".rstrip())
    return array


@kernel(reordered_sums=True)
def _solve_rows(first, stop, indptr, indices, weights, factors, diagonal, ridge, solutions, failed):
    """With X[i, k] = sqrt(c_i) y_ik / sqrt(p_k) and s = sqrt(c):

    sqrt(p) x = X' (I + X X')^-1 s = (I + X' X)^-1 X' s, of which the smaller is solved.
    """
    dim = factors.shape[1]
    scale = np.empty(dim, np.float32)
    matrix = np.empty((dim, dim), np.float32)
    right = np.empty(dim, np.float32)
    few = np.empty((dim, dim), np.float32)
    block = np.empty((dim, BLOCK), np.float32)
    for row in range(first, stop):
        begin, n = indptr[row], indptr[row + 1] - indptr[row]
        if n == 0:
            continue
        for k in range(dim):
            scale[k] = ONE / np.sqrt(diagonal[k] + ridge[row])
        out = solutions[row]
        if n < dim:
            scaled = few[:n]
            for i in range(n):
                root = np.sqrt(weights[begin + i])
                right[i] = root
                of_item, into = factors[indices[begin + i]], scaled[i]
                for k in range(dim):
                    into[k] = root * of_item[k] * scale[k]
            unit_matrix(matrix, n)
            gram(scaled, matrix)
            if not factorise(matrix, n):
                failed[row] = True
                continue
            solve_factorised(matrix, n, right)
            for i in range(n):
                value, of_item = right[i], scaled[i]
                for k in range(dim):
                    out[k] += value * of_item[k]
        else:
            unit_matrix(matrix, dim)
            for start in range(begin, begin + n, BLOCK):
                size = min(BLOCK, begin + n - start)
                columns = block if size == BLOCK else np.empty((dim, size), np.float32)
                for i in range(size):
                    root = np.sqrt(weights[start + i])
                    of_item = factors[indices[start + i]]
                    for k in range(dim):
                        columns[k, i] = root * of_item[k] * scale[k]
                gram(columns, matrix)
                for k in range(dim):
                    of_dim = columns[k]
                    s = ZERO
                    for i in range(size):
                        s += of_dim[i] * np.sqrt(weights[start + i])
                    out[k] += s
            if not factorise(matrix, dim):
                failed[row] = True
                continue
            solve_factorised(matrix, dim, out)
        for k in range(dim):
            out[k] *= scale[k]


@kernel(reordered_sums=True)
def _improve_rows(first, stop, indptr, indices, weights, factors, diagonal, ridge, solutions, steps):
    """Conjugate gradients (Hestenes & Stiefel 1952) on (P + Y' C Y) x = Y' c.

    No loop both sums and writes: LLVM would ask at run time whether its arrays overlap, and the answer, which depends
    on their addresses, would choose the order of the sum.
    """
    dim = factors.shape[1]
    residual = np.empty(dim, np.float32)
    direction = np.empty(dim, np.float32)
    image = np.empty(dim, np.float32)
    for row in range(first, stop):
        begin, end = indptr[row], indptr[row + 1]
        x = solutions[row]
        if begin == end:
            x[:] = 0
            continue
        for k in range(dim):
            residual[k] = -(diagonal[k] + ridge[row]) * x[k]
        for e in range(begin, end):
            of_item = factors[indices[e]]
            s = ZERO
            for k in range(dim):
                s += of_item[k] * x[k]
            s = weights[e] * (ONE - s)
            for k in range(dim):
                residual[k] += s * of_item[k]
        size = ZERO
        for k in range(dim):
            size += residual[k] * residual[k]
        direction[:] = residual
        for _ in range(steps):
            if size < 1e-20:
                break
            for k in range(dim):
                image[k] = (diagonal[k] + ridge[row]) * direction[k]
            for e in range(begin, end):
                of_item = factors[indices[e]]
                s = ZERO
                for k in range(dim):
                    s += of_item[k] * direction[k]
                s *= weights[e]
                for k in range(dim):
                    image[k] += s * of_item[k]
            curvature = ZERO
            for k in range(dim):
                curvature += direction[k] * image[k]
            step = size / curvature
            next_size = ZERO
            for k in range(dim):
                x[k] += step * direction[k]
                residual[k] -= step * image[k]
            for k in range(dim):
                next_size += residual[k] * residual[k]
            ratio = next_size / size
            size = next_size
            for k in range(dim):
                direction[k] = residual[k] + ratio * direction[k]
