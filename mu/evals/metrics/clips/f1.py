"""F1 of a class: 2 tp / (2 tp + fp + fn), the harmonic mean of precision and recall."""

import numpy as np

from mu.evals.metrics.clips._weighted import known_rows, macro, ratio
from mu.evals.metrics.clips.confusion import confusions


def f1(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean of `f1_per_class` over classes (macro): float64 [S]."""
    return macro(f1_per_class(scores, truth, weights))


def f1_per_class(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """F1 of each class: float [n, C], int [n], float64 [S, n] -> float64 [S, C].

    NaN for a class that has no clips and is never predicted.
    """
    confusion = confusions(*known_rows(scores, truth, weights))
    right = np.diagonal(confusion, axis1=1, axis2=2)
    return ratio(2 * right, confusion.sum(axis=1) + confusion.sum(axis=2))
