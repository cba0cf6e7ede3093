"""Popularity of late: plays count less the older they are."""

from typing import Self

import numpy as np

from mu.baselines.fitting import check_options, fitted, require_times
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import counted, weighting
from mu.protocols import Log
from mu.ranges import Positive
from mu.topk import TopKRecommender

DAY_MS = 24 * 3600 * 1000


class RecentPopularity(TopKRecommender):
    """Scores an item by its plays in the training log, each 2^(-age / half-life), age back from the end of the log.

    The order of items is the same at every later time, so that scores do not depend on it.

    Args:
      half_life_days: after so many days a play counts half.
      weights: how much each play counts by its weight: a name of `mu.data.logs.weighting`; 'none' for all alike.
    """

    dot_product = False
    time_aware = False

    def __init__(self, half_life_days: Positive = 30.0, weights: str = "none"):
        check_options(RecentPopularity, locals())
        weighting(weights)
        self._half_life_ms, self._weights = half_life_days * DAY_MS, weights
        self._plays: np.ndarray | None = None

    def check_data(self, train: Interactions) -> None:
        """Raises ValueError where a log knows the order of plays and not their times."""
        require_times(train, "RecentPopularity", "mu.baselines.popularity")

    def fit(self, log: Interactions) -> Self:
        """Sums the plays of each item.

        Raises:
          ValueError: see `check_data`.
        """
        self.check_data(log)
        ages_ms = log.times.max(initial=0) - log.times
        plays = counted(log.weights, self._weights) * np.exp2(-ages_ms / self._half_life_ms)
        self._plays = np.bincount(log.items, plays, log.n_items).astype(np.float32)
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del histories, times_ms
        return np.tile(fitted(self._plays, "RecentPopularity"), (len(users), 1))
