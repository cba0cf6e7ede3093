"""Average precision: sum_k (recall_k - recall_{k-1}) precision_k over distinct scores, best first."""

import numpy as np

from mu.evals.metrics.clips._weighted import by_score, known_rows, labels_of, macro, ratio


def average_precision(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean of `average_precision_per_class` over classes or tags (macro): float64 [S]."""
    return macro(average_precision_per_class(scores, truth, weights))


def average_precision_per_class(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average precision of each class (one against the rest) or tag, NaN where none is positive.

    Args:
      scores: float [n, C].
      truth: int [n], classes; or [n, C], tags.
      weights: float64 [S, n].

    Returns:
      float64 [S, C].
    """
    scores, truth, weights = known_rows(scores, truth, weights)
    labels = labels_of(truth, scores.shape[1])
    return np.stack([_average_precision(scores[:, c], labels[:, c], weights) for c in range(scores.shape[1])], axis=1)


def _average_precision(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    positives, negatives = by_score(-scores, labels, weights)
    hits = np.cumsum(positives, axis=1)
    retrieved = hits + np.cumsum(negatives, axis=1)
    precision = np.divide(hits, retrieved, out=np.zeros_like(hits), where=retrieved > 0)
    return ratio(np.sum(positives * precision, axis=1), positives.sum(axis=1))
