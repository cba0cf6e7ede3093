"""Share of top-decile artists: the share of a list's places that go to the tenth of artists with the most plays.

Of the A artists whom training has seen, the ceil(A / 10) with the most plays; of equal ones the lower group id. It is
the head of the long tail, Celma, "Music recommendation and discovery in the long tail", 2008, by artists instead of
tracks: .9 of the places where listeners play them in .6 of cases says that a recommender favours the famous.
"""

import math

import numpy as np

from mu.evals.metrics.lists.context import ListContext, mean_over_list
from mu.evals.metrics.lists.declare import needs


@needs("groups")
def top_artist_share(items: np.ndarray, context: ListContext) -> np.ndarray:
    """float64 [n]: the share of each list's items whose artist is known, NaN for a list of none.

    Args:
      items: int [n, k], -1 in slots without an item.
      context: `groups` (the artist of each item) are needed, and `popularity`.
    """
    groups = np.asarray(context.groups)
    known = groups >= 0
    plays = np.bincount(groups[known], weights=context.popularity[known], minlength=1)
    n_top = math.ceil(np.count_nonzero(plays) / 10)
    top = np.zeros(len(plays), bool)
    top[np.argsort(-plays, kind="stable")[:n_top]] = True
    artists = np.where(items >= 0, groups[items], -1)
    return mean_over_list(top[artists], artists >= 0)
