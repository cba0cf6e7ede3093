"""Novelty: the mean self-information of the items on a list, -log2 p(i), in bits.

p(i) = (c_i + 1) / (N + V), with c_i the plays of item i among the N of training, smoothed by one play an item. Zhou et
al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 2010.
"""

import numpy as np

from mu.evals.metrics.lists.context import ListContext, mean_over_list


def novelty(items: np.ndarray, context: ListContext) -> np.ndarray:
    """float64 [n]: the novelty of each list, NaN for an empty one.

    Args:
      items: int [n, k], -1 in slots without an item.
      context: `popularity` is needed.
    """
    counts = np.asarray(context.popularity, np.float64)
    bits = -np.log2((counts + 1) / (counts.sum() + len(counts)))
    return mean_over_list(bits[items], items >= 0)
