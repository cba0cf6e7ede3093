"""Area under the ROC curve: P(a positive scores higher than a negative), ties by half."""

import numpy as np

from mu.evals.metrics.clips._weighted import by_score, known_rows, labels_of, macro, ratio


def roc_auc(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean of `roc_auc_per_class` over classes or tags (macro): float64 [S]."""
    return macro(roc_auc_per_class(scores, truth, weights))


def roc_auc_per_class(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """ROC-AUC of each class (one against the rest) or tag, NaN where all or none are positive.

    Args:
      scores: float [n, C].
      truth: int [n], classes; or [n, C], tags.
      weights: float64 [S, n].

    Returns:
      float64 [S, C].
    """
    scores, truth, weights = known_rows(scores, truth, weights)
    labels = labels_of(truth, scores.shape[1])
    return np.stack([_roc_auc(scores[:, c], labels[:, c], weights) for c in range(scores.shape[1])], axis=1)


def _roc_auc(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    positives, negatives = by_score(scores, labels, weights)
    below = np.cumsum(negatives, axis=1) - negatives
    wins = np.sum(positives * (below + negatives / 2), axis=1)
    return ratio(wins, positives.sum(axis=1) * negatives.sum(axis=1))
