"""Popularity in a context: what is played on such a device, at such a time of day, by users of such a group."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import scipy.sparse as sparse

from mu.baselines.fitting import check_options, fitted
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import counted, weighting
from mu.names import nearest
from mu.protocols import Log
from mu.ranges import NonNegative
from mu.topk import TopKRecommender

UNKNOWN = -1


class ContextPopularity(TopKRecommender):
    """Scores item v in context c by its share of the plays there, drawn towards its share of all plays:

        (n_cv + m p_v) / (n_c + m),     p_v = n_v / n

    The context is a value of an event column, which at scoring is that of the history's latest play; or of a column
    of the users' table, which is the user's. Where it is not known (an empty value, a user outside the log, no play)
    the score is p_v.

    Args:
      column: name of the event column, or else of the users' table.
      prior_strength: m, in plays; 0 counts those of the context alone.
      weights: how much each play counts by its weight: a name of `mu.data.logs.weighting`; 'none' for all alike.
    """

    dot_product = False
    time_aware = False

    def __init__(self, column: str, prior_strength: NonNegative = 100.0, weights: str = "none"):
        check_options(ContextPopularity, locals())
        weighting(weights)
        self._column, self._strength, self._weights = column, prior_strength, weights
        self._of_users: np.ndarray | None = None
        self._shares: np.ndarray | None = None

    @property
    def event_columns(self) -> Sequence[str]:
        """The event column that histories are asked for; none for a column of users."""
        return (self._column,) if self._of_users is None else ()

    def check_data(self, train: Interactions) -> None:
        """Raises ValueError where neither plays nor users have the column; names those that there are."""
        there = [*train.columns, *train.users.columns]
        if self._column not in there:
            raise ValueError(
                f"column={self._column!r}{nearest(self._column, there)}; event columns: "
                f"{', '.join(train.columns) or 'none'}; columns of users: {', '.join(train.users.columns)}"
            )

    def fit(self, log: Interactions) -> Self:
        """Counts the plays of each item in each context.

        Raises:
          ValueError: see `check_data`.
        """
        self.check_data(log)
        self._of_users = None
        if self._column in log.columns:
            values = log.vocabulary(self._column)
            self._places = np.array([*(code if value else UNKNOWN for code, value in enumerate(values)), UNKNOWN])
            of_plays = self._places[log.columns[self._column].astype(np.int64)]
        else:
            names = log.users[self._column].to_list()
            values = list(dict.fromkeys(name for name in names if name is not None))
            codes = {name: code for code, name in enumerate(values)}
            self._of_users = np.array([*(codes.get(name, UNKNOWN) for name in names), UNKNOWN])
            of_plays = np.repeat(self._of_users[:-1], log.lengths)
        counts = counted(log.weights, self._weights)
        known = of_plays != UNKNOWN
        shape = len(values), log.n_items
        pairs = of_plays[known], log.items[known]
        self._plays = sparse.csr_array(sparse.coo_array((counts[known], pairs), shape=shape))
        self._totals = np.bincount(of_plays[known], counts[known], shape[0])
        self._shares = np.bincount(log.items, counts, log.n_items) / max(counts.sum(), np.finfo(float).tiny)
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del times_ms
        shares = fitted(self._shares, "ContextPopularity")
        contexts = self._contexts(np.asarray(users), histories)
        scores = np.tile(shares, (len(contexts), 1))
        in_context = contexts != UNKNOWN
        rows = contexts[in_context]
        in_context[in_context] = self._totals[rows] + self._strength > 0
        rows = contexts[in_context]
        of_context = self._plays[rows].toarray() + self._strength * shares
        scores[in_context] = of_context / (self._totals[rows] + self._strength)[:, None]
        return scores.astype(np.float32)

    def _contexts(self, users: np.ndarray, histories: Log) -> np.ndarray:
        """int64 [B]: the context of each listener, or UNKNOWN."""
        if self._of_users is not None:
            return self._of_users[users]  # of a user outside the log, -1: the last, which is unknown
        lengths, contexts = np.diff(histories.indptr), np.full(len(users), UNKNOWN, np.int64)
        if self._column in histories.columns:
            codes = histories.columns[self._column]
            contexts[lengths > 0] = self._places[codes[histories.indptr[1:][lengths > 0] - 1].astype(np.int64)]
        return contexts
