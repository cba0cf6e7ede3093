"""Popularity: items ranked by their plays, listeners or weights in the training log, the same for every user."""

from typing import Literal, Self

import numpy as np

from mu.baselines.fitting import check_options, fitted
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import NONE, track_totals, weighting
from mu.protocols import Log
from mu.topk import TopKRecommender


class Popularity(TopKRecommender):
    """Scores an item by its plays in the training log; every play counts, repeats too.

    Scores are float32: counts above 16.7 million that differ by less than one part in that many tie.

    Args:
      count: 'plays', or 'listeners', each of whom counts once.
      weights: each listener counts by the weights of their plays of the item, summed: a name of
        `mu.data.logs.weighting`; 'none' for all alike.
    """

    dot_product = False
    time_aware = False

    def __init__(self, count: Literal["plays", "listeners"] = "plays", weights: str = "none"):
        check_options(Popularity, locals())
        if count == "listeners" and weights != NONE:
            raise ValueError(f"count='listeners' counts each once; with weights={weights!r} leave count out")
        weighting(weights)
        self._by_play, self._weights = count == "plays" and weights == NONE, weights
        self._counts: np.ndarray | None = None

    def fit(self, log: Interactions) -> Self:
        """Counts the plays, listeners or weights of each item."""
        counts = log.counts() if self._by_play else track_totals(log, self._weights)
        self._counts = counts.astype(np.float32)
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del histories, times_ms
        return np.tile(fitted(self._counts, "Popularity"), (len(users), 1))
