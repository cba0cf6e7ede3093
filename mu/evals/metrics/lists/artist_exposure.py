"""Evenness of exposure over artists: the effective number of artists that are shown, as a share of all.

The exposure of artist a is the sum of 1 / log2(r + 1) over the places r of a's items on the lists; with q_a its share,

    exp(-sum_a q_a ln q_a) / A

is 1 where all A artists are shown alike, and 1 / A where one has all places. Exposure by place is that of Singh &
Joachims, "Fairness of exposure in rankings", KDD 2018; the effective number is that of Hill, Ecology 1973.
"""

import numpy as np

from mu.evals.metrics.lists.context import exposure
from mu.evals.metrics.lists.declare import group_ids, of_all_lists


@of_all_lists(group_ids, "groups")
def artist_exposure(groups: np.ndarray, weights: np.ndarray, n_groups: int) -> np.ndarray:
    """The effective share of artists under each weighting of the lists, NaN where no artist is shown.

    Args:
      groups: int [n, k], the artist at each place, -1 in slots without one.
      weights: float64 [S, n], how much each list counts.
      n_groups: A.

    Returns:
      float64 [S].
    """
    discount = 1 / np.log2(np.arange(2, groups.shape[1] + 2))
    values = np.full(len(weights), np.nan)
    for sample, counts in enumerate(weights):
        shown = exposure(groups, counts, n_groups, discount)
        shares = shown[shown > 0] / shown.sum()
        if len(shares):
            values[sample] = np.exp(-(shares @ np.log(shares))) / n_groups
    return values
