"""RP3beta: random walks of three steps from a user to items, with popular items held back."""

from typing import Self

import numpy as np
import scipy.sparse as sparse

from mu.baselines.fitting import check_options, fitted
from mu.baselines.neighbours import entry_rows, largest_in_rows, product_rows, without_entries
from mu.baselines.play_matrix import SparseMatrix, play_matrix
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import weighting
from mu.protocols import Log
from mu.ranges import Count, NonNegative
from mu.topk import TopKRecommender


class RP3beta(TopKRecommender):
    """Scores item j by walks user -> item i -> other user v -> j: sum over the history's items of W[i, j].

        W[i, j] = sum over v of (X[v, i] / d_i)^alpha (X[v, j] / d_v)^alpha / d_j^beta,     W[i, i] = 0

    X is 1 where the user has played the item, d_i an item's users and d_v a user's items; with `weights`, X is how
    much those plays count and d are sums. beta holds popular items back (Paudel, Christoffel, Newell & Bernstein,
    "Updatable, accurate, diverse, and scalable recommendations for interactive applications", TiiS 2017). Each played
    item i keeps its largest W[i, j]; `normalise` divides what it keeps by its sum, so that every item has one vote;
    then each candidate j keeps its largest W[i, j]. Of equal ones those with lower ids stay. (So does the
    implementation that published numbers are of: Ferrari Dacrema et al., "Are we really making much progress?",
    RecSys 2019.)

    Args:
      neighbours: how many items each item keeps, as one that was played and as a candidate; None for all.
      alpha: exponent of the steps of the walk; 1 for probabilities. This default and that of `beta` did well on the
        validation parts of lightgcnpp_lastfm and ml-100k; at 1 rare items win where most items have few users.
      beta: exponent of the popularity of the item that is reached; 0 leaves it alone.
      normalise: see above.
      weights: how much the plays of a user of an item count by their weights, summed: a name of
        `mu.data.logs.weighting`; 'none' for all alike.
    """

    dot_product = False
    time_aware = False

    def __init__(
        self,
        neighbours: Count | None = 100,
        alpha: NonNegative = 0.6,
        beta: NonNegative = 0.3,
        normalise: bool = False,
        weights: str = "none",
    ):
        check_options(RP3beta, locals())
        weighting(weights)
        self._neighbours, self._alpha, self._beta = neighbours, alpha, beta
        self._normalise, self._weights = normalise, weights
        self._walks: SparseMatrix | None = None

    def fit(self, log: Interactions) -> Self:
        """Finds where walks from each item end: one sparse product, a block of items at a time."""
        played = play_matrix(log, log.n_items, self._weights)
        of_items = np.asarray(played.sum(axis=0))
        penalties = np.power(np.where(of_items > 0, of_items, 1.0), -self._beta)

        def kept(walks: SparseMatrix, first: int) -> SparseMatrix:
            walks.data *= penalties[walks.indices]
            others = without_entries(walks, walks.indices == entry_rows(walks) + first)
            return largest_in_rows(others, self._neighbours)

        walks = product_rows(_steps(sparse.csr_array(played.T), self._alpha), _steps(played, self._alpha), kept)
        of_candidates = sparse.csr_array((_steps(walks, 1.0) if self._normalise else walks).T)
        of_candidates.sort_indices()
        self._walks = sparse.csr_array(largest_in_rows(of_candidates, self._neighbours).T)
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del times_ms
        walks = fitted(self._walks, "RP3beta")
        return (play_matrix(histories, walks.shape[0], self._weights) @ walks).toarray().astype(np.float32)


def _steps(matrix: SparseMatrix, exponent: float) -> SparseMatrix:
    """The rows divided by their sums, to a power."""
    shares = matrix.data / np.asarray(matrix.sum(axis=1))[entry_rows(matrix)]
    return sparse.csr_array((np.power(shares, exponent), matrix.indices, matrix.indptr), shape=matrix.shape)
