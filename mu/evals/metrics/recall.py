"""Recall at k: hits(k) / |T|, the share of a user's targets among the first k."""

import numpy as np

from mu.evals.metrics.ranks import TargetRanks


def recall(ranks: TargetRanks, k: int) -> np.ndarray:
    """float64 [n]: recall@k of each user, the mean over all orders of ties."""
    return ranks.total(ranks.members * ranks.within(k) / ranks.size) / ranks.n_targets
