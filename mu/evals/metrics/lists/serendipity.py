"""Serendipity: the share of a list's places with an item that is right, new to the listener, and not obvious.

Right is an item among the listener's targets, new one that the listener had not played. Obvious are the k new items
most played in training, of equally played ones those with lower ids: the list that popularity would show. Ge et al.,
"Beyond accuracy: evaluating recommender systems by coverage and serendipity", RecSys 2010, with popularity as the
primitive recommender.
"""

import numpy as np

from mu.evals.metrics.lists.context import ListContext
from mu.evals.metrics.lists.declare import needs


@needs("histories", "targets")
def serendipity(items: np.ndarray, context: ListContext) -> np.ndarray:
    """float64 [n]: of each list, out of its k places, whether filled or not.

    Args:
      items: int [n, k], -1 in slots without an item.
      context: `histories`, `targets` and `popularity` are needed.
    """
    assert context.histories is not None and context.targets is not None
    k = items.shape[1]
    place = np.empty(context.n_items, np.int64)
    place[np.argsort(-context.popularity, kind="stable")] = np.arange(context.n_items)
    there = items >= 0
    right = np.zeros(items.shape, bool)
    right[there] = context.targets.contains(np.nonzero(there)[0], items[there])
    indptr, played = context.histories.indptr, context.histories.items
    values = np.zeros(len(items))
    for row in np.flatnonzero(right.any(axis=1)):
        before = np.unique(place[played[indptr[row] : indptr[row + 1]]])
        hits = np.setdiff1d(place[items[row][right[row]]], before)
        # Less the played items above it: a hit's place among the new ones.
        values[row] = np.count_nonzero(hits - np.searchsorted(before, hits) >= k) / k
    return values
