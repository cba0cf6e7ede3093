"""Confusion matrices of classes."""

import numpy as np


def confusions(scores: np.ndarray, classes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weight of the clips of each class (rows) by predicted class (columns), the one with the highest score.

    Args:
      scores: float [n, C].
      classes: int [n], all known.
      weights: float64 [S, n].

    Returns:
      float64 [S, C, C].
    """
    n_classes = scores.shape[1]
    cell = classes * n_classes + scores.argmax(axis=1)
    matrices = np.stack([np.bincount(cell, counts, n_classes**2) for counts in weights])
    return matrices.reshape(-1, n_classes, n_classes)
