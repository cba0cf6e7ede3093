"""Heads of the targets of clips: the loss and the predictions of classes, tags and numbers, a class a kind."""

from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from mu import losses


class LabelledTarget(Protocol):
    """A target of clips; `mu.data.clips.targets.Target` is one.

    Attributes:
      kind: a key of `HEADS`.
      names: of its classes, tags or numbers.
      values: of the clips, [n] or [n, len(names)].
      known: bool [n], whether they are known.
    """

    kind: ClassVar[str]

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def values(self) -> np.ndarray: ...
    @property
    def known(self) -> np.ndarray: ...


class ClipHead(Protocol):
    """The output of a model for one target."""

    def loss(self, outputs: jax.Array, values: jax.Array) -> jax.Array:
        """The loss of each clip, [B]; 0 where the clip's target is not known.

        Args:
          outputs: of the model, [B, C].
          values: of the target, as `mu.data.clips.targets` has them.
        """
        ...

    def predict(self, outputs: jax.Array) -> jax.Array:
        """Probabilities, or numbers in their own units, of outputs [B, C]."""
        ...


class ClassHead:
    """Logits of one of several classes: cross-entropy.

    Args:
      label_smoothing: of the true classes.
    """

    def __init__(self, label_smoothing: float):
        self._smoothing = label_smoothing

    def loss(self, outputs: jax.Array, values: jax.Array) -> jax.Array:
        """See `ClipHead`."""
        return jnp.where(values >= 0, losses.cross_entropy(outputs, values, self._smoothing), 0.0)

    def predict(self, outputs: jax.Array) -> jax.Array:
        """See `ClipHead`."""
        return jax.nn.softmax(outputs)


class TagHead:
    """Logits of tags, any of which a clip may have: binary cross-entropy, mean over tags."""

    def loss(self, outputs: jax.Array, values: jax.Array) -> jax.Array:
        """See `ClipHead`."""
        is_known, values = _finite(values)
        return jnp.where(is_known, losses.binary_cross_entropy(outputs, values), 0.0)

    def predict(self, outputs: jax.Array) -> jax.Array:
        """See `ClipHead`."""
        return jax.nn.sigmoid(outputs)


class NumberHead:
    """Numbers standardised by the training clips: squared error, mean over numbers.

    Args:
      name: of the target.
      target: of the training clips.

    Raises:
      ValueError: of no training clip are all numbers known.
    """

    def __init__(self, name: str, target: LabelledTarget):
        values = target.values[target.known]
        if not len(values):
            raise ValueError(f"no training clip has all of the numbers {', '.join(target.names)} of {name!r}")
        self._mean = values.mean(axis=0, keepdims=True)
        self._deviation = np.maximum(values.std(axis=0, keepdims=True), 1e-6)

    def loss(self, outputs: jax.Array, values: jax.Array) -> jax.Array:
        """See `ClipHead`."""
        is_known, values = _finite(values)
        return jnp.where(is_known, losses.squared_error(outputs, (values - self._mean) / self._deviation), 0.0)

    def predict(self, outputs: jax.Array) -> jax.Array:
        """See `ClipHead`."""
        return outputs * self._deviation + self._mean


# Kind of a target -> its head, of (name, target, label_smoothing). Tasks do not import mu.data: they know its kinds by
# their words.
HEADS: Mapping[str, Callable[[str, LabelledTarget, float], ClipHead]] = {
    "class": lambda _name, _target, label_smoothing: ClassHead(label_smoothing),
    "tags": lambda _name, _target, _label_smoothing: TagHead(),
    "numbers": lambda name, target, _label_smoothing: NumberHead(name, target),
}


def heads_of(targets: Mapping[str, LabelledTarget], label_smoothing: float) -> dict[str, ClipHead]:
    """Name of a target -> its head.

    Args:
      targets: of the training clips.
      label_smoothing: of the classes.
    """
    return {name: HEADS[target.kind](name, target, label_smoothing) for name, target in targets.items()}


def _finite(values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(which clips have all values [B], the values with 0 for those of the others)."""
    is_known = jnp.isfinite(values).all(axis=-1)
    return is_known, jnp.where(is_known[:, None], values, 0.0)
