"""EASE for large catalogues: each item is explained by its most similar items alone."""

from typing import Self

import numpy as np
import scipy.sparse as sparse

from mu.baselines.fitting import check_options, fitted
from mu.baselines.neighbours import entry_rows, largest_in_rows, product_rows, without_entries
from mu.baselines.play_matrix import SparseMatrix, play_matrix
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import weighting
from mu.protocols import Log
from mu.ranges import Count, Positive, Threads
from mu.topk import TopKRecommender
from mu_kernels import CSR
from mu_kernels.neighbour_regression import regress_on_neighbours


class SparseEASE(TopKRecommender):
    """Scores by x B as `mu.baselines.ease.EASE`, where column j of B has weights for the neighbours of j alone.

    A column of EASE is the ridge regression of item j on all other items. This one is the same regression on the
    `neighbours` items of largest cosine with j (feature selection of Ning & Karypis, "SLIM", ICDM 2011, with the
    penalty of EASE; the submatrices of Steck, "Markov random fields for collaborative filtering", NeurIPS 2019). An
    item that no user has played together with j is never its neighbour; where every two items were played together and
    all are neighbours, it is EASE. It holds V K weights and, while it is fitted, an entry for every two items
    that a user has played both; it takes V K^3 / 6 multiplications, in parallel.

    Args:
      neighbours: K.
      l2: the penalty; more for larger logs, such as 100 to 1,000.
      weights: how much the plays of a user of an item count by their weights, summed: a name of
        `mu.data.logs.weighting`; 'none' for all alike.
      threads: of the kernel; None for all CPUs. The result does not depend on it.
    """

    dot_product = False
    time_aware = False

    def __init__(
        self,
        neighbours: Count = 200,
        l2: Positive = 250.0,
        weights: str = "none",
        threads: Threads | None = None,
    ):
        check_options(SparseEASE, locals())
        weighting(weights)
        self._neighbours, self._l2, self._weights, self._threads = neighbours, l2, weights, threads
        self._matrix: SparseMatrix = None

    def fit(self, log: Interactions) -> Self:
        """Finds the neighbours of each item, then solves for its weights.

        Raises:
          ValueError: a system cannot be solved in float32.
        """
        played = play_matrix(log, log.n_items, self._weights)
        squares = np.bincount(played.indices, weights=np.square(played.data), minlength=log.n_items)
        lists: list[SparseMatrix] = [sparse.csr_array((0, log.n_items))]

        def neighbours_beside(together: SparseMatrix, first: int) -> SparseMatrix:
            """The block as it is; its lists are made meanwhile, so that no second matrix has as many entries."""
            row = entry_rows(together) + first
            cosines = together.data / np.sqrt(squares[row] * squares[together.indices])
            rows = sparse.csr_array((cosines, together.indices, together.indptr), together.shape)
            lists.append(largest_in_rows(without_entries(rows, together.indices == row), self._neighbours))
            return together.astype(np.float32)

        gram = product_rows(sparse.csr_array(played.T), played, neighbours_beside)
        kept = sparse.csr_array(sparse.vstack(lists, format="csr"))
        neighbours = CSR(kept.indptr, kept.indices, log.n_items)
        pairs = CSR(gram.indptr, gram.indices, log.n_items)
        weights = regress_on_neighbours(pairs, gram.data, neighbours, self._l2, threads=self._threads)
        self._matrix = sparse.csr_array(sparse.csr_array((weights, kept.indices, kept.indptr), gram.shape).T)
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del users, times_ms
        matrix = fitted(self._matrix, "SparseEASE")
        return (play_matrix(histories, matrix.shape[0], self._weights) @ matrix).toarray().astype(np.float32)
