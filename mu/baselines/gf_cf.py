"""GF-CF and BSPM: filters of the normalised graph of users and items, linear, ideal low-pass, and sharpening."""

from typing import Annotated, Self

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import svds

from mu.baselines.fitting import check_options, fitted
from mu.baselines.play_matrix import SparseMatrix, play_matrix
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import weighting
from mu.protocols import Log
from mu.ranges import Between, CountOrZero, NonNegative
from mu.topk import TopKRecommender

EPSILON = 1e-10
"""Eigenvalues of the normalised graph, which lie in [0, 1], are 0 up to here."""


class GFCF(TopKRecommender):
    """Scores a history x by a linear and an ideal low-pass filter of the graph of users and items:

        x (N'N  +  alpha D^-1/2 V V' D^1/2),     N = D_u^-1/2 X D^-1/2

    X is 1 where the user has played the item; with `weights`, how much those plays count. D and D_u are its sums by
    item and by user, V [V, K] the right singular vectors of N of the largest singular values (Shen et al., "How
    powerful is graph convolution for recommendation?", CIKM 2021). N'N is held with an entry for every two items that a
    user has played both. Items that nobody has played in training score 0.

    With `sharpening` T these scores s are sharpened over the time T, ds/dt = -s N'N, by one step of an explicit method:

        sum over k = 0..sharpening_order of s (-T N'N)^k / k!

    which is Euler's at order 1 and Runge and Kutta's at order 4 (Choi et al., "Blurring-sharpening process models for
    collaborative filtering", SIGIR 2023: BSPM-EM; on Gowalla T = 2.5, order 4, K = 448, alpha = .2). It takes a dense
    row of scores by all plays of the log, 2 x order times, for each listener who is asked about.

    Args:
      vectors: K; fewer where users or items are fewer, 0 for the linear filter alone.
      alpha: what the low-pass filter counts beside the linear one.
      weights: how much the plays of a user of an item count by their weights, summed: a name of
        `mu.data.logs.weighting`; 'none' for all alike.
      sharpening: T; 0 for GF-CF. Large ones, of order 1 from 2 on, turn the order of scores round.
      sharpening_order: see above.
    """

    dot_product = False
    time_aware = False

    def __init__(
        self,
        vectors: CountOrZero = 256,
        alpha: NonNegative = 0.3,
        weights: str = "none",
        sharpening: NonNegative = 0.0,
        sharpening_order: Annotated[int, Between(1, 8)] = 1,
    ):
        check_options(GFCF, locals())
        weighting(weights)
        self._n_vectors, self._alpha, self._weights = vectors, alpha, weights
        self._sharpening, self._order = sharpening, sharpening_order
        self._linear: SparseMatrix = None

    def fit(self, log: Interactions) -> Self:
        """Normalises the graph and finds its singular vectors, by Lanczos iterations from a fixed vector."""
        played = play_matrix(log, log.n_items, self._weights)
        of_users, roots = _inverse_roots(played.sum(axis=1)), _inverse_roots(played.sum(axis=0))
        normalised = sparse.csr_array(sparse.diags_array(of_users) @ played @ sparse.diags_array(roots))
        self._vectors = _right_singular_vectors(normalised, self._n_vectors).astype(np.float32)
        self._from = self._alpha * roots
        self._to = np.divide(1, roots, out=np.zeros_like(roots), where=roots > 0).astype(np.float32)
        self._linear = sparse.csr_array(normalised.T @ normalised)
        self._normalised = normalised.astype(np.float32)
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del users, times_ms
        linear = fitted(self._linear, "GFCF")
        history = play_matrix(histories, linear.shape[0], self._weights)
        filtered = sparse.csr_array(
            (history.data * self._from[history.indices], history.indices, history.indptr), history.shape
        )
        smooth = (filtered.astype(np.float32) @ self._vectors) @ self._vectors.T
        scores = (history @ linear).toarray().astype(np.float32) + smooth * self._to
        return self._sharpened(scores) if self._sharpening else scores

    def _sharpened(self, scores: np.ndarray) -> np.ndarray:
        """float32 [B, V] of scores of that shape."""
        term = scores.T  # a sparse matrix is multiplied by dense columns
        total = term.copy()
        for k in range(1, self._order + 1):
            term = np.float32(-self._sharpening / k) * (self._normalised.T @ (self._normalised @ term))
            total += term
        return total.T


def _inverse_roots(sums: np.ndarray) -> np.ndarray:
    """sums^-1/2, 0 where there is nothing."""
    return np.where(sums > 0, 1 / np.sqrt(np.where(sums > 0, sums, 1.0)), 0.0)


def _right_singular_vectors(matrix: SparseMatrix, k: int) -> np.ndarray:
    """float [V, K]: of the k largest singular values, without those that are 0."""
    smallest = min(matrix.shape)
    if 2 * k >= smallest:  # few rows or columns: the whole spectrum, which Lanczos iterations do not reach
        wide = matrix.shape[0] < matrix.shape[1]
        gram = (matrix @ matrix.T if wide else matrix.T @ matrix).toarray()
        squares, vectors = np.linalg.eigh(gram)
        vectors = vectors[:, smallest - min(k, smallest) :][:, squares[smallest - min(k, smallest) :] > EPSILON]
        if not wide:
            return vectors
        of_items = matrix.T @ vectors
        return of_items / np.linalg.norm(of_items, axis=0)
    if not k:
        return np.zeros((matrix.shape[1], 0))
    values, rows = svds(matrix, k=k, v0=np.ones(smallest))[1:]
    return rows[values > np.sqrt(EPSILON)].T
