"""Normalised discounted cumulative gain at k with binary relevance (Jarvelin & Kekalainen, TOIS 2002).

ndcg@k is the sum over r <= k of rel(r) / log2(r + 1), divided by the same sum of a ranking with min(|T|, k) targets
first: never above 1.
"""

import numpy as np

from mu.evals.metrics.ranks import TargetRanks


def ndcg(ranks: TargetRanks, k: int) -> np.ndarray:
    """float64 [n]: NDCG@k of each user, the mean over all orders of ties."""
    gain = np.append(0.0, np.cumsum(1 / np.log2(np.arange(2, k + 2))))  # gain[r]: of targets at ranks 1..r
    begin = np.minimum(ranks.above, k)
    mean = (gain[begin + ranks.within(k)] - gain[begin]) / ranks.size
    # The minimum takes off what rounding may put above 1.
    return np.minimum(ranks.total(ranks.members * mean) / gain[np.minimum(ranks.n_targets, k)], 1.0)
