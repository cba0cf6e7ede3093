"""What counting models share: rules between items from counts of transitions, summed over the plays of a history."""

import abc
from typing import Self

import numpy as np

from mu.baselines.distances import Distances
from mu.baselines.fitting import fitted
from mu.baselines.transitions import TransitionCounts
from mu.data.logs.interactions import Interactions
from mu.protocols import Histories, Log
from mu.topk import TopKRecommender
from mu_kernels import SparseRows, weigh_transitions

BELOW_BACKGROUND = 1.0
"""So far below all others lies the background of an item that nobody played in training."""


class CountingModel(TopKRecommender, abc.ABC):
    """Scores an item by what the plays of the history say for it, plus a background.

        S(a) = background[a] + sum over the newest plays h_j, j = 1, 2, ..., of w_j R[h_j, a]

    The rules R are made of whole counts, which stay: see `update` and `forget`. An item that nobody played in training
    is in no rule and has the lowest background of all. An item played several times speaks with each of its plays.
    """

    dot_product = False
    time_aware = False
    sparse = True

    _distances: Distances
    """What lies between two plays."""
    _distance_weights: np.ndarray
    """float64 [W]: the weight of a count of each class of distances."""
    _history_length: int | None = None
    """How many of the newest plays speak; None for all."""
    _successors: int | None = None
    """How many rules each item keeps; None for all."""

    _counts: TransitionCounts | None = None
    _rows: SparseRows | None = None
    _background: np.ndarray | None = None

    @abc.abstractmethod
    def _history_weights(self, plays: int) -> np.ndarray:
        """float64 [n]: w_j of a history of so many plays, the newest first."""

    def _scale(self, counts: TransitionCounts) -> np.ndarray | None:
        """float64 [V]: what the rules of each item are multiplied with; None for 1."""
        del counts
        return None

    def _log_factor(self, n_items: int) -> float | None:
        """The g of rules log(1 + g C), for so many items in training; None for rules C."""
        del n_items
        return None

    def _popularity_term(self, plays: np.ndarray) -> np.ndarray:
        """float64 [n]: the background of the items of training, each of which has so many plays."""
        return np.zeros(len(plays))

    def fit(self, log: Interactions) -> Self:
        """Counts the transitions of a log.

        Raises:
          ValueError: the log has no plays, or lacks what an option needs.
        """
        self._counts = TransitionCounts(log, self._distances)
        self._rows = self._background = None
        return self

    def update(self, user: int, item: int, time_ms: int | None = None) -> None:
        """Learns one more play; the model is then that which is fitted to the log with this play, bit for bit.

        Args:
          user: the listener's id; one behind those of the log is a new listener.
          item: the track, in the catalogue.
          time_ms: unix milliseconds; needed where distances are of sessions or time.

        Raises:
          ValueError: the item is outside the catalogue, or the time is missing or before the listener's last play.
        """
        self._fitted.update(user, item, time_ms)
        self._background = None

    def forget(self, user: int) -> None:
        """Forgets all plays of a listener; the model is then that which is fitted without them, bit for bit."""
        self._fitted.forget(user)
        self._background = None

    @property
    def sparse_rows(self) -> SparseRows:
        """[V, V]: the rules R; see `mu.protocols.SparseRecommender`."""
        return self._derived()[0]

    @property
    def background(self) -> np.ndarray:
        """float64 [V]; see `mu.protocols.SparseRecommender`."""
        return self._derived()[1]

    def sparse_queries(self, users: np.ndarray, histories: Histories, times_ms: np.ndarray | None = None) -> SparseRows:
        """[B, V]: the plays of each history that speak, the newest first, with their weights w_j."""
        del users, times_ms
        lengths = np.diff(histories.indptr)
        if self._history_length is not None:
            lengths = np.minimum(lengths, self._history_length)
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        age = np.arange(indptr[-1]) - np.repeat(indptr[:-1], lengths)
        items = histories.items[np.repeat(histories.indptr[1:], lengths) - 1 - age]
        weights = np.empty(len(items))
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            weights[indptr[rows, None] + np.arange(length)] = self._history_weights(int(length))
        return SparseRows.from_csr(indptr, items, weights, len(self._fitted.plays))

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        rows, background = self._derived()
        return (background + self.sparse_queries(users, histories, times_ms).dense_sums(rows)).astype(np.float32)

    def contributions(self, histories: Histories, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the background and each play of one history give to the scores of items, which are their sum.

        Args:
          histories: one history of T plays.
          items: int [k].

        Returns:
          (background float64 [k], plays float64 [T, k], the oldest first).
        """
        rows, background = self._derived()
        query = self.sparse_queries(np.array([-1]), histories)
        sources, weights = query.row(0)
        plays = np.zeros((int(histories.indptr[-1]), len(items)))
        values = np.zeros(rows.n_columns)
        for age, (source, weight) in enumerate(zip(sources, weights, strict=True)):
            columns, rules = rows.row(source)
            values[columns] = weight * rules
            plays[len(plays) - 1 - age] = values[items]
            values[columns] = 0
        return background[items], plays

    @property
    def _fitted(self) -> TransitionCounts:
        return fitted(self._counts, type(self).__name__)

    def _derived(self) -> tuple[SparseRows, np.ndarray]:
        """The rules and the background of the counts as they are now."""
        counts = self._fitted
        if self._rows is None or self._background is None:
            known = counts.plays > 0
            self._rows = self._weighed(counts, self._log_factor(int(known.sum())))
            background = np.zeros(len(known))
            background[known] = self._popularity_term(counts.plays[known])
            background[~known] = background.min(initial=0.0, where=known) - BELOW_BACKGROUND
            self._background = background
        return self._rows, self._background

    def _weighed(self, counts: TransitionCounts, log_factor: float | None) -> SparseRows:
        """The rules; where only some rows have changed since the last call, these are made again in their place."""
        changed, scale = counts.take_changed(), self._scale(counts)
        rows = None
        if self._rows is not None and changed is not None and log_factor == self._made_with[0]:
            rows = self._rows
            if scale is not None:
                changed = np.union1d(changed, np.flatnonzero(scale != self._made_with[1]))
        else:
            changed = None
            self._out = counts.starts.copy(), np.zeros(len(counts.items), np.int32), np.zeros(len(counts.items))
        self._made_with = log_factor, scale
        weigh_transitions(
            counts.starts,
            counts.stops,
            counts.items,
            counts.classes,
            counts.counts,
            self._distance_weights,
            self._out,
            scale=scale,
            log_factor=log_factor,
            strongest=self._successors,
            rows=changed,
        )
        return SparseRows(counts.starts, *self._out, n_columns=len(counts.starts)) if rows is None else rows
