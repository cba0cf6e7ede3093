"""Reciprocal rank at k: 1 / r of the first target, 0 if that is beyond k. Its mean over users is MRR."""

import numpy as np

from mu.evals.metrics.ranks import TargetRanks


def reciprocal_rank(ranks: TargetRanks, k: int) -> np.ndarray:
    """float64 [n]: the reciprocal rank at k of each user, the mean over all orders of ties."""
    value = np.zeros(len(ranks.user))
    none_so_far = np.ones(len(ranks.user))
    first, places = ranks.before == 0, ranks.within(k)
    for place in range(min(k, int(ranks.size.max(initial=0)))):
        others = np.maximum(ranks.size - ranks.members - place, 0)
        none_now = none_so_far * others / np.maximum(ranks.size - place, 1)
        rank = ranks.above + place + 1
        value += np.where(first & (place < places), (none_so_far - none_now) / rank, 0)
        none_so_far = none_now
    return ranks.total(value)
