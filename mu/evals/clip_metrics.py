"""How right a model is of clips: accuracy, F1, ROC-AUC, average precision, correlation, each for many weightings at
once.

Every metric takes `weights` float64 [S, n]: S times how much each clip counts. Ones give the plain metric; the counts
of a bootstrap, S resampled ones, without touching a clip twice. Larger is better, in all of them. A class that a
weighting leaves without positives (or negatives, where they matter) is left out of its mean over classes.

Shapes: n clips, C classes, S weightings.
"""

import warnings
from collections.abc import Callable

import numpy as np


def accuracy(scores: np.ndarray, classes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of clips whose highest score is their class's; of equal scores the first counts. [S]."""
    right = (scores.argmax(axis=1) == classes).astype(np.float64)
    return weights @ right / weights.sum(axis=1)


def recalls(scores: np.ndarray, classes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of each class's clips that are told right; NaN for a class without clips. [S, C]."""
    confusion = confusions(scores, classes, weights)
    return _ratio(np.diagonal(confusion, axis1=1, axis2=2), confusion.sum(axis=2))


def f1_per_class(scores: np.ndarray, classes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """2 tp / (2 tp + fp + fn) of each class, NaN for one neither there nor told. [S, C]."""
    confusion = confusions(scores, classes, weights)
    right = np.diagonal(confusion, axis1=1, axis2=2)
    return _ratio(2 * right, confusion.sum(axis=1) + confusion.sum(axis=2))


def f1(scores: np.ndarray, classes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean of `f1_per_class` over classes (macro). [S]."""
    return _mean(f1_per_class(scores, classes, weights))


def confusions(scores: np.ndarray, classes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weight of the clips of each class (rows) that are told as each class (columns). [S, C, C]."""
    n_classes = scores.shape[1]
    cell = classes * n_classes + scores.argmax(axis=1)
    table = np.zeros((len(cell), n_classes**2))
    table[np.arange(len(cell)), cell] = 1.0
    return (weights @ table).reshape(len(weights), n_classes, n_classes)


def roc_auc_per_class(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """P(a positive scores higher than a negative), ties by half, for each column. [n, C], bool [n, C] -> [S, C]."""
    return np.stack([_roc_auc(scores[:, c], labels[:, c], weights) for c in range(scores.shape[1])], axis=1)


def average_precision_per_class(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_k (recall_k - recall_{k-1}) precision_k over distinct scores, for each column. [n, C] -> [S, C]."""
    return np.stack([_average_precision(scores[:, c], labels[:, c], weights) for c in range(scores.shape[1])], axis=1)


def pearson_per_number(predicted: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Correlation of each column with its true values; NaN where either is constant. [n, C] -> [S, C]."""
    total = weights.sum(axis=1, keepdims=True)
    x_mean, y_mean = weights @ predicted / total, weights @ values / total
    covariance = weights @ (predicted * values) / total - x_mean * y_mean
    x_variance = weights @ predicted**2 / total - x_mean**2
    y_variance = weights @ values**2 / total - y_mean**2
    # Rounding leaves some 1e-16 of the mean square where a column is constant.
    small = 1e-12 * (weights @ (predicted**2) / total + weights @ (values**2) / total)
    varies = (x_variance > small) & (y_variance > small)
    return np.where(varies, covariance / np.sqrt(np.where(varies, x_variance * y_variance, 1.0)), np.nan)


def r2_per_number(predicted: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """1 - sum (p - v)^2 / sum (v - mean v)^2 of each column. [n, C] -> [S, C]."""
    total = weights.sum(axis=1, keepdims=True)
    error = weights @ (predicted - values) ** 2 / total
    variance = weights @ values**2 / total - (weights @ values / total) ** 2
    return np.where(variance > 1e-12, 1.0 - error / np.where(variance > 1e-12, variance, 1.0), np.nan)


def class_labels(classes: np.ndarray, n_classes: int) -> np.ndarray:
    """bool [n, C]: one column a class, one against the rest."""
    return classes[:, None] == np.arange(n_classes)


def _macro(per_class: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda scores, labels, weights: _mean(per_class(scores, labels, weights))


def _of_classes(per_class: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda scores, classes, weights: _mean(per_class(scores, class_labels(classes, scores.shape[1]), weights))


# Kind of target -> name -> metric (scores [n, C], target, weights [S, n]) -> [S].
METRICS: dict[str, dict[str, Callable[..., np.ndarray]]] = {
    "class": {
        "accuracy": accuracy,
        "f1": f1,
        "roc_auc": _of_classes(roc_auc_per_class),
        "average_precision": _of_classes(average_precision_per_class),
    },
    "tags": {
        "roc_auc": _macro(roc_auc_per_class),
        "average_precision": _macro(average_precision_per_class),
    },
    "numbers": {
        "pearson": _macro(pearson_per_number),
        "r2": _macro(r2_per_number),
    },
}
# Kind -> (name, metric of each class, tag or number -> [S, C]).
PER_CLASS: dict[str, tuple[str, Callable[..., np.ndarray]]] = {
    "class": ("recall", recalls),
    "tags": ("roc_auc", roc_auc_per_class),
    "numbers": ("pearson", pearson_per_number),
}


def _roc_auc(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    positives, negatives = _by_score(scores, labels, weights)
    below = np.cumsum(negatives, axis=1) - negatives
    wins = np.sum(positives * (below + negatives / 2), axis=1)
    return _ratio(wins, positives.sum(axis=1) * negatives.sum(axis=1))


def _average_precision(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    positives, negatives = _by_score(-scores, labels, weights)
    found = np.cumsum(positives, axis=1)
    looked_at = found + np.cumsum(negatives, axis=1)
    precision = np.divide(found, looked_at, out=np.zeros_like(found), where=looked_at > 0)
    return _ratio(np.sum(positives * precision, axis=1), positives.sum(axis=1))


def _by_score(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(positive weight, negative weight) [S, distinct scores], scores ascending."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(scores[order]) != 0]))
    ordered = weights[:, order]
    positive = labels[order].astype(np.float64)
    return (
        np.add.reduceat(ordered * positive, starts, axis=1),
        np.add.reduceat(ordered * (1.0 - positive), starts, axis=1),
    )


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)


def _mean(per_class: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row of NaN alone has the mean NaN
        return np.nanmean(per_class, axis=1)
