"""Regularised least squares of rows against NumPy's solver, in both forms and by conjugate gradients."""

import numpy as np
import pytest

from mu_kernels import CSR
from mu_kernels.least_squares import BLOCK, improve_rows, solve_rows

V, DIM = 40, 11


@pytest.fixture(scope="module")
def system():
    """Rows of 0 to 40 columns: fewer than numbers of a factor, as many, and more."""
    random = np.random.default_rng(0)
    sizes = [0, 1, 2, 5, 10, 11, 12, 13, 40, *random.integers(0, V, 60)]
    columns = np.concatenate([np.sort(random.permutation(V)[:size]) for size in sizes])
    rows = CSR(np.append(0, np.cumsum(sizes)), columns.astype(np.int32), V)
    weights = random.uniform(0.1, 5, len(columns)).astype(np.float32)
    factors = random.standard_normal((V, DIM)).astype(np.float32)
    diagonal = random.uniform(0, 3, DIM).astype(np.float32)
    diagonal[0] = 0
    return rows, weights, factors, diagonal, random.uniform(0.1, 2, len(sizes)).astype(np.float32)


def expected(rows, weights, factors, diagonal, ridge):
    """float64 [R, D]."""
    out = np.zeros((rows.n_rows, factors.shape[1]))
    for row in range(rows.n_rows):
        where = slice(rows.indptr[row], rows.indptr[row + 1])
        chosen, c = factors[rows.indices[where]].astype(np.float64), weights[where].astype(np.float64)
        matrix = np.diag(diagonal + np.float64(ridge[row])) + chosen.T @ (c[:, None] * chosen)
        out[row] = np.linalg.solve(matrix, chosen.T @ c)
    return out


def test_rows_are_solved_in_the_smaller_form(system):
    np.testing.assert_allclose(solve_rows(*system), expected(*system), rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("size", [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 7])
def test_rows_of_many_columns_are_summed_block_by_block(size):
    random = np.random.default_rng(2)
    rows = CSR(np.array([0, size, size + 3]), np.append(np.arange(size), [0, 5, 9]).astype(np.int32), size)
    weights = random.uniform(0.1, 5, size + 3).astype(np.float32)
    factors, diagonal = random.standard_normal((size, DIM)).astype(np.float32), np.ones(DIM, np.float32)
    system = rows, weights, factors, diagonal, np.full(2, 0.5, np.float32)
    np.testing.assert_allclose(solve_rows(*system), expected(*system), rtol=1e-3, atol=2e-5)


def test_conjugate_gradients_reach_the_solution_in_as_many_steps_as_there_are_unknowns(system):
    random = np.random.default_rng(1)
    start = random.standard_normal((system[0].n_rows, DIM)).astype(np.float32)
    improved = improve_rows(*system, start, 2 * DIM)
    np.testing.assert_allclose(improved, expected(*system), rtol=1e-3, atol=2e-4)
    # Each step is nearer to the solution, in the norm of the system.
    errors = [np.abs(improve_rows(*system, start, steps) - expected(*system)).mean() for steps in (0, 2, 5)]
    assert errors[0] > errors[1] > errors[2]
    np.testing.assert_array_equal(start, np.random.default_rng(1).standard_normal(start.shape).astype(np.float32))


def test_threads_and_neighbours_change_nothing(system):
    rows, weights, factors, diagonal, ridge = system
    whole, start = solve_rows(*system, threads=1), np.ones((rows.n_rows, DIM), np.float32)
    stepped = improve_rows(*system, start, 3, threads=1)
    for threads in (2, 5):
        np.testing.assert_array_equal(solve_rows(*system, threads=threads), whole)
        np.testing.assert_array_equal(improve_rows(*system, start, 3, threads=threads), stepped)
    alone = rows.take([8])
    of_alone = weights[rows.indptr[8] : rows.indptr[9]]
    np.testing.assert_array_equal(solve_rows(alone, of_alone, factors, diagonal, ridge[8:9])[0], whole[8])


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (1, np.ones(3), r"weights has the shape \(3,\); it must have \("),
        (2, np.ones(3), r"factors are \(3,\); they must be \[V, D\]"),
        (2, np.ones((3, DIM)), r"factors has the shape \(3, 11\); it must have \(40, 11\)"),
        (3, -np.ones(DIM), r"diagonal\[0\] is -1.0; it must be finite and not negative"),
        (4, np.zeros(69), r"ridge\[0\] is 0.0; it must be finite and above 0"),
        (2, np.full((V, DIM), np.nan), r"factors\[0, 0\] is nan; it must be finite$"),
    ],
)
def test_bad_systems_are_refused(system, at, value, message):
    arguments = list(system)
    arguments[at] = value
    with pytest.raises(ValueError, match=message):
        solve_rows(*arguments)
    with pytest.raises(ValueError, match=r"start is \(2, 3\); it must be \(69, 11\)"):
        improve_rows(*system, np.ones((2, 3)), 1)


@pytest.mark.filterwarnings("ignore:.*encountered in scalar:RuntimeWarning")  # of NumPy, where the JIT is off
def test_a_system_beyond_float32_names_its_row(system):
    rows, weights, factors, diagonal, ridge = system
    with pytest.raises(ValueError, match="the system of row 1 is singular in float32"):
        solve_rows(rows, weights, factors * np.float32(1e25), diagonal, ridge)
