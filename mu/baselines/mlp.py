"""scikit-learn's network with one hidden layer on feature vectors, its weight decay chosen by groups left out."""

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from mu.baselines.classifier import fit_classifier, fitted_scaler, probabilities, standardised
from mu.baselines.cross_validation import best_option, grouped_folds
from mu.baselines.fitting import check_options
from mu.data.clips.targets import ClassTarget, NumberTarget, TagTarget, Target
from mu.ranges import NonNegative, Seed, Size

# What `chosen_mlp` chooses from, and the iterations of L-BFGS.
WEIGHT_DECAYS = (1e-3, 1e-2, 1e-1)
N_ITERATIONS = 200


class MLP:
    """scikit-learn's `MLPClassifier` or `MLPRegressor` on standardised features, one class for all kinds of target.

    All tags share the hidden layer. Numbers are standardised too. L-BFGS takes at most `N_ITERATIONS` steps on all
    examples at once.

    Args:
      weight_decay: d of the penalty d |W|^2 / 2 on the loss an example.
      hidden: size of the hidden layer.
      seed: of the first weights.
    """

    def __init__(self, weight_decay: NonNegative = 1e-2, *, hidden: Size = 128, seed: Seed = 0):
        check_options(MLP, locals())
        self._weight_decay, self._hidden, self._seed = weight_decay, hidden, seed

    def fit(self, features: np.ndarray, target: Target) -> Self:
        """Learns; returns itself.

        Args:
          features: float [n, D].
          target: of the n clips, known of all.
        """
        self._scaler = fitted_scaler(features)
        x = standardised(self._scaler, features)
        options = {
            "hidden_layer_sizes": (self._hidden,),
            "alpha": self._weight_decay * len(x),  # scikit-learn divides it by the number of examples
            "solver": "lbfgs",
            "max_iter": N_ITERATIONS,
            "random_state": self._seed,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the number of iterations is part of the model
            self._scores = _fitted(target, x, options)
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """float32 [n, C]: probabilities, or numbers."""
        return self._scores(standardised(self._scaler, features))


def chosen_mlp(features: np.ndarray, target: Target, groups: np.ndarray, *, hidden: Size = 128, seed: Seed = 0) -> MLP:
    """`MLP` fitted with the weight decay that is best on a fifth of the groups when it learns from the others.

    Args:
      features: float [n, D].
      target: as in `MLP.fit`.
      groups: [n], equal where clips belong together.
      hidden: size of the hidden layer.
      seed: of the first weights.

    Raises:
      ValueError: no clips, or all of one group.
    """
    model = functools.partial(MLP, hidden=hidden, seed=seed)
    best = best_option(features, target, grouped_folds(groups)[:1], WEIGHT_DECAYS, model)
    return model(best).fit(features, target)


Scores = Callable[[np.ndarray], np.ndarray]
"""Standardised features [n, D] -> float32 [n, C]."""


@functools.singledispatch
def _fitted(target: Target, x: np.ndarray, options: Mapping[str, Any]) -> Scores:
    """The scores of a network fitted to standardised features float64 [n, D]; a function a kind of target."""
    raise TypeError(f"there is no network for a {type(target).__name__}")


@_fitted.register
def _(target: ClassTarget, x: np.ndarray, options: Mapping[str, Any]) -> Scores:
    classifier = fit_classifier(MLPClassifier(**options), x, np.asarray(target.values, np.int64))
    return lambda x: probabilities(classifier, x, len(target.names))


@_fitted.register
def _(target: TagTarget, x: np.ndarray, options: Mapping[str, Any]) -> Scores:
    values = np.asarray(target.values, np.int64)
    if len(target.names) == 1:  # scikit-learn takes one tag as two classes
        classifier = fit_classifier(MLPClassifier(**options), x, values[:, 0])
        return lambda x: probabilities(classifier, x, 2)[:, 1:]
    network = MLPClassifier(**options).fit(x, values)
    return lambda x: np.asarray(network.predict_proba(x), np.float32)


@_fitted.register
def _(target: NumberTarget, x: np.ndarray, options: Mapping[str, Any]) -> Scores:
    regressor = TransformedTargetRegressor(MLPRegressor(**options), transformer=StandardScaler())
    regressor.fit(x, np.asarray(target.values, np.float64))
    return lambda x: np.asarray(regressor.predict(x), np.float32).reshape(len(x), len(target.names))
