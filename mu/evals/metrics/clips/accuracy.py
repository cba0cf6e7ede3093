"""Accuracy: the share of clips whose highest score is their class's; of equal scores the first counts."""

import numpy as np

from mu.evals.metrics.clips._weighted import known_rows, ratio


def accuracy(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Accuracy under each weighting: float [n, C], int [n], float64 [S, n] -> float64 [S]."""
    scores, truth, weights = known_rows(scores, truth, weights)
    right = (scores.argmax(axis=1) == truth).astype(np.float64)
    return ratio(weights @ right, weights.sum(axis=1))
