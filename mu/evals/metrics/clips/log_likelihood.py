"""Log likelihood of tags, in nats: the mean of log p where a tag is set and of log(1 - p) where not; minus log loss."""

import numpy as np

from mu.evals.metrics.clips._weighted import averages, known_rows, macro


def log_likelihood(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean of `log_likelihood_per_class` over tags: float64 [S]."""
    return macro(log_likelihood_per_class(scores, truth, weights))


def log_likelihood_per_class(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Log likelihood of each tag: float [n, C], [n, C], float64 [S, n] -> float64 [S, C].

    Scores are probabilities; one below 1e-7 or above 1 - 1e-7 counts as that.
    """
    scores, truth, weights = known_rows(scores, truth, weights)
    p = np.clip(scores, 1e-7, 1 - 1e-7)
    return averages(np.where(truth.astype(bool), np.log(p), np.log1p(-p)), weights)
