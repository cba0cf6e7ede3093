"""A recommender that sees histories in random order: what it loses is what order is worth."""

import dataclasses
from typing import Any, Self

import numpy as np

from mu.data.logs.interactions import Interactions
from mu.protocols import Histories, Log
from mu.ranges import Seed
from mu_kernels import SparseRows
from mu_kernels.hashing import GOLDEN, mix_array


class ShuffledHistories:
    """Fits a sparse baseline to shuffled histories, and gives it shuffled histories to score.

    The tracks of a history change places with each other; the times, outcomes and columns of plays keep theirs. The
    order of a history depends on the seed and on its own plays alone, so the same listener is shuffled alike in any
    block.

    Args:
      baseline: that is fitted, a `mu.protocols.SparseRecommender`; its scores are of the shuffled histories.
      seed: of the order.
    """

    dot_product = False
    time_aware = False
    sparse = True

    def __init__(self, baseline: Any, seed: Seed = 0):
        self._baseline, self._seed = baseline, seed

    def fit(self, log: Interactions) -> Self:
        """Fits the baseline to the shuffled histories."""
        self._baseline.fit(shuffled(log, self._seed))
        return self

    @property
    def sparse_rows(self) -> SparseRows:
        """Of the baseline."""
        return self._baseline.sparse_rows

    @property
    def background(self) -> np.ndarray:
        """Of the baseline."""
        return self._baseline.background

    def sparse_queries(self, users: np.ndarray, histories: Histories, times_ms: np.ndarray | None = None) -> SparseRows:
        """Of the baseline for shuffled histories."""
        return self._baseline.sparse_queries(users, shuffled(histories, self._seed), times_ms)

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        return self._baseline.scores(users, shuffled(histories, self._seed), times_ms)


def shuffled(log: Any, seed: int) -> Any:
    """The log with the tracks of each history in random order, each with the weight of its play.

    Args:
      log: a dataclass with `indptr`, `items` and maybe `weights`: `Interactions`, `TrackHistories`.
      seed: of the order.
    """
    lengths = np.diff(log.indptr)
    row = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(row)) - np.repeat(log.indptr[:-1], lengths)
    # The plays of the history stand for the listener: users are renumbered in blocks. A key of the play alone would put
    # the same track late wherever it has the same place.
    counter = place.astype(np.uint64) * np.uint64(GOLDEN)
    sums = np.append(np.uint64(0), np.cumsum(mix_array(counter + log.items.astype(np.uint64)), dtype=np.uint64))
    whole = mix_array(sums[log.indptr[1:]] - sums[log.indptr[:-1]] + np.uint64(seed))
    key = mix_array(counter + np.repeat(whole, lengths))
    order = np.lexsort((key, row))
    fields = {"items": log.items[order]}
    if any(field.name == "weights" for field in dataclasses.fields(log)):
        fields["weights"] = log.weights[order]
    return dataclasses.replace(log, **fields)
