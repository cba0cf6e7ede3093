"""Average precision at k: the sum over r <= k of rel(r) hits(r) / r, divided by min(|T|, k). Its mean is MAP."""

import numpy as np

from mu.evals.metrics.ranks import TargetRanks


def average_precision(ranks: TargetRanks, k: int) -> np.ndarray:
    """float64 [n]: average precision at k of each user, the mean over all orders of ties."""
    # At place j = 1..places of a group rel = 1 with chance members / size; given that, hits(r) is on average
    # before + 1 + (j - 1) * (members - 1) / (size - 1). Needed are the sums over j of 1 / (above + j), and of
    # (j - 1) / (above + j) = 1 - (above + 1) / (above + j).
    harmonic = np.append(0.0, np.cumsum(1 / np.arange(1, k + 1)))
    places, begin = ranks.within(k), np.minimum(ranks.above, k)
    inverse_ranks = harmonic[begin + places] - harmonic[begin]
    others = (ranks.members - 1) / np.maximum(ranks.size - 1, 1)
    precisions = (ranks.before + 1) * inverse_ranks
    precisions += others * (places - (ranks.above + 1) * inverse_ranks)
    return ranks.total(ranks.members / ranks.size * precisions) / np.minimum(ranks.n_targets, k)
