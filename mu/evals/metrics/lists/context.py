"""Statistics of the items that list metrics use."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class ItemContext:
    """The catalogue that lists are drawn from; every statistic is of the training log.

    Attributes:
      n_items: size V of the catalogue.
      popularity: int64 [V], plays of each item in training.
      groups: int [V], the group of each item (its artist), -1 for none; or None.
      vectors: float [V, D], what items are like (genres, sound, embeddings); zeros where nothing is known; or None.
    """

    n_items: int
    popularity: np.ndarray
    groups: np.ndarray | None = None
    vectors: np.ndarray | None = None


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
