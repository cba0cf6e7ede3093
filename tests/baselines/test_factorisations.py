"""iALS: alternating least squares in dense NumPy, folding in, and what must not change it."""

import numpy as np
import pytest

from mu.baselines.ials import IALS
from tests.helpers.small_logs import log_of, weighted_log

LOG = weighted_log(30, 20, seed=3)
EVERYONE = np.arange(LOG.n_users)


def dense_ials(log, weights, dim, epochs, l2, unobserved, exponent, seed):
    """Scores of every user after so many epochs: each row solved for as the objective says."""
    confidence = np.zeros((log.n_users, log.n_items))
    np.add.at(confidence, (np.repeat(EVERYONE, log.lengths), log.items), log.weights)
    confidence = np.log1p(confidence) if weights == "log" else 1.0 * (confidence > 0)
    random = np.random.default_rng(seed)
    sides = [random.standard_normal((n, dim), np.float32) * 0.1 / np.sqrt(dim) for n in confidence.shape]

    def solve(confidence, fixed):
        solved = np.zeros((len(confidence), fixed.shape[1]))
        for row, c in enumerate(confidence):
            penalty = l2 * (c.sum() + unobserved * len(fixed)) ** exponent
            matrix = unobserved * fixed.T @ fixed + fixed.T @ (c[:, None] * fixed) + penalty * np.eye(dim)
            solved[row] = np.linalg.solve(matrix, fixed.T @ c)
        return solved

    items = sides[1].astype(np.float64)
    for _ in range(epochs):
        users = solve(confidence, items)
        items = solve(confidence.T, users)
    return solve(confidence, items) @ items.T


@pytest.mark.parametrize("weights", ["none", "log"])
@pytest.mark.parametrize("exponent", [0.0, 1.0])
@pytest.mark.parametrize("dim", [2, 6, 16])
def test_ials_solves_its_objective_row_by_row(weights, exponent, dim):
    options = {"dim": dim, "epochs": 3, "l2": 0.05, "unobserved_weight": 0.2}
    model = IALS(**options, regularisation_exponent=exponent, weights=weights, seed=4).fit(LOG)
    expected = dense_ials(LOG, weights, dim, 3, 0.05, 0.2, exponent, 4)
    np.testing.assert_allclose(model.scores(EVERYONE, LOG), expected, rtol=2e-3, atol=2e-4)


def test_conjugate_gradients_come_to_the_same_factors():
    options = {"dim": 6, "epochs": 3, "l2": 0.1}
    exact = IALS(**options).fit(LOG).scores(EVERYONE, LOG)
    stepped = IALS(**options, solver="conjugate_gradients", steps=12).fit(LOG).scores(EVERYONE, LOG)
    np.testing.assert_allclose(stepped, exact, rtol=2e-3, atol=2e-3)
    few = IALS(**options, solver="conjugate_gradients", steps=1).fit(LOG).scores(EVERYONE, LOG)
    assert np.abs(few - exact).max() > 1e-3


@pytest.mark.parametrize("solver", ["cholesky", "conjugate_gradients"])
def test_threads_change_no_bit(solver):
    fits = [IALS(8, 2, solver=solver, threads=threads).fit(LOG).item_vectors for threads in (1, 2, 5)]
    np.testing.assert_array_equal(fits[0], fits[1])
    np.testing.assert_array_equal(fits[0], fits[2])
    assert not np.array_equal(fits[0], IALS(8, 2, solver=solver, seed=1).fit(LOG).item_vectors)


def test_a_listener_outside_the_log_is_folded_in():
    model = IALS(8, 4).fit(LOG)
    inside = model.queries(EVERYONE[:3], LOG.take(EVERYONE[:3]))
    np.testing.assert_array_equal(model.queries(np.full(3, -1), LOG.take(EVERYONE[:3])), inside)
    assert not model.queries(np.array([-1]), log_of([[]], LOG.n_items)).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 0}, "dim is 0; it must be at least 1"),
        ({"epochs": 0}, "epochs is 0"),
        ({"l2": 0}, "l2 is 0; it must be a number above 0"),
        ({"unobserved_weight": 0}, "unobserved_weight is 0"),
        ({"regularisation_exponent": -1}, "regularisation_exponent is -1"),
        ({"solver": "lu"}, "solver is 'lu'; it must be 'cholesky' or 'conjugate_gradients'"),
        ({"weights": "logs"}, "weights 'logs' are not known"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        IALS(**options)
