"""Most-frequent-own: what a listener has played most."""

from typing import Self

import numpy as np

from mu.baselines.fitting import fitted
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import counted, weighting
from mu.protocols import Log
from mu.topk import TopKRecommender


class MostFrequentOwn(TopKRecommender):
    """Scores an item by how often the listener has played it: the bar for re-listening that knows no order.

    It measures repeats, such as the section 'repeat' of `mu.evals.protocols.plays`; where what was played is not
    ranked it gives all items the same.

    Args:
      weights: how much each play counts by its weight: a name of `mu.data.logs.weighting`; 'none' for all alike.
    """

    dot_product = False
    time_aware = False

    def __init__(self, weights: str = "none"):
        weighting(weights)
        self._weights = weights
        self._n_items: int | None = None

    def fit(self, log: Interactions) -> Self:
        """Learns how many items there are."""
        self._n_items = log.n_items
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del users, times_ms
        lengths, n_items = np.diff(histories.indptr), fitted(self._n_items, "MostFrequentOwn")
        places = np.repeat(np.arange(len(lengths)), lengths) * n_items + histories.items
        plays = np.bincount(places, counted(histories.weights, self._weights), len(lengths) * n_items)
        return plays.reshape(len(lengths), n_items).astype(np.float32)
