"""Repeat-last: what a listener has played last, and what before it."""

from typing import Self

import numpy as np

from mu.baselines.fitting import fitted
from mu.data.logs.interactions import Interactions
from mu.protocols import Log
from mu.topk import TopKRecommender


class RepeatLast(TopKRecommender):
    """Scores an item of the history by 1 / (1 + plays since its latest play), others 0: the bar for re-listening.

    It measures repeats, such as the section 'repeat' of `mu.evals.protocols.plays`; where what was played is not
    ranked it gives all items the same.
    """

    dot_product = False
    time_aware = False

    def __init__(self):
        self._n_items: int | None = None

    def fit(self, log: Interactions) -> Self:
        """Learns how many items there are."""
        self._n_items = log.n_items
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del users, times_ms
        lengths = np.diff(histories.indptr)
        row = np.repeat(np.arange(len(lengths)), lengths)
        age = np.repeat(histories.indptr[1:], lengths) - 1 - np.arange(len(row))
        scores = np.zeros((len(lengths), fitted(self._n_items, "RepeatLast")), np.float32)
        np.maximum.at(scores, (row, histories.items), (1 / (1 + age)).astype(np.float32))
        return scores
