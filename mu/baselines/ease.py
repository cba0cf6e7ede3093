"""EASE: a linear model of all items on all others, in closed form."""

from typing import Literal, Self

import numpy as np
import scipy.sparse as sparse
from scipy.linalg import lapack

from mu.baselines.fitting import check_options, fitted
from mu.baselines.memory import require_memory
from mu.baselines.play_matrix import SparseMatrix, play_matrix
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import weighting
from mu.protocols import Log
from mu.ranges import Count, Positive
from mu.topk import TopKRecommender

# Items whose rows of the Gram matrix are made dense at once, and scored.
BLOCK_ITEMS = 1024


class EASE(TopKRecommender):
    """Scores by the item-item weights that best restore the matrix of plays: x B for a history x.

    B minimises |X - X B|^2 + l2 |B|^2 with a diagonal of zeros: with P = (X'X + l2 I)^-1 it is -P_ij / P_jj off the
    diagonal (Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019). X is 1 where the listener has
    played the item; with `weights`, how much the plays of the item count. The inverse is found by
    Cholesky factorisation in place: the fit holds one V x V matrix and takes V^3 multiplications. With fewer users
    than items, U < V, it inverts the U x U matrix X X' + l2 I instead, of which P follows: that holds U^2 numbers more
    and takes U^3 multiplications.
    `mu.baselines.sparse_ease.SparseEASE` is the form for catalogues whose V^2 is too much.

    Args:
      l2: the penalty; more for larger logs, such as 100 to 1,000.
      weights: how much the plays of a user of an item count by their weights, summed: a name of
        `mu.data.logs.weighting`; 'none' for all alike.
      precision: of the matrices; 'float64' takes twice the memory and time, and is needed with an l2 below 1, where
        float32 is wrong in the third digit.
      most_items: refuses a larger catalogue, whose V^3 multiplications would take long; None for any.
    """

    dot_product = False
    time_aware = False

    def __init__(
        self,
        l2: Positive = 250.0,
        weights: str = "none",
        precision: Literal["float32", "float64"] = "float32",
        most_items: Count | None = None,
    ):
        check_options(EASE, locals())
        weighting(weights)
        self._l2, self._weights, self._dtype, self._most = l2, weights, np.dtype(precision), most_items
        self._matrix: np.ndarray | None = None

    def fit(self, log: Interactions) -> Self:
        """Solves for the weights.

        Raises:
          MemoryError: the matrix does not fit, or there are more than `most_items`; says how many bytes it takes.
          ValueError: the matrix cannot be factorised in this precision.
        """
        self._matrix = None
        n_users, n_items = log.n_users, log.n_items
        of_users = n_users < n_items
        needed = (n_items**2 + (n_users**2 if of_users else 0)) * self._dtype.itemsize
        if self._most is not None and n_items > self._most:
            raise MemoryError(
                f"EASE of {n_items:,} items, more than most_items={self._most:,}, takes {needed / 1e9:.1f} GB and "
                f"{n_items**3 / 1e12:.0f} trillion multiplications; allow more, or use "
                "mu.baselines.sparse_ease:SparseEASE"
            )
        require_memory(
            needed,
            f"EASE of {n_items:,} items in {self._dtype}",
            "use mu.baselines.sparse_ease:SparseEASE, whose memory grows with the items and not with their square, "
            "or import fewer tracks (mu import --k_core)",
        )
        played = play_matrix(log, n_items, self._weights).astype(self._dtype)
        matrix = self._by_users(played) if of_users else self._by_items(played)
        np.fill_diagonal(matrix, 0)
        self._matrix = matrix
        return self

    def _by_items(self, played: SparseMatrix) -> np.ndarray:
        """[V, V]: -P_ij / P_jj."""
        matrix = self._inverse(sparse.csr_array(played.T))
        matrix /= -np.diagonal(matrix).copy()
        return matrix

    def _by_users(self, played: SparseMatrix) -> np.ndarray:
        """[V, V]: the same by Q = (X X' + l2 I)^-1: P = (I - X' Q X) / l2."""
        inverse, players, n_items = self._inverse(played), sparse.csr_array(played.T), played.shape[1]
        matrix = np.empty((n_items, n_items), self._dtype)
        for start in range(0, n_items, BLOCK_ITEMS):
            columns = slice(start, start + BLOCK_ITEMS)
            matrix[columns] = (played.T @ (players[columns] @ inverse).T).T
        # Symmetric up to rounding; what is divided by belongs to the column.
        matrix /= 1 - np.diagonal(matrix).copy()
        return matrix

    def _inverse(self, rows: SparseMatrix) -> np.ndarray:
        """[n, n]: (R R' + l2 I)^-1 of the n rows R, by Cholesky factorisation in place."""
        n, columns = rows.shape[0], sparse.csr_array(rows.T)
        matrix = np.empty((n, n), self._dtype)
        for start in range(0, n, BLOCK_ITEMS):
            matrix[start : start + BLOCK_ITEMS] = (rows[start : start + BLOCK_ITEMS] @ columns).toarray()
        matrix.flat[:: n + 1] += self._l2
        potrf, potri = lapack.get_lapack_funcs(("potrf", "potri"), (matrix,))
        # The transpose is Fortran's order, so that LAPACK works in place; the matrix is symmetric.
        _, failed = potrf(matrix.T, lower=False, clean=False, overwrite_a=True)
        if failed:
            raise ValueError(
                f"l2={self._l2} is too small for {self._dtype}: the matrix of {n:,} rows is not positive definite "
                "there; take more, or precision='float64'"
            )
        potri(matrix.T, lower=False, overwrite_c=True)
        _mirror(matrix)
        return matrix

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del times_ms
        matrix = fitted(self._matrix, "EASE")
        history = play_matrix(histories, len(matrix), self._weights).astype(self._dtype)
        return (history @ matrix).astype(np.float32, copy=False)


def _mirror(matrix: np.ndarray) -> None:
    """Copies the lower triangle of a square matrix to the upper, in place."""
    for start in range(0, len(matrix), BLOCK_ITEMS):
        stop = start + BLOCK_ITEMS
        block = matrix[start:stop, start:stop]
        block[:] = np.tril(block) + np.tril(block, -1).T
        matrix[start:stop, stop:] = matrix[stop:, start:stop].T
