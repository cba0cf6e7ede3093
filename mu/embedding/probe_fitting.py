"""Probes, small models on frozen features, fitted to folds that share no group, or to a few examples of each class."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from mu.data.clips.targets import ClassTarget, Target


class Probe(Protocol):
    """A fitted model of features."""

    def predict(self, features: np.ndarray) -> np.ndarray:
        """float32 [n, C]: probabilities, or numbers."""
        ...


Learn = Callable[[np.ndarray, Target, np.ndarray], Probe]
"""Fits a probe: features [n, D], the target of these n clips, known of all, groups [n] -> probe.

Hyperparameters are chosen within these rows.
"""


def out_of_fold(
    features: np.ndarray, targets: Mapping[str, Target], folds: np.ndarray, groups: np.ndarray, learn: Learn
) -> dict[str, np.ndarray]:
    """Predictions of the targets of every clip, by probes trained on the other folds: name -> float32 [n, C].

    Args:
      features: float [n, D].
      targets: name -> target of the n clips.
      folds: [n], any values.
      groups: [n], equal where clips belong together (artist, speaker).
      learn: fits a probe.

    Raises:
      ValueError: a group is in two folds, there is one fold alone, or nothing to learn from.
    """
    names = _checked_folds(folds, groups)
    predicted = {name: np.empty((len(folds), len(target.names)), np.float32) for name, target in targets.items()}
    for fold in names:
        test = folds == fold
        for name, target in targets.items():
            train = ~test & target.known
            if not train.any():
                raise ValueError(f"outside fold {fold} no clip has a known {name!r}; there is nothing to learn from")
            probe = learn(features[train], target.take(train), groups[train])
            predicted[name][test] = probe.predict(features[test])
    return predicted


def few_shot(
    features: np.ndarray,
    target: ClassTarget,
    folds: np.ndarray,
    groups: np.ndarray,
    *,
    shots: Sequence[int],
    trials: int,
    seed: int,
    learn: Learn,
) -> np.ndarray:
    """Correct and wrong predictions of probes that learn from few examples; int8 [shots, trials, n].

    1 is right, 0 wrong, -1 was not tested. Trial t tests all clips of one fold (the folds take turns) with a probe of k
    clips of each class, drawn from the other folds. The draws of a trial are nested: its 2 examples are its 1 and
    another.

    Args:
      features: as of `out_of_fold`.
      target: the classes of the n clips.
      folds: as of `out_of_fold`.
      groups: as of `out_of_fold`.
      shots: the numbers k of examples a class.
      trials: how often is drawn.
      seed: of the draws.
      learn: fits a probe.

    Raises:
      ValueError: a group is in two folds, or a class has too few clips outside a fold; names both.
    """
    names = _checked_folds(folds, groups)
    for argument, least in (("shots", min(shots)), ("trials", trials)):
        if least < 1:
            raise ValueError(f"{argument} is {least}; it must be at least 1")
    size = len(target.names)
    right = np.full((len(shots), trials, len(folds)), -1, np.int8)
    for trial in range(trials):
        fold = names[trial % len(names)]
        test = (folds == fold) & target.known
        if not test.any():
            raise ValueError(f"fold {fold} has no clip whose class is known; there is nothing to test")
        drawn = np.random.default_rng([seed, trial]).permutation(np.flatnonzero(folds != fold))
        by_class = [drawn[target.values[drawn] == code] for code in range(size)]
        fewest = min(range(size), key=lambda code: len(by_class[code]))
        if len(by_class[fewest]) < max(shots):
            raise ValueError(
                f"class {target.names[fewest]!r} has {len(by_class[fewest])} clips outside fold {fold}: "
                f"{max(shots)} shots are more than there are"
            )
        for row, k in enumerate(shots):
            chosen = np.concatenate([members[:k] for members in by_class])
            probe = learn(features[chosen], target.take(chosen), groups[chosen])
            right[row, trial, test] = probe.predict(features[test]).argmax(axis=1) == target.values[test]
    return right


def _checked_folds(folds: np.ndarray, groups: np.ndarray) -> list[Any]:
    """The folds, in order; ValueError where they share a group."""
    names = sorted(set(folds.tolist()))
    if len(names) < 2:
        raise ValueError(f"all clips are in fold {names[0]}; there is nothing to test on")
    first: dict[Any, Any] = {}
    for group, fold in zip(groups.tolist(), folds.tolist(), strict=True):
        if first.setdefault(group, fold) != fold:
            raise ValueError(f"group {group!r} is in folds {first[group]} and {fold}: what is learnt would be tested")
    return names
