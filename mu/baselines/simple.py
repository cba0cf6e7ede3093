"""Trivial recommenders: uniform random scores, and the popularity of a track's artist."""

from typing import Self

import numpy as np

from mu.baselines.fitting import fitted
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import NONE, track_totals, weighting
from mu.protocols import Log
from mu.ranges import Seed
from mu.topk import TopKRecommender


class Random(TopKRecommender):
    """Uniform random scores, equal for equal (seed, user, item): the level of chance."""

    dot_product = False
    time_aware = False

    def __init__(self, seed: Seed = 0):
        self._seed = seed

    def fit(self, log: Log) -> Self:
        """Learns how many items there are."""
        self._n_items = log.n_items
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del histories, times_ms
        scores = np.empty((len(users), self._n_items), np.float32)
        for row, user in enumerate(users):
            np.random.default_rng([self._seed, int(user) % 2**32]).random(out=scores[row], dtype=np.float32)
        return scores


class GroupPopularity(TopKRecommender):
    """Scores an item by the mean plays of its group's items (its artist's tracks), so that new items have a score too.

    Items are compared with those of their group that training has seen; of a group without any, by nothing. An item
    whose group is not known (null) stands alone.

    Args:
      column: of the tracks' table that names the groups.
      weights: as of `mu.baselines.popularity.Popularity`.
    """

    dot_product = False
    time_aware = False

    def __init__(self, column: str = "artist", weights: str = "none"):
        weighting(weights)
        self._column, self._weights = column, weights
        self._scores: np.ndarray | None = None

    def check_data(self, train: Interactions) -> None:
        """Raises ValueError where the tracks have no such column; names those that there are."""
        columns = train.tracks.columns
        if self._column not in columns:
            raise ValueError(f"the tracks have no column {self._column!r}; they have {', '.join(columns)}")

    def fit(self, log: Interactions) -> Self:
        """Counts the plays of each group; raises ValueError as `check_data`."""
        self.check_data(log)
        names = enumerate(log.tracks[self._column].to_list())
        keys = [("alone", place) if name is None else ("of", name) for place, name in names]
        codes = {key: code for code, key in enumerate(dict.fromkeys(keys))}
        group = np.array([codes[key] for key in keys])
        counts = log.counts() if self._weights == NONE else track_totals(log, self._weights)
        plays = np.bincount(group, weights=counts, minlength=len(codes))
        n_played = np.bincount(group, weights=counts > 0, minlength=len(codes))
        self._scores = (plays / np.maximum(n_played, 1))[group].astype(np.float32)
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del histories, times_ms
        return np.tile(fitted(self._scores, "GroupPopularity"), (len(users), 1))
