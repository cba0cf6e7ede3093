"""Repeat share: the share of a list's items that the listener had played before.

0 where the items of the history are not ranked; where they are (`exclude` of the evaluator), how far a recommender
repeats what is known. Anderson et al., "The dynamics of repeat consumption", WWW 2014, measure the same of plays.
"""

import numpy as np

from mu.evals.metrics.lists.context import ListContext, mean_over_list
from mu.evals.metrics.lists.declare import needs
from mu_kernels import CSR


@needs("histories")
def repeat_share(items: np.ndarray, context: ListContext) -> np.ndarray:
    """float64 [n]: the share of each list, NaN for an empty one.

    Args:
      items: int [n, k], -1 in slots without an item.
      context: `histories` are needed.
    """
    assert context.histories is not None
    plays = np.repeat(np.arange(len(items)), np.diff(context.histories.indptr))
    played = CSR.from_pairs(plays, context.histories.items, len(items), context.n_items)
    there = items >= 0
    repeated = np.zeros(items.shape, bool)
    repeated[there] = played.contains(np.nonzero(there)[0], items[there])
    return mean_over_list(repeated, there)
