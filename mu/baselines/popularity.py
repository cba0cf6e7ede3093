"""Popularity: items ranked by their plays in the training log, the same for every user."""

from typing import Self

import numpy as np

from mu.baselines.fitting import fitted
from mu.protocols import Log


class Popularity:
    """Scores an item by its plays in the training log; every play counts, repeats too.

    Scores are float32: counts above 16.7 million that differ by less than one part in that many tie.
    """

    dot_product = False
    time_aware = False

    def __init__(self) -> None:
        self._counts: np.ndarray | None = None

    def fit(self, log: Log) -> Self:
        """Counts the plays of each item."""
        self._counts = log.counts().astype(np.float32)
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del histories, times_ms
        return np.tile(fitted(self._counts, "Popularity"), (len(users), 1))
