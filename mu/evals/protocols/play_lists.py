"""Lists of the best tracks for listeners at given moments, and their metrics. E plays, n listeners, V tracks."""

import dataclasses
from collections.abc import Sequence
from typing import cast

import numpy as np

from mu.evals.metrics.lists.context import ListContext
from mu.evals.protocols.candidates import Unplayed
from mu.evals.protocols.catalogue import BLOCK_BYTES, Histories, user_queries
from mu.evals.protocols.lists import SHORT_LISTS, ListMetrics
from mu.evals.protocols.play_events import PlayEvents
from mu.evals.protocols.play_ranks import scores_at, sparse_queries_at
from mu.evals.result import Statistic
from mu.protocols import DotProductRecommender, Recommender, as_sparse
from mu_kernels import CSR, Hits, ItemIndex, SparseIndex, top_k_scores

LISTS = "lists"
"""Before the names of list metrics; in the counts, how many lists there are."""
FIRST = "first_ranked_play"
"""The array that says at which plays a list stands."""
# Listeners whose lists are searched at once: the tracks that come out between their moments are told apart one by one.
LIST_BLOCK = 512


class PlayLists:
    """Metrics of one list a listener, as of the moment of the first play that is ranked; its values stand at that play.

    Args:
      list_metrics: see `ListMetrics`.
      ks: see `ListMetrics`.
      context: see `ListMetrics`.
      events: all plays, by user, then by time; a listener's targets are the tracks of theirs.
      ranked: bool [E], the plays that are ranked.
      histories: log of all users, what they had played.
      unplayed: says which tracks are out and unplayed: only they are on a list.

    Attributes:
      names: 'lists/novelty@20' and so on.
      shown: those of the first cut-off.
    """

    def __init__(
        self,
        list_metrics: Sequence[str],
        ks: Sequence[int],
        context: ListContext | None,
        events: PlayEvents,
        ranked: np.ndarray,
        histories: Histories,
        unplayed: Unplayed,
    ):
        listeners, first = np.unique(events.users[ranked], return_index=True)
        self._plays, self._n_events = np.flatnonzero(ranked)[first], len(events)
        shape = histories.n_users, len(unplayed.available_from_ms)
        targets = CSR.from_pairs(events.users, events.tracks, *shape).take(listeners)
        self._metrics = ListMetrics(list_metrics, ks, context, histories, listeners, targets)
        self._first, self._histories, self._unplayed = events.take(self._plays), histories, unplayed
        self.names = [f"{LISTS}/{name}" for name in self._metrics.names]
        self.shown = self.names[:: len(ks)]

    def run(
        self, recommender: Recommender
    ) -> tuple[dict[str, np.ndarray], dict[str, Statistic], dict[str, np.ndarray], dict[str, int]]:
        """(columns, statistics, arrays, counts) of `mu.evals.result.Result`; nothing where there is no metric."""
        if not self.names:
            return {}, {}, {}, {}
        items = best_unplayed(recommender, self._first, self._histories, self._unplayed, self._metrics.length)
        of_each = self._metrics.columns(items)
        of_all, arrays = self._metrics.statistics(items)
        arrays[FIRST] = np.ones(len(items), bool)
        return (
            {f"{LISTS}/{name}": self._at_first(values, np.nan) for name, values in of_each.items()},
            {f"{LISTS}/{name}": dataclasses.replace(one, units=FIRST) for name, one in of_all.items()},
            {name: self._at_first(array, 0) for name, array in arrays.items()},
            {LISTS: len(items), SHORT_LISTS: int((items[:, -1] < 0).sum())},
        )

    def _at_first(self, values: np.ndarray, elsewhere: float) -> np.ndarray:
        """[E, ...]: values of the lists [n, ...] at the plays where they stand."""
        array = np.full((self._n_events, *values.shape[1:]), elsewhere, values.dtype)
        array[self._plays] = values
        return array


def best_unplayed(
    recommender: Recommender, plays: PlayEvents, histories: Histories, unplayed: Unplayed, k: int
) -> np.ndarray:
    """int32 [E, k]: the k best tracks for the listener of each play, at its moment, best first.

    Dot products and sparse scores are searched by exact kernels; time-aware dot products, whose biases differ from
    listener to listener, by all their scores.

    Args:
      recommender: one that is time-aware is asked with the times of the plays.
      plays: a listener and a moment each; their tracks are not read.
      histories: log of all users, what they had played.
      unplayed: says which tracks are out and unplayed: only they are on a list.
      k: of the lists; past the last candidate they have -1.
    """
    n_items, block = len(unplayed.available_from_ms), LIST_BLOCK
    if (sparse := as_sparse(recommender)) is not None:
        sparse_index = SparseIndex(sparse.sparse_rows, sparse.background)

        def best(some: PlayEvents) -> Hits:
            allow, exclude = unplayed.choice(some)
            return sparse_index.top_k(sparse_queries_at(sparse, some, histories), k, exclude, allow=allow)

    elif recommender.dot_product and not recommender.time_aware:
        product = cast(DotProductRecommender, recommender)
        index = ItemIndex(product.item_vectors, bias=product.item_bias())

        def best(some: PlayEvents) -> Hits:
            allow, exclude = unplayed.choice(some)
            return index.top_k(user_queries(product, some.users, histories), k, exclude, allow=allow)

    else:
        block = max(BLOCK_BYTES // (4 * n_items), 1)

        def best(some: PlayEvents) -> Hits:
            rows, columns = np.nonzero(~unplayed.mask(some))
            exclude = CSR.from_pairs(rows, columns, len(some), n_items)
            return top_k_scores(scores_at(recommender, some, histories, n_items), k, exclude)

    items = np.empty((len(plays), k), np.int32)
    by_time = np.argsort(plays.times_ms, kind="stable")
    for start in range(0, len(plays), block):
        rows = by_time[start : start + block]
        items[rows] = best(plays.take(rows)).ids
    return items
