"""Shared maths of the clip metrics: sums under many weightings at once.

n clips, C classes, tags or numbers, S weightings.
"""

import numpy as np


def known_rows(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(scores float64, truth, weights) of the clips whose truth is known: not -1, and no NaN among its numbers.

    Raises:
      ValueError: no clip's truth is known.
    """
    is_known = truth >= 0 if truth.ndim == 1 else np.isfinite(truth).all(axis=1)
    if not is_known.any():
        raise ValueError(f"of none of the {len(truth)} clips the truth is known; there is nothing to measure")
    return scores[is_known].astype(np.float64), truth[is_known], weights[:, is_known]


def labels_of(truth: np.ndarray, n_classes: int) -> np.ndarray:
    """[n, C]: tags as they are; classes as bool, one column a class, one against the rest."""
    return truth[:, None] == np.arange(n_classes) if truth.ndim == 1 else truth


def by_score(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(positive weight, negative weight), float64 [S, distinct scores] each, scores ascending."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(scores[order]) != 0]))
    ordered = weights[:, order]
    positive = labels[order].astype(np.float64)
    return (
        np.add.reduceat(ordered * positive, starts, axis=1),
        np.add.reduceat(ordered * (1.0 - positive), starts, axis=1),
    )


def centred(values: np.ndarray) -> np.ndarray:
    """float64 [n, C], each column less its mean: no difference of large squares eats up a small variance."""
    values = np.asarray(values, np.float64)
    return values - values.mean(axis=0)


def averages(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted means, [n, C] -> [S, C]; NaN under weights that are all zero."""
    return ratio(weights @ values, weights.sum(axis=1, keepdims=True))


def moments(deviations: np.ndarray, values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(means, variances) of centred columns, [S, C] each; a constant has variance 0, not what rounding left."""
    mean, mean_square = averages(deviations, weights), averages(deviations**2, weights)
    variance = mean_square - mean**2
    rounding = 1e-12 * mean_square + (1e-12 * np.abs(values).max(axis=0, initial=0.0)) ** 2
    return mean, np.where(variance > rounding, variance, 0.0)


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, NaN where `below` is not above zero."""
    shape = np.broadcast_shapes(np.shape(above), np.shape(below))
    return np.divide(above, below, out=np.full(shape, np.nan), where=below > 0)


def macro(per_class: np.ndarray) -> np.ndarray:
    """The mean over the classes for which a metric is defined, [S, C] -> [S]; NaN where it is for none."""
    defined = np.isfinite(per_class)
    return ratio(np.where(defined, per_class, 0.0).sum(axis=1), defined.sum(axis=1))
