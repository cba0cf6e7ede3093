"""The share of numbers that are predicted to within half a unit: of pitches in semitones, the raw pitch accuracy."""

import numpy as np

from mu.evals.metrics.clips._weighted import averages, known_rows, macro


def within_half(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean of `within_half_per_class` over numbers: float64 [S]."""
    return macro(within_half_per_class(scores, truth, weights))


def within_half_per_class(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted share of |p - v| <= .5 of each number: float [n, C], [n, C], float64 [S, n] -> float64 [S, C]."""
    scores, truth, weights = known_rows(scores, truth, weights)
    return averages((np.abs(scores - truth) <= 0.5).astype(np.float64), weights)
