"""Probes protocol: small models on frozen features, trained and tested on folds that share no group."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from mu.data.clips.targets import Target
from mu.evals.folds import pooled
from mu.evals.intervals import cluster_weights, percentiles
from mu.evals.predictions import Predictions, result_of
from mu.evals.result import Result


class Probe(Protocol):
    """A fitted model of features."""

    def predict(self, features: np.ndarray) -> np.ndarray:
        """float32 [n, C]: probabilities, or numbers."""
        ...


Learn = Callable[[str, np.ndarray, np.ndarray, int, np.ndarray], Probe]
"""Fits a probe: kind of the target ('class', 'tags', 'numbers'), features [n, D], values, size C, groups [n] -> probe.

Hyperparameters are chosen within these rows.
"""


def crossvalidated(
    features: np.ndarray,
    targets: Mapping[str, Target],
    folds: np.ndarray,
    groups: np.ndarray,
    clips: Sequence[str],
    learn: Learn,
) -> Result:
    """Predictions of the targets of every clip, by probes trained on the other folds; one result of all folds.

    Args:
      features: float [n, D].
      targets: name -> target of the n clips.
      folds: [n], any values.
      groups: [n], equal where clips belong together (artist, speaker): what is drawn again in the bootstrap.
      clips: their ids.
      learn: fits a probe.

    Raises:
      ValueError: a group is in two folds, there is one fold alone, or nothing to learn from.
    """
    names = _checked_folds(folds, groups)
    results = []
    for fold in names:
        test = folds == fold
        predictions = {}
        for name, target in targets.items():
            train = ~test & target.known
            if not train.any():
                raise ValueError(f"outside fold {fold} no clip has a known {name!r}; there is nothing to learn from")
            probe = learn(target.kind, features[train], target.values[train], len(target.names), groups[train])
            predictions[name] = Predictions(
                target.kind, target.names, probe.predict(features[test]), target.values[test]
            )
        ids = [clips[row] for row in np.flatnonzero(test).tolist()]
        clusters = [str(group) for group in groups[test]]
        results.append(result_of(predictions, unit="clip", units=ids, cluster="group", clusters=clusters))
    return pooled(results)


def few_shot(
    features: np.ndarray,
    target: Target,
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
      features: as of `crossvalidated`.
      target: of classes.
      folds: as of `crossvalidated`.
      groups: as of `crossvalidated`.
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
            probe = learn("class", features[chosen], target.values[chosen], size, groups[chosen])
            right[row, trial, test] = probe.predict(features[test]).argmax(axis=1) == target.values[test]
    return right


def few_shot_accuracy(
    right: np.ndarray, groups: np.ndarray, samples: int = 1000, seed: int = 0
) -> list[tuple[float, float, float]]:
    """(mean over trials of the accuracy, low, high) for each number of shots: 95 % bootstrap over groups of clips.

    The clips that are tested are drawn again; the trials' examples stay as they were drawn.

    Args:
      right: of `few_shot`.
      groups: [n].
      samples: how often clips are drawn.
      seed: of the draws.
    """
    tested = (right[0] >= 0).astype(np.float64).T  # [n, trials]; the same for all shots
    hits = (right > 0).astype(np.float64).transpose(2, 0, 1)  # [n, shots, trials]

    def accuracy(weights: np.ndarray) -> np.ndarray:
        """[S, shots]: the mean over the trials that have a drawn clip."""
        counts, correct = (weights @ tested)[:, None], np.tensordot(weights, hits, 1)
        share = np.divide(correct, counts, out=np.zeros_like(correct), where=counts > 0)
        trials = (counts > 0).sum(axis=2)
        return np.divide(share.sum(axis=2), trials, out=np.full(share.shape[:2], np.nan), where=trials > 0)

    values = accuracy(np.ones((1, len(groups))))[0]
    lows, highs = percentiles(np.concatenate([accuracy(block) for block in cluster_weights(groups, samples, seed)]))
    return list(zip(values.tolist(), lows.tolist(), highs.tolist(), strict=True))


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
