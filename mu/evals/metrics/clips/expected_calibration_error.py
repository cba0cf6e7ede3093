"""Expected calibration error: how far predicted probabilities are from observed shares, in groups of like ones."""

import numpy as np

from mu.evals.metrics.clips._weighted import known_rows, labels_of, macro, ratio

GROUPS = 15


def expected_calibration_error(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean of `expected_calibration_error_per_class` over classes or tags: float64 [S]."""
    return macro(expected_calibration_error_per_class(scores, truth, weights))


def expected_calibration_error_per_class(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_g n_g / n |mean probability of group g - share of positives in g|, in groups of about equal size.

    Naeini, Cooper & Hauskrecht, AAAI 2015, with quantiles instead of equal widths as edges of the groups (Nguyen &
    O'Connor 2015, arXiv:1508.05154). With few units in a group it is above 0 for perfect probabilities too, and more so
    in bootstrap samples: an interval may lie above the value.

    Args:
      scores: float [n, C], probabilities.
      truth: int [n], classes; or [n, C], tags.
      weights: float64 [S, n].

    Returns:
      float64 [S, C].
    """
    scores, truth, weights = known_rows(scores, truth, weights)
    labels = labels_of(truth, scores.shape[1]).astype(np.float64)
    errors = []
    for predicted, label in zip(scores.T, labels.T, strict=True):
        edges = np.unique(np.quantile(predicted, np.arange(1, GROUPS) / GROUPS))
        group = np.searchsorted(edges, predicted, side="right")
        gaps = np.where(group[:, None] == np.arange(len(edges) + 1), (predicted - label)[:, None], 0.0)
        errors.append(np.abs(weights @ gaps).sum(axis=1))
    return ratio(np.stack(errors, axis=1), weights.sum(axis=1, keepdims=True))
