"""Which clips a metric between 0 and 1 is a share of: what its interval counts where all draws say the same.

Each function takes (scores, truth) of the metric and returns bool [n, P]: a column for each class or tag that the
metric is of, or one for all.
"""

import numpy as np

from mu.evals.metrics.clips._weighted import labels_of


def known(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The clips whose truth is known, bool [n, 1]."""
    del scores
    return (truth >= 0)[:, None] if truth.ndim == 1 else np.asarray(np.isfinite(truth).all(axis=1))[:, None]


def of_label(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The clips of each class or with each tag, bool [n, C]."""
    return known(scores, truth) & (labels_of(truth, scores.shape[1]) > 0)


def rarer_label(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The clips with each class or tag, or those without where they are fewer, bool [n, C]."""
    positive, all_known = of_label(scores, truth), known(scores, truth)
    return np.where(2 * positive.sum(axis=0) <= all_known.sum(), positive, all_known & ~positive)
