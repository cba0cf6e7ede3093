"""Area under the ROC curve of each user: P(a relevant item scores higher than one that is not), ties by half."""

import numpy as np


def auc(scores: np.ndarray, relevant: np.ndarray, indptr: np.ndarray) -> np.ndarray:
    """float64 [n]: the AUC of each user, NaN where all or none of their items are relevant.

    Args:
      scores: float [E], by user.
      relevant: bool [E].
      indptr: int64 [n+1]; user u's items are `indptr[u]:indptr[u+1]`.
    """
    lengths = np.diff(indptr)
    user = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((scores, user))
    ordered, others = scores[order], ~relevant[order]
    new = np.append(True, (ordered[1:] != ordered[:-1]) | (user[1:] != user[:-1]))[: len(user)]
    start = np.flatnonzero(new)
    group = np.cumsum(new) - 1
    before = np.append(0, np.cumsum(others))
    in_group = np.diff(before[np.append(start, len(user))])
    below = (before[start] - before[indptr[user[start]]])[group]
    wins = np.where(others, 0.0, below + in_group[group] / 2)
    n_relevant = np.bincount(user, weights=relevant, minlength=len(lengths))
    total = np.bincount(user, weights=wins, minlength=len(lengths))
    pairs = n_relevant * (lengths - n_relevant)
    return np.divide(total, pairs, out=np.full(len(lengths), np.nan), where=pairs > 0)
