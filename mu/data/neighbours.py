"""Neighbours of tracks: those that are played near them."""

import numpy as np
import scipy.sparse as sparse

from mu.data.logs.interactions import Interactions
from mu_kernels import count_transitions

REACH = 5
"""Plays further apart are not near."""


def played_near(log: Interactions, k: int) -> np.ndarray:
    """int32 [V, k]: the tracks that are played nearest to each track and most often; -1 where there are fewer.

    A pair of plays of a listener with d plays from one to the other, d up to `REACH`, counts 1 / d for both tracks.
    With C[i, j] the sum of these over all pairs of i and j, the neighbours of i have the largest
    C[i, j] / sqrt(sum over l of C[l, j]), the nearest first; of equal ones those of lower ids. A track is no neighbour
    of itself. Every pair of the log counts, those that a model learns to foretell too.

    Args:
      log: V tracks.
      k: at least 1.
    """
    counted = count_transitions(log.indptr, log.items, log.n_items, np.arange(1, REACH + 1))
    values = counted.counts / (1.0 + counted.classes)
    ahead = sparse.csr_array((values, counted.items, counted.indptr), shape=(log.n_items, log.n_items))
    near = (ahead + ahead.T).tocoo()
    others = near.row != near.col
    track, neighbour, value = near.row[others], near.col[others], near.data[others]
    strength = value / np.sqrt(np.bincount(neighbour, value, log.n_items))[neighbour]
    order = np.lexsort((neighbour, -strength, track))
    track, neighbour = track[order], neighbour[order]
    place = np.arange(len(track)) - np.searchsorted(track, track)
    kept = place < k
    nearest = np.full((log.n_items, k), -1, np.int32)
    nearest[track[kept], place[kept]] = neighbour[kept]
    return nearest
