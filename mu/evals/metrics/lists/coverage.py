"""Catalogue coverage: the share of the items that are on any list.

Herlocker et al., "Evaluating collaborative filtering recommender systems", TOIS 2004, section 4.2.
"""

import numpy as np

from mu.evals.metrics.lists.declare import item_ids, of_all_lists


@of_all_lists(item_ids)
def coverage(items: np.ndarray, weights: np.ndarray, n_items: int) -> np.ndarray:
    """|union of the lists| / V under each weighting of the lists.

    Drawn users are fewer different ones, so a bootstrap interval lies at or below the value itself: it serves to
    compare recommenders on the same users.

    Args:
      items: int [n, k], -1 in slots without an item.
      weights: float64 [S, n]; a list of weight 0 does not count.
      n_items: V.

    Returns:
      float64 [S].
    """
    shares = np.empty(len(weights))
    for sample, counts in enumerate(weights):
        shown = items[counts > 0]
        shares[sample] = np.count_nonzero(np.bincount(shown[shown >= 0], minlength=n_items)) / n_items
    return shares
