"""A network with one hidden layer on feature vectors: L-BFGS on all examples at once, stopped by groups held out."""

import numpy as np
import scipy.optimize

HELD_OUT_SHARE = 0.2
# Iterations without a better loss on what is held out, after which it ends; and at most.
PATIENCE, MOST_ITERATIONS = 20, 500
WEIGHT_DECAYS = (1e-3, 1e-2, 1e-1)


class MLP:
    """y ~ f(V silu(W x + b) + c), x standardised by what is fitted on, loss a clip + decay (|W|^2 + |V|^2) / 2.

    f is softmax ('class'), sigmoid ('tags') or nothing ('numbers', which are standardised too). The decay and
    the iteration are those with the least loss on a fifth of the groups, which are not learnt from.

    Args:
      kind: of the target.
      hidden: size of the layer.
      seed: of the first weights and of what is held out.
    """

    def __init__(self, kind: str, *, hidden: int = 128, seed: int = 0):
        if kind not in ("class", "tags", "numbers"):
            raise ValueError(f"kind={kind!r}; known: class, tags, numbers")
        self.kind, self._hidden, self._seed = kind, hidden, seed

    def fit(self, features: np.ndarray, target: np.ndarray, size: int, groups: np.ndarray) -> "MLP":
        """Learns; returns itself.

        Args:
          features: float [n, D].
          target: int [n] classes, or float [n, size].
          size: C, classes, tags or numbers.
          groups: [n], equal where clips belong together.

        Raises:
          ValueError: features that are not finite numbers, or one group alone, of which none can be held out.
        """
        features = np.asarray(features, np.float64)
        if features.ndim != 2 or not len(features) or not np.isfinite(features).all():
            raise ValueError(f"features {features.shape} must be [n, D], n at least 1, all finite")
        _, group = np.unique(groups, return_inverse=True)
        n_groups = int(group.max()) + 1
        if n_groups < 2:
            raise ValueError(
                f"all {len(features)} clips are of one group alone: some groups are held out to stop by, which takes "
                "at least 2; take clips of more groups, or a column with more values as the group"
            )
        random = np.random.default_rng(self._seed)
        held = (random.permutation(n_groups) < max(round(HELD_OUT_SHARE * n_groups), 1))[group]
        self._mean, self._deviation = _scale(features[~held])
        x = (features - self._mean) / self._deviation
        y = np.eye(size)[target] if self.kind == "class" else np.asarray(target, np.float64)
        self._target_mean, self._target_deviation = _scale(y[~held]) if self.kind == "numbers" else (0.0, 1.0)
        y = (y - self._target_mean) / self._target_deviation
        shapes = [(x.shape[1], self._hidden), (self._hidden,), (self._hidden, size), (size,)]
        self._cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])
        self._shapes = shapes
        start = np.zeros(self._cuts[-1])
        up, _, out, _ = self._parts(start)
        up[:] = random.standard_normal(up.shape) / np.sqrt(len(up))
        out[:] = random.standard_normal(out.shape) / np.sqrt(len(out))

        train, test = (x[~held], y[~held]), (x[held], y[held])
        found = [self._stopped(start, train, test, decay) for decay in WEIGHT_DECAYS]
        self._flat = min(found, key=lambda pair: pair[0])[1]
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """float32 [n, C]: probabilities, or numbers."""
        x = (np.asarray(features, np.float64) - self._mean) / self._deviation
        z = self._forward(self._flat, x)[-1]
        if self.kind == "class":
            return _softmax(z).astype(np.float32)
        if self.kind == "tags":
            return _sigmoid(z).astype(np.float32)
        return (z * self._target_deviation + self._target_mean).astype(np.float32)

    def _stopped(
        self,
        start: np.ndarray,
        train: tuple[np.ndarray, np.ndarray],
        test: tuple[np.ndarray, np.ndarray],
        decay: float,
    ) -> tuple[float, np.ndarray]:
        """(least loss on `test`, the weights that had it) on the way from `start` to the optimum on `train`."""
        least, best, since = np.inf, start, 0

        def after(flat: np.ndarray) -> None:
            nonlocal least, best, since
            loss, since = _loss(self.kind, self._forward(flat, test[0])[-1], test[1])[0], since + 1
            if loss < least:
                least, best, since = loss, flat.copy(), 0
            if since >= PATIENCE:
                raise StopIteration

        options = {"maxiter": MOST_ITERATIONS, "maxfun": 2 * MOST_ITERATIONS}
        scipy.optimize.minimize(
            self._objective, start, (*train, decay), "L-BFGS-B", jac=True, callback=after, options=options
        )
        return least, best

    def _parts(self, flat: np.ndarray) -> list[np.ndarray]:
        """W [D, H], b [H], V [H, C], c [C]: views of the flat vector."""
        return [part.reshape(shape) for part, shape in zip(np.split(flat, self._cuts[:-1]), self._shapes, strict=True)]

    def _forward(self, flat: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(before the hidden layer's silu, after it, result)."""
        up, up_bias, out, out_bias = self._parts(flat)
        before = x @ up + up_bias
        after = before * _sigmoid(before)
        return before, after, after @ out + out_bias

    def _objective(self, flat: np.ndarray, x: np.ndarray, y: np.ndarray, decay: float) -> tuple[float, np.ndarray]:
        """(loss a clip with decay, gradient)."""
        up, _, out, _ = self._parts(flat)
        before, after, z = self._forward(flat, x)
        loss, error = _loss(self.kind, z, y)
        gate = _sigmoid(before)
        inner = error @ out.T * (gate + after * (1.0 - gate))
        slope = np.zeros_like(flat)
        up_slope, up_bias_slope, out_slope, out_bias_slope = self._parts(slope)
        up_slope[:] = x.T @ inner / len(x) + decay * up
        up_bias_slope[:] = inner.mean(axis=0)
        out_slope[:] = after.T @ error / len(x) + decay * out
        out_bias_slope[:] = error.mean(axis=0)
        return loss / len(x) + decay * (np.sum(up**2) + np.sum(out**2)) / 2, slope


def _loss(kind: str, z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """(sum over clips, its gradient in z): cross-entropy, binary cross-entropy, or half the squared error."""
    if kind == "class":
        top = z.max(axis=1, keepdims=True)
        log_total = top + np.log(np.exp(z - top).sum(axis=1, keepdims=True))
        return float(-np.sum(y * (z - log_total))), np.exp(z - log_total) - y
    if kind == "tags":
        return float(np.sum(np.logaddexp(0.0, z) - y * z)), _sigmoid(z) - y
    return float(np.sum(np.square(z - y)) / 2), z - y


def _scale(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return values.mean(axis=0), np.maximum(values.std(axis=0), 1e-9)


def _softmax(z: np.ndarray) -> np.ndarray:
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * z))
