"""Linear models on feature vectors: softmax and logistic regression, ridge regression, each fitted to its optimum."""

from collections.abc import Sequence

import numpy as np
import scipy.optimize

# What `chosen_penalty` chooses from: from little trust in the data to much.
INVERSE_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


class Linear:
    """y ~ f(W x + b) with penalty sum |W|^2 / (2 c n), x standardised by what is fitted on.

    f is softmax ('class'), sigmoid ('tags') or nothing ('numbers': ridge regression, in closed form).

    Args:
      kind: of the target.
      inverse_penalty: c; larger trusts the data more.
    """

    def __init__(self, kind: str, inverse_penalty: float = 1.0):
        if kind not in ("class", "tags", "numbers"):
            raise ValueError(f"kind={kind!r}; known: class, tags, numbers")
        if inverse_penalty <= 0:
            raise ValueError(f"inverse_penalty={inverse_penalty}; it must be positive")
        self.kind, self._penalty = kind, 1.0 / inverse_penalty

    def fit(self, features: np.ndarray, target: np.ndarray, size: int) -> "Linear":
        """Learns; returns itself.

        Args:
          features: float [n, D].
          target: int [n] classes, or float [n, size].
          size: C, classes, tags or numbers.
        """
        features = np.asarray(features, np.float64)
        if features.ndim != 2 or not len(features) or not np.isfinite(features).all():
            raise ValueError(f"features {features.shape} must be [n, D], n at least 1, all finite")
        self._mean = features.mean(axis=0)
        self._deviation = np.maximum(features.std(axis=0), 1e-9)
        x = self._standardised(features)
        n = len(x)
        y = np.eye(size)[target] if self.kind == "class" else np.asarray(target, np.float64)
        if self.kind == "numbers":
            self._bias = y.mean(axis=0)
            gram = x.T @ x / n + self._penalty / n * np.eye(x.shape[1])
            self._weights = np.linalg.solve(gram, x.T @ (y - self._bias) / n)
            return self

        def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
            weights, bias = flat[:-size].reshape(-1, size), flat[-size:]
            z = x @ weights + bias
            if self.kind == "class":
                top = z.max(axis=1, keepdims=True)
                log_total = top + np.log(np.exp(z - top).sum(axis=1, keepdims=True))
                loss, error = -np.sum(y * (z - log_total)), np.exp(z - log_total) - y
            else:
                loss, error = np.sum(np.logaddexp(0.0, z) - y * z), _sigmoid(z) - y
            value = (loss + self._penalty * np.sum(weights**2) / 2) / n
            slope = np.concatenate([(x.T @ error + self._penalty * weights).reshape(-1), error.sum(axis=0)]) / n
            return value, slope

        start = np.zeros((x.shape[1] + 1) * size)
        found = scipy.optimize.minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000})
        self._weights, self._bias = found.x[:-size].reshape(-1, size), found.x[-size:]
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """float32 [n, C]: probabilities, or numbers."""
        z = self._standardised(np.asarray(features, np.float64)) @ self._weights + self._bias
        if self.kind == "class":
            z = np.exp(z - z.max(axis=1, keepdims=True))
            z /= z.sum(axis=1, keepdims=True)
        elif self.kind == "tags":
            z = _sigmoid(z)
        return z.astype(np.float32)

    def _standardised(self, features: np.ndarray) -> np.ndarray:
        return (features - self._mean) / self._deviation


def chosen_penalty(
    kind: str,
    features: np.ndarray,
    target: np.ndarray,
    size: int,
    groups: np.ndarray,
    options: Sequence[float] = INVERSE_PENALTIES,
) -> float:
    """The one of `options` with the least loss in 5-fold cross-validation, groups kept together.

    The loss is cross-entropy, or of numbers the squared error in units of each one's variance: none outweighs another
    for being counted in smaller units.

    Args:
      kind, features, target, size: as in `Linear.fit`.
      groups: [n], equal where clips belong together.
      options: inverse penalties to choose from.

    Raises:
      ValueError: no clips, or all of one group.
    """
    if not len(features):
        raise ValueError("there are no clips to learn from: the target is known of none of them")
    _, group = np.unique(groups, return_inverse=True)
    n_groups = int(group.max()) + 1
    if n_groups < 2:
        raise ValueError(
            f"all {len(features)} clips are of one group alone: the penalty is chosen by groups that are held out, "
            "which takes at least 2; take clips of more groups, or a column with more values as the group"
        )
    variance = np.maximum(np.var(target, axis=0, dtype=np.float64), 1e-18)
    fold = np.random.default_rng(0).permutation(n_groups)[group] % min(5, n_groups)
    totals = []
    for option in options:
        total = 0.0
        for held in range(fold.max() + 1):
            train, test = fold != held, fold == held
            said = Linear(kind, option).fit(features[train], target[train], size).predict(features[test])
            if kind == "class":
                total -= np.log(np.maximum(said[np.arange(len(said)), target[test]], 1e-12)).sum()
            elif kind == "tags":
                p = np.clip(said.astype(np.float64), 1e-12, 1 - 1e-12)
                total -= (target[test] * np.log(p) + (1 - target[test]) * np.log(1 - p)).sum()
            else:
                total += (np.square(said - target[test].astype(np.float64)) / variance).sum()
        totals.append(total)
    return options[int(np.argmin(totals))]


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * z))
