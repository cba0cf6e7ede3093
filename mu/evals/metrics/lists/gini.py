"""Gini index of how often items are on the lists: 0 where all are alike, near 1 where a few have all places.

With x_(1) <= ... <= x_(V) the sorted numbers of lists that hold each item of the catalogue,

    G = sum_j (2 j - V - 1) x_(j) / (V sum_j x_(j))

Fleder & Hosanagar, "Blockbuster culture's next rise or fall", Management Science 2009.
"""

import numpy as np

from mu.evals.metrics.lists.context import exposure
from mu.evals.metrics.lists.declare import item_ids, of_all_lists


@of_all_lists(item_ids)
def gini(items: np.ndarray, weights: np.ndarray, n_items: int) -> np.ndarray:
    """The Gini index under each weighting of the lists, NaN where no item is shown.

    Args:
      items: int [n, k], -1 in slots without an item.
      weights: float64 [S, n], how much each list counts.
      n_items: V, items that are never shown included.

    Returns:
      float64 [S].
    """
    place = 2.0 * np.arange(1, n_items + 1) - n_items - 1
    values = np.full(len(weights), np.nan)
    for sample, counts in enumerate(weights):
        shown = np.sort(exposure(items, counts, n_items))
        if shown[-1] > 0:
            values[sample] = place @ shown / (n_items * shown.sum())
    return values
