"""scikit-learn's network with one hidden layer on feature vectors, its weight decay chosen by groups left out."""

import warnings
from typing import Any, Self

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from mu.baselines.classifier import checked_kind, fit_classifier, fitted_scaler, probabilities, standardised
from mu.baselines.cross_validation import best_option, grouped_folds

# What `chosen_mlp` chooses from, and the iterations of L-BFGS.
WEIGHT_DECAYS = (1e-3, 1e-2, 1e-1)
N_ITERATIONS = 200


class MLP:
    """scikit-learn's `MLPClassifier` or `MLPRegressor` on standardised features, one class for three kinds of target.

    All tags share the hidden layer. Numbers are standardised too. L-BFGS takes at most `N_ITERATIONS` steps on all
    examples at once.

    Args:
      kind: of the target: 'class', 'tags' or 'numbers'.
      weight_decay: d of the penalty d |W|^2 / 2 on the loss an example.
      hidden: size of the hidden layer.
      seed: of the first weights.
    """

    def __init__(self, kind: str, weight_decay: float = 1e-2, *, hidden: int = 128, seed: int = 0):
        self.kind, self._weight_decay, self._hidden, self._seed = checked_kind(kind), weight_decay, hidden, seed

    def fit(self, features: np.ndarray, target: np.ndarray, size: int) -> Self:
        """Learns; returns itself.

        Args:
          features: float [n, D].
          target: int [n] classes, or float [n, size].
          size: C, the number of classes, tags or numbers.
        """
        self._scaler, self._size = fitted_scaler(features), size
        x = standardised(self._scaler, features)
        options = {
            "hidden_layer_sizes": (self._hidden,),
            "alpha": self._weight_decay * len(x),  # scikit-learn divides it by the number of examples
            "solver": "lbfgs",
            "max_iter": N_ITERATIONS,
            "random_state": self._seed,
        }
        self._model: Any
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the number of iterations is part of the model
            if self.kind == "numbers":
                regressor = TransformedTargetRegressor(MLPRegressor(**options), transformer=StandardScaler())
                self._model = regressor.fit(x, np.asarray(target, np.float64))
            elif self.kind == "tags" and size > 1:
                self._model = MLPClassifier(**options).fit(x, np.asarray(target, np.int64))
            else:
                self._model = fit_classifier(MLPClassifier(**options), x, np.asarray(target, np.int64).reshape(-1))
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """float32 [n, C]: probabilities, or numbers."""
        x = standardised(self._scaler, features)
        if self.kind == "numbers":
            return self._model.predict(x).reshape(len(x), self._size).astype(np.float32)
        if self.kind == "class":
            return probabilities(self._model, x, self._size)
        if self._size > 1:
            return self._model.predict_proba(x).astype(np.float32)
        return probabilities(self._model, x, 2)[:, 1:]


def chosen_mlp(
    kind: str,
    features: np.ndarray,
    target: np.ndarray,
    size: int,
    groups: np.ndarray,
    *,
    hidden: int = 128,
    seed: int = 0,
) -> MLP:
    """`MLP` fitted with the weight decay that is best on a fifth of the groups when it learns from the others.

    Args:
      kind: of the target, as in `MLP`.
      features: float [n, D].
      target: [n] or [n, size], as in `MLP.fit`.
      size: as in `MLP.fit`.
      groups: [n], equal where clips belong together.
      hidden: size of the hidden layer.
      seed: of the first weights.

    Raises:
      ValueError: no clips, or all of one group.
    """

    def model(weight_decay: float) -> MLP:
        return MLP(kind, weight_decay, hidden=hidden, seed=seed)

    best = best_option(kind, features, target, size, grouped_folds(groups)[:1], WEIGHT_DECAYS, model)
    return model(best).fit(features, target, size)
