"""Cross-validation that keeps groups (artist, speaker, recording) together, and the penalty chosen by it."""

import functools
from collections.abc import Callable, Sequence
from typing import Protocol, Self, TypeVar

import numpy as np
from sklearn.model_selection import GroupKFold

from mu.data.clips.targets import ClassTarget, NumberTarget, TagTarget, Target

N_FOLDS = 5
# Predicted probabilities are cut to these: the logarithm of 0 is none.
CHANCES = (1e-12, 1 - 1e-12)

Option = TypeVar("Option")


class FeatureModel(Protocol):
    """A model from feature vectors to a target: `mu.baselines.linear.Linear`, `mu.baselines.mlp.MLP`."""

    def fit(self, features: np.ndarray, target: Target) -> Self:
        """Learns from features [n, D] and the target of these n clips; returns itself."""
        ...

    def predict(self, features: np.ndarray) -> np.ndarray:
        """float32 [n, C]: probabilities, or numbers."""
        ...


def grouped_folds(groups: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to train on and rows to test on, for each of five folds (or as many as there are groups).

    The folds are scikit-learn's `GroupKFold`, shuffled with seed 0: equal groups are in one fold.

    Args:
      groups: [n], equal where rows belong together.

    Raises:
      ValueError: there are no rows, or all are of one group.
    """
    if not len(groups):
        raise ValueError("there are no clips to learn from: the target is known of none of them")
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise ValueError(
            f"all {len(groups)} clips are of one group alone: the penalty is chosen by groups that are left out, "
            "which takes at least 2; take clips of more groups, or a column with more values as the group"
        )
    folds = GroupKFold(min(N_FOLDS, n_groups), shuffle=True, random_state=0)
    return list(folds.split(groups, groups=groups))


def best_option(
    features: np.ndarray,
    target: Target,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    options: Sequence[Option],
    model: Callable[[Option], FeatureModel],
) -> Option:
    """The option whose models have the least loss on the rows that they were not trained on.

    The loss is cross-entropy. For numbers it is the squared error in units of each number's variance, so that a
    number in small units does not outweigh the others.

    Args:
      features: float [n, D].
      target: of the n clips, known of all.
      folds: rows to train on and rows to test on, as of `grouped_folds`.
      options: what is chosen from.
      model: from an option to the model to fit.
    """

    def loss(option: Option) -> float:
        total = 0.0
        for train, test in folds:
            predicted = model(option).fit(features[train], target.take(train)).predict(features[test])
            total += _loss(target, predicted.astype(np.float64), test)
        return total

    return min(options, key=loss)


@functools.singledispatch
def _loss(target: Target, predicted: np.ndarray, rows: np.ndarray) -> float:
    """The summed loss of predictions float64 [len(rows), C] of these rows of a target; a function a kind of target."""
    raise TypeError(f"there is no loss of a {type(target).__name__}")


@_loss.register
def _(target: ClassTarget, predicted: np.ndarray, rows: np.ndarray) -> float:
    p = np.clip(predicted, *CHANCES)
    return -float(np.log(p[np.arange(len(p)), target.values[rows]]).sum())


@_loss.register
def _(target: TagTarget, predicted: np.ndarray, rows: np.ndarray) -> float:
    p, values = np.clip(predicted, *CHANCES), target.values[rows]
    return -float((values * np.log(p) + (1 - values) * np.log(1 - p)).sum())


@_loss.register
def _(target: NumberTarget, predicted: np.ndarray, rows: np.ndarray) -> float:
    variance = np.maximum(np.var(target.values, axis=0, dtype=np.float64), 1e-18)
    return float((np.square(predicted - target.values[rows]) / variance).sum())
