"""iALS and BPR against their objectives in NumPy, folding in, and what must not change them."""

import numpy as np
import pytest

from mu.baselines.bpr import BPR
from mu.baselines.ials import IALS
from mu_kernels import hashing
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
        ({"dim": 0}, "dim=0; it must be at least 1"),
        ({"epochs": 0}, "epochs=0; it must be at least 1"),
        ({"l2": 0}, "l2=0; it must be above 0"),
        ({"unobserved_weight": 0}, "unobserved_weight=0; it must be above 0"),
        ({"regularisation_exponent": -1}, "regularisation_exponent=-1; it must be at least 0"),
        ({"solver": "lu"}, "solver='lu'; IALS takes one of cholesky, conjugate_gradients"),
        ({"weights": "logs"}, "weights 'logs' are not known"),
    ],
)
def test_bad_options_of_ials_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        IALS(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 0}, "dim=0; it must be at least 1"),
        ({"tries": 0}, "tries=0; it must be at least 1"),
        ({"learning_rate": 0}, "learning_rate=0; it must be above 0"),
        ({"l2": -1}, "l2=-1; it must be at least 0"),
        ({"l2": 30, "learning_rate": 0.1}, "l2=30; it must be below 1 / learning_rate, which is 10"),
        ({"loss": "hinge"}, "loss='hinge'; BPR takes one of bpr, warp"),
        ({"weights": "logs"}, "weights 'logs' are not known"),
    ],
)
def test_bad_options_of_bpr_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        BPR(**options)


# ---- BPR


def descended(log, weights, dim, epochs, rate, l2, loss, tries, seed):
    """Scores after so many epochs: one example after the other, as the docstring says."""
    seen = [set(log.row(user).tolist()) for user in EVERYONE]
    pairs = [(user, item) for user in EVERYONE for item in sorted(seen[user])]
    random = np.random.default_rng(seed)
    users, items = (
        (0.1 * random.standard_normal((n, dim), np.float32)).astype(np.float64) for n in (log.n_users, log.n_items)
    )
    bias = np.zeros(log.n_items)
    counts = np.ones(len(pairs))
    if weights == "linear":
        of_user = np.repeat(EVERYONE, log.lengths)
        counts = np.array([log.weights[(of_user == user) & (log.items == item)].sum() for user, item in pairs])
    for epoch in range(epochs):
        for draw in range(len(pairs)):
            words = hashing.stream(np.uint64(seed), np.uint64(epoch), np.uint64(draw))

            def number(column, n, words=words):
                return int(hashing.below(np.uint64(hashing.column_word(np.uint64(words), column)), np.uint64(n)))

            pair, column = number(0, len(pairs)), 1
            user, item = pairs[pair]
            share = rate * counts[pair] / counts.mean()
            score = users[user] @ items[item] + bias[item]
            for attempt in range(tries if loss == "warp" else 1):
                other = number(column, log.n_items)
                while other in seen[user]:
                    column += 1
                    other = number(column, log.n_items)
                column += 1
                of_other = users[user] @ items[other] + bias[other]
                if loss == "bpr":
                    step = share / (1 + np.exp(score - of_other))
                elif of_other > score - 1:
                    step = share * np.log(max(2, log.n_items / (attempt + 1))) / np.log(log.n_items)
                else:
                    continue
                before = users[user].copy()
                users[user] += step * (items[item] - items[other]) - rate * l2 * users[user]
                items[item] += step * before - rate * l2 * items[item]
                items[other] += -step * before - rate * l2 * items[other]
                bias[item] += step - rate * l2 * bias[item]
                bias[other] += -step - rate * l2 * bias[other]
                break
    return users @ items.T + bias


@pytest.mark.parametrize("weights", ["none", "linear"])
@pytest.mark.parametrize("loss", ["bpr", "warp"])
def test_bpr_takes_one_example_after_the_other(weights, loss):
    options = {"dim": 5, "epochs": 3, "loss": loss, "tries": 3, "weights": weights, "seed": 9}
    model = BPR(**options, learning_rate=0.2, l2=0.05).fit(LOG)
    expected = descended(LOG, weights, 5, 3, 0.2, 0.05, loss, 3, 9)
    np.testing.assert_allclose(model.scores(EVERYONE, LOG), expected, rtol=1e-3, atol=1e-4)


def test_a_user_who_has_played_everything_teaches_nothing():
    log = log_of([[0, 1, 2], [0]], 3)
    model, other = BPR(4, 20).fit(log), BPR(4, 1).fit(log)
    np.testing.assert_array_equal(model.queries(np.array([0]), log), other.queries(np.array([0]), log))
    assert not np.array_equal(model.queries(np.array([1]), log), other.queries(np.array([1]), log))


def test_bpr_refuses_listeners_outside_the_log_and_steps_too_long():
    model = BPR(4, 1).fit(LOG)
    with pytest.raises(ValueError, match=r"users\[1\] is outside the training log, and BPR knows users by their ids"):
        model.queries(np.array([0, -1]), LOG)
    with pytest.raises(ValueError, match=r"learning_rate=1000000000\.0 is too large"):
        BPR(4, 3, learning_rate=1e9, l2=0).fit(LOG)


def test_bpr_of_a_log_without_plays_has_scores():
    empty = log_of([[], []], 3)
    assert np.isfinite(BPR(4, 1).fit(empty).scores(np.arange(2), empty)).all()
