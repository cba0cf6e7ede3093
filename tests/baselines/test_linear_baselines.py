"""EASE, GF-CF, RP3beta and UserKNN: the equations in dense NumPy, on small logs."""

import dataclasses
import itertools

import numpy as np
import pytest

import mu.baselines.ease
import mu.baselines.memory
from mu.baselines.ease import EASE
from mu.baselines.gf_cf import GFCF
from mu.baselines.rp3beta import RP3beta
from mu.baselines.sparse_ease import SparseEASE
from mu.baselines.user_knn import UserKNN
from tests.helpers.small_logs import log_of, weighted_log

CUTS = [
    ("none", None),
    ("log", None),
    ("linear", 3),
]  # weights are no whole numbers: which of equal ones stay is rounding
LOGS = {"users": weighted_log(9, 14), "items": weighted_log(20, 8)}


@pytest.fixture(params=LOGS, ids=lambda name: f"more {name}")
def log(request):
    return LOGS[request.param]


def matrix_of(log, weights):
    """float64 [U, V]."""
    matrix = np.zeros((log.n_users, log.n_items))
    np.add.at(matrix, (np.repeat(np.arange(log.n_users), log.lengths), log.items), log.weights)
    return {"none": 1.0 * (matrix > 0), "linear": matrix, "log": np.log1p(matrix), ">=4": 1.0 * (matrix >= 4)}[weights]


def cut(matrix, k):
    """Each row's k largest entries, of equal ones the first."""
    out = np.zeros_like(matrix)
    for row, values in enumerate(matrix):
        best = np.argsort(-values, kind="stable")[:k]
        out[row, best] = values[best]
    return out


@pytest.mark.parametrize("weights", ["none", "log", ">=4"])
@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-4), ("float64", 1e-6)])
def test_ease_is_the_ridge_regression_of_each_item_on_the_others(log, weights, precision, error, monkeypatch):
    monkeypatch.setattr(mu.baselines.ease, "BLOCK_ITEMS", 3)
    played = matrix_of(log, weights)
    expected = np.zeros((log.n_items, log.n_items))
    for item in range(log.n_items):
        others = np.delete(np.arange(log.n_items), item)
        gram = played[:, others].T @ played[:, others] + 2.5 * np.eye(len(others))
        expected[others, item] = np.linalg.solve(gram, played[:, others].T @ played[:, item])
    scores = EASE(2.5, weights, precision).fit(log).scores(np.arange(log.n_users), log)
    np.testing.assert_allclose(scores, played @ expected, rtol=error, atol=error)


@pytest.mark.parametrize("weights", ["none", "log"])
def test_sparse_ease_is_the_ridge_regression_of_each_item_on_its_neighbours(weights):
    log = weighted_log(60, 9)  # every two items were played by somebody
    played = matrix_of(log, weights)
    gram = played.T @ played
    assert gram.all()
    cosines = gram / np.sqrt(np.outer(np.diagonal(gram), np.diagonal(gram))) - 2 * np.eye(9)
    expected = np.zeros((9, 9))
    for item in range(9):
        near = np.sort(np.argsort(-cosines[item], kind="stable")[:4])
        expected[near, item] = np.linalg.solve(gram[np.ix_(near, near)] + 2.5 * np.eye(4), gram[near, item])
    scores = SparseEASE(4, 2.5, weights).fit(log).scores(np.arange(60), log)
    np.testing.assert_allclose(scores, played @ expected, rtol=1e-4, atol=1e-5)
    whole = SparseEASE(20, 2.5, weights, threads=3).fit(log).scores(np.arange(60), log)
    np.testing.assert_allclose(whole, EASE(2.5, weights).fit(log).scores(np.arange(60), log), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(whole, SparseEASE(20, 2.5, weights, threads=1).fit(log).scores(np.arange(60), log))


@pytest.mark.parametrize("weights", ["none", "log"])
@pytest.mark.parametrize("vectors", [0, 2, 5, 40])
def test_gf_cf_filters_the_normalised_graph(vectors, weights):
    """The larger logs by Lanczos iterations, the smaller ones by all singular vectors."""
    for log in (weighted_log(9, 14), weighted_log(20, 8), weighted_log(30, 40)):
        played = matrix_of(log, weights)
        roots, of_users = np.sqrt(played.sum(axis=0)), np.sqrt(played.sum(axis=1, keepdims=True))
        normalised = played / of_users / np.where(roots > 0, roots, 1)
        values, right = np.linalg.svd(normalised, full_matrices=False)[1:]
        right = right[:vectors][values[:vectors] > 1e-6]
        expected = played @ normalised.T @ normalised
        expected += 0.7 * (played / np.where(roots > 0, roots, 1)) @ right.T @ right * roots
        model = GFCF(vectors, 0.7, weights).fit(log)
        np.testing.assert_allclose(model.scores(np.arange(log.n_users), log), expected, rtol=1e-4, atol=1e-5)


def test_sharpening_is_euler_s_step_and_runge_kutta_s():
    log = weighted_log(30, 40)
    users = np.arange(log.n_users)
    blurred = GFCF(5, 0.2).fit(log).scores(users, log).astype(np.float64)
    played = matrix_of(log, "none")
    roots = np.sqrt(played.sum(axis=0))
    normalised = played / np.sqrt(played.sum(axis=1, keepdims=True)) / np.where(roots > 0, roots, 1)

    def slope(scores):
        return -scores @ normalised.T @ normalised

    step = 2.5
    first = slope(blurred)
    second = slope(blurred + step / 2 * first)
    third = slope(blurred + step / 2 * second)
    fourth = slope(blurred + step * third)
    expected = {1: first, 4: (first + 2 * second + 2 * third + fourth) / 6}
    for order, mean_slope in expected.items():
        model = GFCF(5, 0.2, sharpening=step, sharpening_order=order).fit(log)
        np.testing.assert_allclose(model.scores(users, log), blurred + step * mean_slope, rtol=1e-4, atol=1e-4)


def test_ease_beyond_memory_says_how_much_and_what_instead(monkeypatch):
    monkeypatch.setattr(mu.baselines.memory, "free_bytes", lambda: 500)
    message = (
        r"EASE of 14 items in float32 needs 1,108 bytes \(0.0 GB\), and 500 bytes \(0.0 GB\) are free; use "
        "mu.baselines.sparse_ease:SparseEASE"
    )
    with pytest.raises(MemoryError, match=message):
        EASE().fit(LOGS["users"])
    monkeypatch.setattr(mu.baselines.memory, "free_bytes", lambda: 1108)
    EASE().fit(LOGS["users"])


def test_free_memory_is_that_of_the_machine_or_of_its_control_group(monkeypatch, tmp_path):
    monkeypatch.setattr(mu.baselines.memory, "CGROUP", tmp_path)
    of_machine = mu.baselines.memory.free_bytes()
    assert of_machine is None or of_machine > 1 << 20
    (tmp_path / "memory.max").write_text("9000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    assert mu.baselines.memory.free_bytes() == 7000
    (tmp_path / "memory.stat").write_text("anon 1200\nactive_file 300\ninactive_file 500\n")
    assert mu.baselines.memory.free_bytes() == 7500
    (tmp_path / "memory.max").write_text("max\n")
    assert mu.baselines.memory.free_bytes() != 7000


@pytest.mark.parametrize(("weights", "neighbours"), CUTS)
@pytest.mark.parametrize("normalise", [False, True])
def test_rp3beta_walks_from_user_to_user(log, weights, normalise, neighbours):
    played = matrix_of(log, weights)
    of_items, of_users = played.sum(axis=0), np.maximum(played.sum(axis=1), 1e-9)
    walks = (played / np.maximum(of_items, 1e-9)).T ** 0.7 @ (played / of_users[:, None]) ** 0.7
    walks /= np.maximum(of_items, 1e-9) ** 0.3
    np.fill_diagonal(walks, 0)
    walks = cut(walks, neighbours)
    if normalise:
        walks /= np.maximum(walks.sum(axis=1, keepdims=True), 1e-300)
    walks = cut(walks.T, neighbours).T
    model = RP3beta(neighbours, 0.7, 0.3, normalise, weights).fit(log)
    np.testing.assert_allclose(model.scores(np.arange(log.n_users), log), played @ walks, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("weights", "neighbours"), CUTS)
@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_user_knn_sums_the_plays_of_similar_users(log, weights, similarity, neighbours):
    played = matrix_of(log, weights)
    rows = played / np.linalg.norm(played, axis=1, keepdims=True) if similarity == "cosine" else played
    of_log = rows @ rows.T
    model = UserKNN(neighbours, similarity, weights).fit(log)
    outsiders = model.scores(np.full(log.n_users, -1), log)
    np.testing.assert_allclose(outsiders, cut(of_log, neighbours) @ played, rtol=1e-5, atol=1e-6)
    np.fill_diagonal(of_log, 0)
    scores = model.scores(np.arange(log.n_users), log)
    np.testing.assert_allclose(scores, cut(of_log, neighbours) @ played, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_users_who_are_alike_on_paper_those_of_lower_ids_are_neighbours(order):
    """The cosine of each with the first user is 1 / sqrt(3): 1 track of 1, 2 of 4, 3 of 9."""
    others = [[0], [0, 1, 10, 11], [0, 1, 2, *range(12, 18)]]
    log = log_of([[0, 1, 2], *(others[one] for one in order)], 18)
    scores = UserKNN(neighbours=1).fit(log).scores(np.array([0]), log.take(np.array([0])))[0]
    assert list(np.flatnonzero(scores)) == others[order[0]]


def test_items_that_nobody_has_played_do_not_overflow_a_large_beta():
    log = log_of([[0, 1], [1, 2], [0, 2]], 5)
    scores = RP3beta(alpha=1.0, beta=3.0).fit(log).scores(np.array([0]), log.take(np.array([0])))
    np.testing.assert_allclose(scores, [[1 / 32, 1 / 32, 2 / 32, 0, 0]])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: EASE(l2=0), "l2=0; it must be above 0"),
        (lambda: EASE(precision="float16"), "precision='float16'; EASE takes one of float32, float64"),
        (lambda: EASE(weights="logs"), "weights 'logs' are not known"),
        (lambda: SparseEASE(l2=0), "l2=0; it must be above 0"),
        (lambda: SparseEASE(neighbours=0), "neighbours=0; it must be at least 1"),
        (lambda: GFCF(vectors=-1), "vectors=-1; it must be at least 0"),
        (lambda: GFCF(alpha=-1), "alpha=-1; it must be at least 0"),
        (lambda: RP3beta(neighbours=0), "neighbours=0; it must be at least 1"),
        (lambda: RP3beta(alpha=-1), "alpha=-1; it must be at least 0"),
        (lambda: RP3beta(beta=np.inf), "beta=inf; it must be a finite number"),
        (lambda: RP3beta(alpha=-1, beta=np.nan), "alpha=-1; it must be at least 0\nbeta=nan; it must be a finite"),
        (lambda: UserKNN(neighbours=0), "neighbours=0; it must be at least 1"),
        (lambda: UserKNN(similarity="cos"), "similarity='cos'; UserKNN takes one of cosine, dot"),
    ],
)
def test_bad_options_are_refused(made, message):
    with pytest.raises(ValueError, match=message):
        made()


def test_numbers_of_numpy_are_numbers():
    UserKNN(neighbours=np.int64(5))
    with pytest.raises(ValueError, match="neighbours=0; it must be at least 1"):
        UserKNN(neighbours=np.int64(0))


def test_a_penalty_too_small_for_the_precision_is_named():
    twins = dataclasses.replace(log_of([[0, 1]] * 9, 2), weights=np.full(18, 1e6, np.float32))
    with pytest.raises(ValueError, match=r"l2=1e-05 is too small for float32.* precision='float64'"):
        EASE(1e-5, "linear").fit(twins)
