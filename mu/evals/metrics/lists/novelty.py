"""Novelty: the mean self-information of the items on a list, -log2 p(i), in bits.

p(i) = (c_i + 1) / (N + V), with c_i the plays of item i among the N of training, smoothed by one play an item. Zhou et
al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 2010.
"""

import numpy as np

from mu.evals.metrics.lists.context import ItemContext


def novelty(items: np.ndarray, context: ItemContext) -> np.ndarray:
    """float64 [n]: the novelty of each list, NaN for an empty one.

    Args:
      items: int [n, k], -1 in slots without an item.
      context: `popularity` is needed.
    """
    counts = np.asarray(context.popularity, np.float64)
    bits = -np.log2((counts + 1) / (counts.sum() + len(counts)))
    there = items >= 0
    total = np.where(there, bits[items], 0.0).sum(axis=1)
    length = there.sum(axis=1)
    return np.divide(total, length, out=np.full(len(items), np.nan), where=length > 0)
