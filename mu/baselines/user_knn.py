"""User-based nearest neighbours (UserKNN): what those have played who played the same."""

from typing import Literal, Self

import numpy as np
import scipy.sparse as sparse

from mu.baselines.fitting import check_options, fitted
from mu.baselines.neighbours import entry_rows, largest_in_rows, product_rows, without_entries
from mu.baselines.play_matrix import SparseMatrix, play_matrix
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import weighting
from mu.protocols import Log
from mu.ranges import Count
from mu.topk import TopKRecommender


class UserKNN(TopKRecommender):
    """Scores an item by the plays of the most similar users: sum over neighbours v of sim(u, v) X[v, i].

    X[v, i] is 1 where user v has played item i in training; with `weights`, how much those plays count. sim(u, v) is
    `X_u . X_v` ('dot') or that over `|X_u| |X_v|` ('cosine'), X_u of the history that is asked for: of a user of the
    training log too, who is no neighbour of their own (Resnick et al. 1994; Herlocker et al. 1999). Of equally similar
    users those with lower ids are neighbours. Sums are float64, rounded to float32 at the end.

    Args:
      neighbours: how many users are asked; None for all.
      similarity: 'cosine' or 'dot'.
      weights: how much the plays of a user of an item count by their weights, summed: a name of
        `mu.data.logs.weighting`; 'none' for all alike.
    """

    dot_product = False
    time_aware = False

    def __init__(
        self,
        neighbours: Count | None = 100,
        similarity: Literal["cosine", "dot"] = "cosine",
        weights: str = "none",
    ):
        check_options(UserKNN, locals())
        weighting(weights)
        self._neighbours, self._cosine, self._weights = neighbours, similarity == "cosine", weights
        self._played: SparseMatrix = None

    def fit(self, log: Interactions) -> Self:
        """Keeps what each user has played, by user and by item."""
        self._played = play_matrix(log, log.n_items, self._weights)
        self._players, self._squares = sparse.csr_array(self._played.T), _squares(self._played)
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del times_ms
        played = fitted(self._played, "UserKNN")
        history = play_matrix(histories, played.shape[1], self._weights)
        users, squares = np.asarray(users), _squares(history)

        def neighbour_lists(together: SparseMatrix, first: int) -> SparseMatrix:
            row = entry_rows(together) + first
            own = together.indices == users[row]
            if self._cosine:  # equal fractions of whole numbers are equal here, so that users alike on paper tie
                shares = np.square(together.data) / self._squares[together.indices]
                together.data = np.sqrt(shares / squares[row])
            return largest_in_rows(without_entries(together, own), self._neighbours)

        similar = product_rows(history, self._players, neighbour_lists)
        return (similar @ played).toarray().astype(np.float32)


def _squares(matrix: SparseMatrix) -> np.ndarray:
    """float64: the squared length of each row."""
    return np.asarray(matrix.power(2).sum(axis=1))
