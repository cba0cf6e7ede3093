"""Predicted ratings without tastes: the mean, how generous a listener is, and how good a track is."""

from typing import Self

import numpy as np

from mu.baselines.fitting import check_options, fitted
from mu.data.logs.interactions import Interactions
from mu.protocols import Log
from mu.ranges import NonNegative
from mu.topk import TopKRecommender


class RatingBiases(TopKRecommender):
    """Scores an item by its predicted rating m + b_u + b_i, with the weights of the log as ratings.

    m is the mean rating. b_i is the sum of an item's ratings less m, over their number plus `item_shrinkage`; b_u the
    same of what is left of a user's ratings, with `user_shrinkage` (Koren, "Factor in the neighbors", TKDD 2010, whose
    numbers are the defaults). Users and items without ratings have 0.

    Args:
      item_shrinkage: see above.
      user_shrinkage: see above.
    """

    dot_product = False
    time_aware = False
    predicts_ratings = True

    def __init__(self, item_shrinkage: NonNegative = 25.0, user_shrinkage: NonNegative = 10.0):
        check_options(RatingBiases, locals())
        self._shrinkage = item_shrinkage, user_shrinkage
        self._biases: tuple[np.ndarray, np.ndarray] | None = None

    def fit(self, log: Interactions) -> Self:
        """Learns the mean and the biases of the ratings of the training log."""
        ratings, user = log.weights.astype(np.float64), np.repeat(np.arange(log.n_users), log.lengths)
        mean = ratings.mean() if len(ratings) else 0.0
        items = _shrunk_means(log.items, ratings - mean, log.n_items, self._shrinkage[0])
        users = _shrunk_means(user, ratings - mean - items[log.items], log.n_users, self._shrinkage[1])
        self._biases = np.append(users, 0.0), mean + items  # the last is of a listener that is not in the log: -1
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del histories, times_ms
        of_users, of_items = fitted(self._biases, "RatingBiases")
        return (of_users[users][:, None] + of_items).astype(np.float32)


def _shrunk_means(ids: np.ndarray, values: np.ndarray, n: int, shrinkage: float) -> np.ndarray:
    """float64 [n]: the sum of the values of each id over their number plus `shrinkage`; 0 without values."""
    counts = np.bincount(ids, minlength=n)
    return np.bincount(ids, weights=values, minlength=n) / np.maximum(counts + shrinkage, 1e-300)
