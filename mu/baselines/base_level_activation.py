"""Base-level activation (ACT-R): how present each track is in a listener's memory, by when it was played."""

from typing import Annotated, Self

import numpy as np

from mu.baselines.fitting import check_options, fitted, require_times
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import counted, weighting
from mu.protocols import Log
from mu.ranges import Bounds
from mu.topk import TopKRecommender

SHORTEST_MS = 1000
MAX_DECAY = 3.0
OWN_WITHOUT_TIMES = "mu.baselines.most_frequent_own or mu.baselines.repeat_last"


class BaseLevelActivation(TopKRecommender):
    """Scores an item of the history by its base-level activation at the time t that is asked for, as e^B:

        B = ln(sum over plays i of w_i (t - t_i)^-d),     t - t_i in seconds, at least one

    Frequent and recent plays add up, and old ones fade as a power of time (Anderson & Schooler 1991; of listening:
    Reiter-Haas et al., "Predicting music relistening behavior using the ACT-R framework", RecSys 2021). The score is
    e^B and not B, which orders items alike, so that an item that the listener has never played has 0.

    Args:
      decay: d; 0.5 in ACT-R.
      weights: w, how much each play counts by its weight: a name of `mu.data.logs.weighting`; 'none' for all alike.
    """

    dot_product = False
    time_aware = True

    def __init__(self, decay: Annotated[float, Bounds(0, MAX_DECAY, above=True)] = 0.5, weights: str = "none"):
        check_options(BaseLevelActivation, locals())
        weighting(weights)
        self._decay, self._weights = decay, weights
        self._catalogue: tuple[int, int] | None = None

    def check_data(self, train: Log) -> None:
        """Raises ValueError where a log knows the order of plays and not their times."""
        require_times(train, "BaseLevelActivation", OWN_WITHOUT_TIMES)

    def fit(self, log: Interactions) -> Self:
        """Learns how many items there are and when the log ends.

        Raises:
          ValueError: see `check_data`.
        """
        self.check_data(log)
        self._catalogue = log.n_items, int(log.times.max(initial=0))
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; without times, at the end of the training log, or of a history that goes on after it.

        Raises:
          ValueError: see `check_data`, of the histories.
        """
        del users
        n_items, end_ms = fitted(self._catalogue, "BaseLevelActivation")
        self.check_data(histories)
        lengths = np.diff(histories.indptr)
        row = np.repeat(np.arange(len(lengths)), lengths)
        if times_ms is None:
            times_ms = np.full(len(lengths), end_ms, np.int64)
            np.maximum.at(times_ms, row, histories.times)
        seconds = np.maximum(np.asarray(times_ms, np.int64)[row] - histories.times, SHORTEST_MS) / 1000
        presence = counted(histories.weights, self._weights) * np.power(seconds, -self._decay)
        sums = np.bincount(row * n_items + histories.items, presence, len(lengths) * n_items)
        return sums.reshape(len(lengths), n_items).astype(np.float32)
