"""Linear models on feature vectors: logistic regression for classes and tags, ridge regression for numbers."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from mu.baselines.classifier import checked_kind, fit_classifier, fitted_scaler, probabilities, standardised
from mu.baselines.cross_validation import best_option, grouped_folds

# What `chosen_linear` chooses from: from little trust in the data to much.
INVERSE_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


class Linear:
    """scikit-learn's linear models on standardised features, one class for three kinds of target.

    A class is predicted by multinomial logistic regression, each tag by a logistic regression of its own, and numbers
    by ridge regression. The loss of all examples has the penalty |W|^2 / (2 c), for numbers |W|^2 / c.

    Args:
      kind: of the target: 'class', 'tags' or 'numbers'.
      inverse_penalty: c; larger trusts the data more.
    """

    def __init__(self, kind: str, inverse_penalty: float = 1.0):
        if inverse_penalty <= 0:
            raise ValueError(f"inverse_penalty={inverse_penalty}; it must be positive")
        self.kind, self._inverse_penalty = checked_kind(kind), inverse_penalty

    def fit(self, features: np.ndarray, target: np.ndarray, size: int) -> Self:
        """Learns; returns itself.

        Args:
          features: float [n, D].
          target: int [n] classes, or float [n, size].
          size: C, the number of classes, tags or numbers.
        """
        self._scaler, self._size = fitted_scaler(features), size
        x = standardised(self._scaler, features)
        if self.kind == "numbers":
            self._ridge = Ridge(alpha=1.0 / self._inverse_penalty).fit(x, np.asarray(target, np.float64))
            return self
        columns = [target] if self.kind == "class" else np.asarray(target, np.int64).T
        self._classifiers = [fit_classifier(self._logistic_regression(), x, column) for column in columns]
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """float32 [n, C]: probabilities, or numbers."""
        x = standardised(self._scaler, features)
        if self.kind == "numbers":
            return self._ridge.predict(x).reshape(len(x), self._size).astype(np.float32)
        if self.kind == "class":
            return probabilities(self._classifiers[0], x, self._size)
        return np.stack([probabilities(tag, x, 2)[:, 1] for tag in self._classifiers], axis=1)

    def _logistic_regression(self) -> LogisticRegression:
        return LogisticRegression(C=self._inverse_penalty, tol=1e-5, max_iter=2000)


def chosen_linear(
    kind: str,
    features: np.ndarray,
    target: np.ndarray,
    size: int,
    groups: np.ndarray,
    options: Sequence[float] = INVERSE_PENALTIES,
) -> Linear:
    """`Linear` fitted with the inverse penalty that is best in cross-validation, groups kept together.

    Args:
      kind: of the target, as in `Linear`.
      features: float [n, D].
      target: [n] or [n, size], as in `Linear.fit`.
      size: as in `Linear.fit`.
      groups: [n], equal where clips belong together.
      options: inverse penalties to choose from.

    Raises:
      ValueError: no clips, or all of one group.
    """
    folds = grouped_folds(groups)
    best = best_option(kind, features, target, size, folds, options, lambda option: Linear(kind, option))
    return Linear(kind, best).fit(features, target, size)
