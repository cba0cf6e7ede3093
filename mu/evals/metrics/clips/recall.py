"""Recall of a class: the share of its clips that are predicted to be of it."""

import numpy as np

from mu.evals.metrics.clips._weighted import known_rows, macro, ratio
from mu.evals.metrics.clips.confusion import confusions


def recall(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean of `recall_per_class` over classes (macro, balanced accuracy): float64 [S]."""
    return macro(recall_per_class(scores, truth, weights))


def recall_per_class(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Recall of each class, NaN for one without clips: float [n, C], int [n], float64 [S, n] -> float64 [S, C]."""
    confusion = confusions(*known_rows(scores, truth, weights))
    return ratio(np.diagonal(confusion, axis1=1, axis2=2), confusion.sum(axis=2))
