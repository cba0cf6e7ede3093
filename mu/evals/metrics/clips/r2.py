"""Coefficient of determination: 1 - sum (p - v)^2 / sum (v - mean v)^2."""

import numpy as np

from mu.evals.metrics.clips._weighted import averages, centred, known_rows, macro, moments, ratio


def r2(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean of `r2_per_class` over numbers: float64 [S]."""
    return macro(r2_per_class(scores, truth, weights))


def r2_per_class(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """R^2 of each number, NaN where it is constant: float [n, C], [n, C], float64 [S, n] -> float64 [S, C]."""
    scores, truth, weights = known_rows(scores, truth, weights)
    error = averages(np.square(scores - truth), weights)
    return 1.0 - ratio(error, moments(centred(truth), truth, weights)[1])
