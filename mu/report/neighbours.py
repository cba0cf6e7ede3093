"""Which clips lie near each other in the encoder's space, and a flat map of it."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Embedded:
    """Clips in the space of one model.

    Attributes:
      model: which one, in words.
      clips: their ids.
      vectors: float32 [n, D], of unit length.
    """

    model: str
    clips: tuple[str, ...]
    vectors: np.ndarray


def unit(vectors: np.ndarray) -> np.ndarray:
    """float32 [n, D] scaled to length one; zeros stay."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(length, 1e-12)).astype(np.float32)


def nearest(vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows int64 [n, k], cosines float32 [n, k]) of each vector's nearest others, best first, ties by lower row."""
    k = min(k, len(vectors) - 1)
    rows, cosines = [], []
    for start in range(0, len(vectors), 1024):
        block = vectors[start : start + 1024] @ vectors.T
        block[np.arange(len(block)), start + np.arange(len(block))] = -np.inf
        order = np.argsort(-block, axis=1, kind="stable")[:, :k]
        rows.append(order)
        cosines.append(np.take_along_axis(block, order, axis=1))
    return np.concatenate(rows), np.concatenate(cosines)


def principal_plane(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along the two directions of most variance.

    The sign of each direction, which nothing decides, is such that its largest weight is positive.

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
