"""How right a model is of clips: accuracy, F1, ROC-AUC, average precision, likelihood, correlation, each for many
weightings at once.

Every metric takes `weights` float64 [S, n]: S times how much each clip counts. Ones give the plain metric; the counts
of a bootstrap, S resampled ones, without touching a clip twice. Larger is better, in all of them. Where a weighting
leaves a class without positives (or negatives, where they matter), or a number constant, that is left out of the mean
over classes; of F1, a class that is neither there nor told. Where nothing is left the metric is NaN.

Shapes: n clips, C classes, S weightings.
"""

from collections.abc import Callable

import numpy as np


def accuracy(scores: np.ndarray, classes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of clips whose highest score is their class's; of equal scores the first counts. [S]."""
    right = (scores.argmax(axis=1) == classes).astype(np.float64)
    return _ratio(weights @ right, weights.sum(axis=1))


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
    found = np.stack([np.bincount(cell, counts, n_classes**2) for counts in weights])
    return found.reshape(-1, n_classes, n_classes)


def roc_auc_per_class(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """P(a positive scores higher than a negative), ties by half, for each column. [n, C], bool [n, C] -> [S, C]."""
    return np.stack([_roc_auc(scores[:, c], labels[:, c], weights) for c in range(scores.shape[1])], axis=1)


def average_precision_per_class(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_k (recall_k - recall_{k-1}) precision_k over distinct scores, for each column. [n, C] -> [S, C]."""
    return np.stack([_average_precision(scores[:, c], labels[:, c], weights) for c in range(scores.shape[1])], axis=1)


def log_likelihood_per_class(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """mean of log p where the label is set and of log(1 - p) where not, in nats: the log loss, negated.

    Scores are probabilities; one below 1e-7 or above 1 - 1e-7 counts as that. [n, C], bool [n, C] -> [S, C].
    """
    p = np.clip(np.asarray(scores, np.float64), 1e-7, 1 - 1e-7)
    return _averages(np.where(labels.astype(bool), np.log(p), np.log1p(-p)), weights)


def pearson_per_number(predicted: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Correlation of each column with its true values; NaN where either is constant. [n, C] -> [S, C]."""
    x, y = _centred(predicted), _centred(values)
    (x_mean, x_variance), (y_mean, y_variance) = _moments(x, predicted, weights), _moments(y, values, weights)
    covariance = _averages(x * y, weights) - x_mean * y_mean
    return _ratio(covariance, np.sqrt(x_variance * y_variance))


def r2_per_number(predicted: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """1 - sum (p - v)^2 / sum (v - mean v)^2 of each column; NaN where v is constant. [n, C] -> [S, C]."""
    error = _averages(np.square(np.asarray(predicted, np.float64) - values), weights)
    return 1.0 - _ratio(error, _moments(_centred(values), values, weights)[1])


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
        "log_likelihood": _macro(log_likelihood_per_class),
    },
    "numbers": {
        "pearson": _macro(pearson_per_number),
        "r2": _macro(r2_per_number),
    },
}
# Kind -> name -> metric of each class, tag or number -> [S, C].
PER_CLASS: dict[str, dict[str, Callable[..., np.ndarray]]] = {
    "class": {"recall": recalls, "f1": f1_per_class},
    "tags": {
        "roc_auc": roc_auc_per_class,
        "average_precision": average_precision_per_class,
        "log_likelihood": log_likelihood_per_class,
    },
    "numbers": {"pearson": pearson_per_number, "r2": r2_per_number},
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


def _centred(values: np.ndarray) -> np.ndarray:
    """float64, each column less its mean: no difference of large squares eats up a small variance."""
    values = np.asarray(values, np.float64)
    return values - values.mean(axis=0)


def _averages(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[n, C] -> [S, C]; NaN under weights that are all zero."""
    return _ratio(weights @ values, weights.sum(axis=1, keepdims=True))


def _moments(centred: np.ndarray, values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(means, variances) of centred columns [S, C]; the variance of what is constant is 0, not what rounding left."""
    mean, mean_square = _averages(centred, weights), _averages(centred**2, weights)
    variance = mean_square - mean**2
    rounding = 1e-12 * mean_square + (1e-12 * np.abs(values).max(axis=0, initial=0.0)) ** 2
    return mean, np.where(variance > rounding, variance, 0.0)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, NaN where `below` is not above zero."""
    shape = np.broadcast_shapes(np.shape(above), np.shape(below))
    return np.divide(above, below, out=np.full(shape, np.nan), where=below > 0)


def _mean(per_class: np.ndarray) -> np.ndarray:
    defined = np.isfinite(per_class)
    return _ratio(np.where(defined, per_class, 0.0).sum(axis=1), defined.sum(axis=1))
