"""Item-based nearest neighbours (ItemKNN): items are similar where the same users have played them."""

from typing import Literal, Self

import numpy as np
import scipy.sparse as sparse

from mu.baselines.fitting import check_options, fitted
from mu.baselines.neighbours import entry_rows, largest_in_rows, product_rows, without_entries
from mu.baselines.play_matrix import SparseMatrix, play_matrix
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import NONE, counted, weighting
from mu.protocols import Log
from mu.ranges import Count, Decay
from mu.topk import TopKRecommender


class ItemKNN(TopKRecommender):
    """Scores item i by its similarity to what the user has played: sum over plays j of w(j) sim(i, j).

    With X the matrix of users and items in training, sim(i, j) is `X_i . X_j` ('dot'), or that over `|X_i| |X_j|`
    ('cosine'). X is 1 where the user has played the item and `X_i . X_j` the number of users who played both; with
    `weights`, X is how much the user's plays of the item count. An item is no neighbour of itself (Sarwar et
    al. 2001; Deshpande & Karypis 2004). Each item keeps its most similar items only, of equally similar ones
    those with lower ids. Sums are float64, rounded to float32 at the end, so that sums equal on paper mostly
    tie.

    The weight w(j) of an item in the history is `history_decay ** age`, where age counts the plays after its
    latest play; an item played several times counts once, at its latest play. With `weights` it is multiplied by how
    much those of the plays count.

    Args:
      neighbours: how many similar items each item keeps; None for all.
      similarity: 'cosine' or 'dot'.
      history_decay: in (0, 1]: 1 weighs the whole history alike, 0.5 halves the weight with each play since.
      history_length: only so many of the latest plays count; None for all.
      keep_by: whose lists are cut to `neighbours`: 'candidate' sums over those of the candidate's neighbours
        that the user has played; 'history' lets each played item vote for its own neighbours, which favours
        popular ones.
      weights: how much the plays of a user of an item count by their weights, summed: a name of
        `mu.data.logs.weighting`; 'none' for all alike.
    """

    dot_product = False
    time_aware = False

    def __init__(
        self,
        neighbours: Count | None = 100,
        similarity: Literal["cosine", "dot"] = "cosine",
        history_decay: Decay = 1.0,
        history_length: Count | None = None,
        keep_by: Literal["candidate", "history"] = "candidate",
        weights: str = "none",
    ):
        check_options(ItemKNN, locals())
        weighting(weights)
        self._weights = weights
        self._neighbours = neighbours
        self._cosine = similarity == "cosine"
        self._decay = history_decay
        self._length = np.inf if history_length is None else history_length
        self._by_candidate = keep_by == "candidate"
        self._similar: SparseMatrix | None = None

    def fit(self, log: Interactions) -> Self:
        """Finds the neighbours of each item: one sparse product, a block of items at a time."""
        played = play_matrix(log, log.n_items, self._weights)
        squares = np.bincount(played.indices, weights=np.square(played.data), minlength=log.n_items)

        def neighbour_lists(together: SparseMatrix, first: int) -> SparseMatrix:
            row = entry_rows(together) + first
            if self._cosine:
                together.data = together.data / np.sqrt(squares[row] * squares[together.indices])
            return largest_in_rows(without_entries(together, together.indices == row), self._neighbours)

        kept = product_rows(played.T.tocsr(), played, neighbour_lists)
        self._similar = sparse.csr_array(kept.T if self._by_candidate else kept)
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del times_ms
        similar = fitted(self._similar, "ItemKNN")
        return (self._history_weights(histories, similar.shape[0]) @ similar).toarray().astype(np.float32)

    def _history_weights(self, histories: Log, n_items: int) -> SparseMatrix:
        """float64 [B, V], sparse: the weight of each item in each history."""
        lengths = np.diff(histories.indptr)
        row = np.repeat(np.arange(len(lengths)), lengths)
        age = np.repeat(histories.indptr[1:], lengths) - 1 - np.arange(len(row))
        recent = age < self._length
        # From the latest play backwards; `unique` finds the first, so each item's latest.
        item = histories.items[recent][::-1].astype(np.int64)
        row, age = row[recent][::-1], age[recent][::-1]
        _, latest, pair = np.unique(row * n_items + item, return_index=True, return_inverse=True)
        weight = np.power(self._decay, age[latest].astype(np.float64))
        if self._weights != NONE:
            sums = np.bincount(pair, weights=histories.weights[recent][::-1], minlength=len(latest))
            weight *= counted(sums, self._weights)
        shape = (len(lengths), n_items)
        return sparse.csr_array((weight, (row[latest], item[latest])), shape=shape)
