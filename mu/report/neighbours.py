"""Nearest neighbours among vectors, and their coordinates in a plane."""

import dataclasses

import numpy as np

from mu_kernels import CSR, ItemIndex


@dataclasses.dataclass(frozen=True, eq=False)
class Embedded:
    """Clip embeddings of one model.

    Attributes:
      model: which model, in words.
      clips: their ids.
      vectors: float32 [n, D], of unit length.
    """

    model: str
    clips: tuple[str, ...]
    vectors: np.ndarray


def unit(vectors: np.ndarray) -> np.ndarray:
    """float32 [n, D]: vectors scaled to length one; zeros stay zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(length, 1e-12)).astype(np.float32)


def nearest(vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows int64 [n, k], cosines float32 [n, k]) of each vector's nearest others, best first, ties by lower row.

    Args:
      vectors: float32 [n, D], of unit length.
      k: how many; fewer where there are fewer others.
    """
    n = len(vectors)
    k = min(k, n - 1)
    if k < 1:
        return np.zeros((n, 0), np.int64), np.zeros((n, 0), np.float32)
    itself = CSR.from_pairs(np.arange(n), np.arange(n, dtype=np.int32), n, n)
    hits = ItemIndex(vectors).top_k(vectors, k, itself)
    return hits.ids.astype(np.int64), hits.scores


def principal_plane(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along the two directions of most variance.

    The sign of a direction is arbitrary; here its largest weight is positive.

    Args:
      vectors: [n, D].

    Returns:
      (float64 [n, 2], share of the variance along each [2]).
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, spread, directions = np.linalg.svd(centred, full_matrices=False)
    axes = np.zeros((2, centred.shape[1]))
    axes[: len(directions[:2])] = directions[:2]
    largest = axes[np.arange(2), np.abs(axes).argmax(axis=1)]
    axes *= np.where(largest < 0, -1.0, 1.0)[:, None]
    variance = np.zeros(2)
    variance[: len(spread[:2])] = spread[:2] ** 2 / max(float((spread**2).sum()), 1e-300)
    return centred @ axes.T, variance
