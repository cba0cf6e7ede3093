"""Recommended items are the best of all scores, without those that may not come."""

import numpy as np
import pytest

from mu.data.features import TrackHistories
from mu.inference.topk import recommend

N_ITEMS, DIM = 30, 4


class Products:
    """Random vectors; at time t a bias of t at item t, where the recommender is time-aware."""

    dot_product = True

    def __init__(self, time_aware=False, bias=True):
        random = np.random.default_rng(0)
        self.time_aware, self._has_bias = time_aware, bias
        self.item_vectors = random.standard_normal((N_ITEMS, DIM)).astype(np.float32)

    def queries(self, users, histories, times_ms=None):
        return np.random.default_rng(1).standard_normal((len(users), DIM)).astype(np.float32)

    def item_bias(self, times_ms=None):
        if times_ms is None:
            return np.linspace(0, 1, N_ITEMS, dtype=np.float32) if self._has_bias else None
        return 100 * np.eye(N_ITEMS, dtype=np.float32)[times_ms]


HISTORIES = TrackHistories(np.array([0, 3, 3]), np.array([4, 2, 4], np.int32))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("repeats", [True, False])
def test_the_best_of_all_scores_in_order(bias, repeats):
    recommender, users = Products(bias=bias), np.array([5, -1])
    scores = recommender.queries(users, HISTORIES) @ recommender.item_vectors.T
    scores = scores + recommender.item_bias() if bias else scores
    allow = np.arange(N_ITEMS) % 7 != 0
    scores[:, ~allow] = -np.inf
    if not repeats:
        scores[0, [4, 2]] = -np.inf
    hits = recommend(recommender, users, HISTORIES, 6, allow=allow, repeats=repeats)
    np.testing.assert_array_equal(hits.ids, np.argsort(-scores, axis=1)[:, :6])
    np.testing.assert_allclose(hits.scores, -np.sort(-scores, axis=1)[:, :6], rtol=1e-6)


def test_a_time_counts_for_recommenders_that_know_it():
    users = np.array([5, -1])
    assert recommend(Products(time_aware=True), users, HISTORIES, 1, time_ms=9).ids.ravel().tolist() == [9, 9]
    plain = recommend(Products(), users, HISTORIES, 1)
    np.testing.assert_array_equal(recommend(Products(), users, HISTORIES, 1, time_ms=9).ids, plain.ids)


def test_fewer_than_k_are_all_there_is():
    hits = recommend(Products(), np.array([0, 1]), HISTORIES, 100)
    assert hits.count.tolist() == [N_ITEMS - 2, N_ITEMS]
