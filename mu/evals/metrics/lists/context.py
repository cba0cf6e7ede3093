"""What list metrics know besides the lists: statistics of the items, and the listeners of the lists."""

import dataclasses

import numpy as np
import scipy.sparse as sparse

from mu.protocols import Histories
from mu_kernels import CSR


@dataclasses.dataclass(frozen=True, eq=False)
class ListContext:
    """The catalogue that lists are drawn from, and the listeners they are for; statistics are of the training log.

    Attributes:
      n_items: size V of the catalogue.
      popularity: int64 [V], plays of each item in training.
      groups: int [V], the group of each item (its artist), -1 for none; or None.
      vectors: float [V, D], what items are like (genres, sound, embeddings); zeros where nothing is known; or None.
      histories: what the listener of each list has played, n rows; or None.
      targets: CSR [n, V], the items that the listener of each list should be recommended; or None.
    """

    n_items: int
    popularity: np.ndarray
    groups: np.ndarray | None = None
    vectors: np.ndarray | None = None
    histories: Histories | None = None
    targets: CSR | None = None


def exposure(ids: np.ndarray, weights: np.ndarray, size: int, discount: np.ndarray | None = None) -> np.ndarray:
    """How much each id is shown under one weighting of the lists.

    Args:
      ids: int [n, k], -1 in slots without an id.
      weights: float64 [n], how much each list counts.
      size: ids lie in [0, size).
      discount: float64 [k], how much each place counts; None for all alike.

    Returns:
      float64 [size].
    """
    n, k = ids.shape
    shown = np.repeat(weights, k) * np.tile(np.ones(k) if discount is None else discount, n)
    there = ids.reshape(-1) >= 0
    return np.bincount(ids.reshape(-1)[there], weights=shown[there], minlength=size)


def mean_over_list(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """float64 [n]: the mean of [n, k] values over the slots of each list that count; NaN where none does.

    Args:
      values: float or bool [n, k].
      there: bool [n, k], the slots that count.
    """
    total, length = np.where(there, values, 0.0).sum(axis=1), there.sum(axis=1)
    return np.divide(total, length, out=np.full(len(there), np.nan), where=length > 0)


def mean_over_history(values: np.ndarray, histories: Histories) -> np.ndarray:
    """float64 [n, ...]: the mean of the items' values over the plays of each history; NaN for one without plays.

    Args:
      values: float [V, ...], a number, or several, of each item.
      histories: n rows.
    """
    lengths = np.diff(histories.indptr)
    ones = np.ones(len(histories.items))
    plays = sparse.csr_array((ones, histories.items, histories.indptr), shape=(len(lengths), len(values)))
    total = plays @ np.asarray(values, np.float64)
    lengths = lengths.reshape(-1, *[1] * (total.ndim - 1))
    return np.divide(total, lengths, out=np.full(total.shape, np.nan), where=lengths > 0)
