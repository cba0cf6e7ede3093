"""What counting models share: rules between items from counts of transitions, summed over the plays of a history."""

import abc
from typing import Self

import numpy as np
from scipy.sparse import coo_array

from mu.baselines.distances import Distances
from mu.baselines.fitting import fitted
from mu.baselines.transitions import TransitionCounts
from mu.data.evidence_features import newest_plays
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
    evidence_by_play = True

    _distances: Distances
    """What lies between two plays."""
    _distance_weights: np.ndarray
    """float64 [W]: the weight of a count of each class of distances."""
    _history_length: int | None = None
    """How many of the newest plays speak; None for all."""
    _successors: int | None = None
    """How many rules each item keeps; None for all."""
    _similar: SparseRows | None = None
    """[V, V]: what items say for others beside the rules, such as likeness; None for nothing."""
    _similar_weight: float = 0.0
    """How much that counts beside the rules."""

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

    def check_data(self, train: Interactions) -> None:
        """Raises ValueError where a log lacks what an option needs."""
        self._distances.check_data(train)

    def fit(self, log: Interactions) -> Self:
        """Counts the transitions of a log.

        Raises:
          ValueError: the log has no plays, or see `check_data`.
        """
        return self._learn(log, TransitionCounts(log, self._distances))

    def _learn(self, log: Interactions, counts: TransitionCounts, like: Self | None = None) -> Self:
        """Takes the counts of a log, and what is the same in a model `like` this one that was fitted to it."""
        del log, like
        self._counts = counts
        self._rows = self._background = None
        return self

    def update(self, user: int, item: int, time_ms: int | None = None) -> None:
        """Learns one more play; the model is then that which is fitted to the log with this play, bit for bit.

        Args:
          user: the listener's id; one behind those of the log is a new listener.
          item: the track, in the catalogue.
          time_ms: unix milliseconds; needed where distances are of sessions or time.

        Raises:
          ValueError: the item is outside the catalogue, the user is negative, or the time is missing or before the
            listener's last play.
          OverflowError: a count would be above 2**31 - 1.
        """
        self._fitted.update(user, item, time_ms)
        self._background = None

    def forget(self, user: int) -> None:
        """Forgets all plays of a listener; the model is then that which is fitted without them, bit for bit.

        Raises:
          ValueError: the user is negative.
        """
        self._fitted.forget(user)
        self._background = None

    @property
    def sparse_rows(self) -> SparseRows:
        """[R, V]: the rules, and below them the likeness where that counts; see `mu.protocols.SparseRecommender`."""
        return self._derived()[0]

    @property
    def background(self) -> np.ndarray:
        """float64 [V]; see `mu.protocols.SparseRecommender`."""
        return self._derived()[1]

    def sparse_queries(self, users: np.ndarray, histories: Histories, times_ms: np.ndarray | None = None) -> SparseRows:
        """[B, R]: the plays of each history that speak, the newest first, with their weights w_j."""
        del users, times_ms
        similar = None if self._similar is None else self._similar_weight
        return newest_plays(histories, self._history_length, self._history_weights, len(self._fitted.plays), similar)

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        rows, background = self._derived()
        return (background + self.sparse_queries(users, histories, times_ms).dense_sums(rows)).astype(np.float32)

    def play_evidence(self, histories: Histories) -> SparseRows:
        """[T, V]: what each play of one history, the oldest first, gives; see `mu.protocols.EvidenceByPlay`."""
        rows, n_plays = self.sparse_rows, int(histories.indptr[-1])
        sources, weights = self.sparse_queries(np.array([-1]), histories).row(0)
        asked = rows.take(sources)
        lengths = asked.stops - asked.starts
        entries = np.repeat(asked.starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        age = np.repeat(np.arange(len(sources)) // (1 if self._similar is None else 2), lengths)
        values = np.repeat(weights, lengths) * rows.values[entries]
        shape = (n_plays, rows.n_columns)
        table = coo_array((values, (n_plays - 1 - age, rows.indices[entries])), shape=shape).tocsr()
        return SparseRows.from_csr(table.indptr, table.indices, table.data, rows.n_columns)

    @property
    def _fitted(self) -> TransitionCounts:
        return fitted(self._counts, type(self).__name__)

    def _derived(self) -> tuple[SparseRows, np.ndarray]:
        """The rules and the background of the counts as they are now."""
        counts = self._fitted
        if self._rows is None or self._background is None:
            known = counts.plays > 0
            self._rows = self._weighed(counts, self._log_factor(int(known.sum())), known)
            background = np.zeros(len(known))
            background[known] = self._popularity_term(counts.plays[known])
            background[~known] = background.min(initial=0.0, where=known) - BELOW_BACKGROUND
            self._background = background
        return self._rows, self._background

    def _weighed(self, counts: TransitionCounts, log_factor: float | None, known: np.ndarray) -> SparseRows:
        """The rules; where only some rows have changed since the last call, these are made again in their place."""
        changed, scale, rows = counts.take_changed(), self._scale(counts), None
        n_items, n_entries = len(known), len(counts.items)
        if self._rows is not None and changed is not None and log_factor == self._made_with[0]:
            rows = self._rows
            if scale is not None:
                changed = np.union1d(changed, np.flatnonzero(scale != self._made_with[1]))
        else:
            changed = None
            self._starts, self._out = self._room(counts)
        self._starts[:n_items] = counts.starts
        if self._similar is not None and (rows is None or (known != self._made_with[2]).any()):
            # Items that nobody has played get no evidence.
            self._out[2][n_entries:] = self._similar.values * known[self._similar.indices]
        self._made_with = log_factor, scale, known
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
        return SparseRows(self._starts, *self._out, n_columns=n_items) if rows is None else rows

    def _room(self, counts: TransitionCounts) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """(starts, (stops, items, values)) of the rows: room for the rules, and behind it the likeness."""
        n_entries = len(counts.items)
        starts, stops, items = counts.starts, counts.stops, np.zeros(n_entries, np.int32)
        if self._similar is None:
            return starts.copy(), (stops.copy(), items, np.zeros(n_entries))
        starts = np.concatenate([starts, self._similar.starts + n_entries])
        stops = np.concatenate([stops, self._similar.stops + n_entries])
        items = np.concatenate([items, self._similar.indices])
        return starts, (stops, items, np.zeros(len(items)))
