"""Popularity lift: how much more popular the lists are than what their listeners play.

With GAP(lists) the mean over listeners of the mean popularity of a list's items, and GAP(histories) the same of their
plays, both in plays of training,

    GAP(lists) / GAP(histories) - 1

is 0 where lists are as popular as histories, and 1 where they are twice as popular. Abdollahpouri et al., "The
unfairness of popularity bias in recommendation", RMSE 2019; Kowald et al., "The unfairness of popularity bias in
music recommendation", ECIR 2020.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mu.evals.metrics.lists.context import ListContext, mean_over_history, mean_over_list
from mu.evals.metrics.lists.declare import of_all_lists


def mean_popularity(items: np.ndarray, context: ListContext) -> tuple[np.ndarray, Mapping[str, Any]]:
    """float64 [n, 2]: the mean popularity of each list, and of its listener's plays; NaN where there are none."""
    assert context.histories is not None
    of_list = mean_over_list(context.popularity[items], items >= 0)
    return np.stack([of_list, mean_over_history(context.popularity, context.histories)], axis=1), {}


@of_all_lists(mean_popularity, "histories")
def popularity_lift(popularity: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The lift under each weighting of the lists, over those with an item and a history; NaN where there is none.

    Args:
      popularity: float64 [n, 2], of `mean_popularity`.
      weights: float64 [S, n], how much each list counts.

    Returns:
      float64 [S].
    """
    there = np.isfinite(popularity).all(axis=1)
    of_lists, of_histories = (weights[:, there] @ popularity[there]).T
    ratio = np.divide(of_lists, of_histories, out=np.full(len(weights), np.nan), where=of_histories > 0)
    return ratio - 1
