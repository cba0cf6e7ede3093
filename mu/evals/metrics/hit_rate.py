"""Hit rate at k: 1 if hits(k) > 0, else 0."""

import numpy as np

from mu.evals.metrics.ranks import TargetRanks


def hit_rate(ranks: TargetRanks, k: int) -> np.ndarray:
    """float64 [n]: the chance, over the orders of ties, that a target of the user is among the first k."""
    # At most one group of a user straddles k; a group wholly inside has a hit for certain.
    missed = _no_member_in(ranks, ranks.within(k), k)
    hit = np.zeros(len(ranks.n_targets))
    np.maximum.at(hit, ranks.user, 1 - missed)
    return hit


def _no_member_in(ranks: TargetRanks, places: np.ndarray, k: int) -> np.ndarray:
    """float64 [G]: the chance that the first `places` (at most k) of a group hold none of its members."""
    chance = np.ones(len(ranks.user))
    for place in range(min(k, int(ranks.size.max(initial=0)))):
        others = np.maximum(ranks.size - ranks.members - place, 0)
        chance = np.where(place < places, chance * others / np.maximum(ranks.size - place, 1), chance)
    return chance
