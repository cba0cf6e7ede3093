"""Normalised discounted cumulative gain at k with a gain for each target (Jarvelin & Kekalainen, TOIS 2002).

graded_ndcg@k is the sum over r <= k of gain(r) / log2(r + 1), divided by the same sum of a ranking with the user's
targets first, the largest gains first: never above 1. With equal gains it is `ndcg`.
"""

import numpy as np

from mu.evals.metrics.ranks import TargetRanks


def graded_ndcg(ranks: TargetRanks, k: int) -> np.ndarray:
    """float64 [n]: graded NDCG@k of each user, the mean over all orders of ties; NaN where all gains are 0.

    Raises:
      ValueError: the gains are not known.
    """
    gains, sums = ranks.graded()
    discount = np.append(0.0, np.cumsum(1 / np.log2(np.arange(2, k + 2))))  # discount[r]: of ranks 1..r
    begin = np.minimum(ranks.above, k)
    mean = (discount[begin + ranks.within(k)] - discount[begin]) / ranks.size
    user = np.repeat(np.arange(len(ranks.n_targets)), ranks.n_targets)
    best = np.lexsort((-gains, user))
    rank = np.arange(len(gains)) - np.repeat(np.cumsum(ranks.n_targets) - ranks.n_targets, ranks.n_targets)
    first = rank < k
    ideal = np.bincount(
        user[first], weights=gains[best][first] / np.log2(rank[first] + 2), minlength=len(ranks.n_targets)
    )
    ndcg = np.divide(ranks.total(sums * mean), ideal, out=np.full(len(ideal), np.nan), where=ideal > 0)
    return np.minimum(ndcg, 1.0)  # what rounding may put above 1
