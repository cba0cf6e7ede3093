"""Pearson correlation of predicted and true numbers."""

import numpy as np

from mu.evals.metrics.clips._weighted import averages, centred, known_rows, macro, moments, ratio


def pearson(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean of `pearson_per_class` over numbers: float64 [S]."""
    return macro(pearson_per_class(scores, truth, weights))


def pearson_per_class(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Correlation of each number, NaN where either is constant: float [n, C], [n, C], float64 [S, n] -> [S, C]."""
    scores, truth, weights = known_rows(scores, truth, weights)
    x, y = centred(scores), centred(truth)
    (x_mean, x_variance), (y_mean, y_variance) = moments(x, scores, weights), moments(y, truth, weights)
    covariance = averages(x * y, weights) - x_mean * y_mean
    return ratio(covariance, np.sqrt(x_variance * y_variance))
