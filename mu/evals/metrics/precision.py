"""Precision at k: hits(k) / k, the share of the first k that are targets."""

import numpy as np

from mu.evals.metrics.ranks import TargetRanks


def precision(ranks: TargetRanks, k: int) -> np.ndarray:
    """float64 [n]: precision@k of each user, the mean over all orders of ties."""
    return ranks.total(ranks.members * ranks.within(k) / ranks.size) / k
