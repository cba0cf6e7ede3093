"""Linear models on feature vectors: logistic regression for classes and tags, ridge regression for numbers."""

import functools
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from mu.baselines.classifier import fit_classifier, fitted_scaler, probabilities, standardised
from mu.baselines.cross_validation import best_option, grouped_folds
from mu.baselines.fitting import check_options
from mu.data.clips.targets import ClassTarget, NumberTarget, TagTarget, Target
from mu.ranges import Positive

# What `chosen_linear` chooses from: from little trust in the data to much.
INVERSE_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


class Linear:
    """scikit-learn's linear models on standardised features, one class for all kinds of target.

    A class is predicted by multinomial logistic regression, each tag by a logistic regression of its own, and numbers
    by ridge regression. The loss of all examples has the penalty |W|^2 / (2 c), for numbers |W|^2 / c.

    Args:
      inverse_penalty: c; larger trusts the data more.
    """

    def __init__(self, inverse_penalty: Positive = 1.0):
        check_options(Linear, locals())
        self._inverse_penalty = inverse_penalty

    def fit(self, features: np.ndarray, target: Target) -> Self:
        """Learns; returns itself.

        Args:
          features: float [n, D].
          target: of the n clips, known of all.
        """
        self._scaler = fitted_scaler(features)
        self._scores = _fitted(target, standardised(self._scaler, features), self._inverse_penalty)
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """float32 [n, C]: probabilities, or numbers."""
        return self._scores(standardised(self._scaler, features))


def chosen_linear(
    features: np.ndarray, target: Target, groups: np.ndarray, options: Sequence[float] = INVERSE_PENALTIES
) -> Linear:
    """`Linear` fitted with the inverse penalty that is best in cross-validation, groups kept together.

    Args:
      features: float [n, D].
      target: as in `Linear.fit`.
      groups: [n], equal where clips belong together.
      options: inverse penalties to choose from.

    Raises:
      ValueError: no clips, or all of one group.
    """
    return Linear(best_option(features, target, grouped_folds(groups), options, Linear)).fit(features, target)


Scores = Callable[[np.ndarray], np.ndarray]
"""Standardised features [n, D] -> float32 [n, C]."""


@functools.singledispatch
def _fitted(target: Target, x: np.ndarray, inverse_penalty: float) -> Scores:
    """The scores of a model fitted to standardised features float64 [n, D]; a function a kind of target."""
    raise TypeError(f"there is no linear model of a {type(target).__name__}")


@_fitted.register
def _(target: ClassTarget, x: np.ndarray, inverse_penalty: float) -> Scores:
    classifier = fit_classifier(_logistic_regression(inverse_penalty), x, target.values)
    return lambda x: probabilities(classifier, x, len(target.names))


@_fitted.register
def _(target: TagTarget, x: np.ndarray, inverse_penalty: float) -> Scores:
    columns = np.asarray(target.values, np.int64).T
    tags = [fit_classifier(_logistic_regression(inverse_penalty), x, column) for column in columns]
    return lambda x: np.stack([probabilities(tag, x, 2)[:, 1] for tag in tags], axis=1)


@_fitted.register
def _(target: NumberTarget, x: np.ndarray, inverse_penalty: float) -> Scores:
    ridge = Ridge(alpha=1.0 / inverse_penalty).fit(x, np.asarray(target.values, np.float64))
    return lambda x: ridge.predict(x).reshape(len(x), len(target.names)).astype(np.float32)


def _logistic_regression(inverse_penalty: float) -> LogisticRegression:
    # Against L-BFGS, the default, a third to a tenth of the CPU seconds on 120 to 953 numbers (2026-12), and it ends
    # nearer to the optimum.
    return LogisticRegression(C=inverse_penalty, solver="newton-cg", tol=1e-5, max_iter=2000)
