"""A recommender of fixed sparse scores, many of which tie; and its twin of all scores."""

import numpy as np

from mu_kernels import SparseRows


class SparseScores:
    """Rows of a few items, of which each listener sums some; with `time_aware` other ones on odd days.

    Args:
      seed: of the numbers.
      n_users: U.
      n_items: V.
      time_aware: whether the queries depend on the time.
    """

    dot_product = False
    sparse = True

    def __init__(self, seed, n_users, n_items, time_aware=False):
        rng = np.random.default_rng(seed)
        self.time_aware = time_aware
        items = np.concatenate([rng.permutation(n_items)[:5] for _ in range(8)])
        self.sparse_rows = SparseRows.from_csr(np.arange(9) * 5, items, rng.choice([0.5, 1.0, -1.0], 40), n_items)
        self.background = rng.choice([0.0, 0.5, -0.5], n_items)
        self._rows, self._weights = rng.integers(0, 8, (2, n_users, 3)), rng.choice([0.5, 1.0], (2, n_users, 3))

    def sparse_queries(self, users, histories, times_ms=None):
        assert len(histories.indptr) == len(users) + 1 and (times_ms is not None) == self.time_aware
        day = 0 * users if times_ms is None else times_ms // 86_400_000 % 2
        rows, weights = self._rows[day, users], self._weights[day, users]
        return SparseRows.from_csr(np.arange(len(users) + 1) * 3, rows.ravel(), weights.ravel(), 8)

    def scores(self, users, histories, times_ms=None):
        sums = self.sparse_queries(users, histories, times_ms).dense_sums(self.sparse_rows)
        return (self.background + sums).astype(np.float32)


class DenseTwin:
    """The same scores, for all items at once."""

    dot_product = False

    def __init__(self, recommender):
        self.time_aware, self.scores = recommender.time_aware, recommender.scores
