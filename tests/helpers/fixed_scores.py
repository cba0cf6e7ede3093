"""Recommenders of fixed scores on small logs, and such a log split at the test."""

import numpy as np

from mu.inference.policy import Policy
from mu.report.split_log import SplitLog


class Scores:
    """Fixed queries and vectors: a recommender that has no time."""

    dot_product: bool = True
    time_aware: bool = False

    def __init__(self, log):
        random = np.random.default_rng(1)
        self.query_table = random.standard_normal((log.n_users, 4)).astype(np.float32)
        self.item_vectors = random.standard_normal((log.n_items, 4)).astype(np.float32)
        self._bias = random.standard_normal(log.n_items).astype(np.float32)

    def queries(self, users, histories, times_ms=None):
        return self.query_table[users]

    def item_bias(self, times_ms=None):
        return self._bias

    def offsets(self, histories):
        return None

    def scores(self, users, histories, times_ms=None):
        return self.queries(users, histories) @ self.item_vectors.T + self._bias


class TimeAwareScores(Scores):
    """The same as a recommender of new tracks."""

    time_aware: bool = True
    policy: Policy = Policy()

    def item_bias(self, times_ms=None):
        return self._bias if times_ms is None else np.repeat(self._bias[None], len(times_ms), axis=0)

    def with_policy(self, policy):
        return self

    def log_share(self, queries, histories, vectors, bias, catalogue_bias):
        return queries @ vectors.T + bias


def split_log(log):
    """The last play of each listener is the test; all else is training."""
    last = np.zeros(len(log), bool)
    last[log.indptr[1:] - 1] = True
    train = log.where(~last)
    return SplitLog(log, train, log.where(last), train.end_ms)


class Dense:
    """The same scores as those of `Scores`, for all items at once."""

    dot_product: bool = False
    time_aware: bool = False

    def __init__(self, log):
        self._scores = Scores(log)

    def scores(self, users, histories, times_ms=None):
        return self._scores.scores(users, histories)
