"""How much the best of several trials owes to being the best: the optimism of a maximum."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mu.evals.intervals import weighted_means
from mu.evals.nouns import plural
from mu.evals.result import Result


class Optimism(NamedTuple):
    """The value of the best of several trials, and what it would be on units that had no part in the choice.

    Attributes:
      value: of the best, on all units.
      corrected: mean over bootstrap samples of the value, on the units outside, of the trial that is best inside.
      optimism: value less corrected.
    """

    value: float
    corrected: float
    optimism: float


def optimism(results: Sequence[Result], metric: str, samples: int = 1000, seed: int = 0) -> Optimism:
    """The bootstrap bias correction of a maximum over trials.

    Clusters of units are drawn with replacement; the trial that is best on those drawn is measured on those that were
    not drawn, and the mean over the draws is what the choice is worth (Tsamardinos, Greasidou & Borboudakis,
    "Bootstrapping the out-of-sample predictions for efficient and accurate cross-validation", Machine Learning 2018).
    Of trials that differ by noise alone it is their common mean. Where one trial is clearly the best there is next to
    no optimism.

    Args:
      results: of each trial, on the same units.
      metric: a column or a statistic, larger is better.
      samples: how many times the clusters are drawn.
      seed: of the draws.

    Raises:
      ValueError: the results are of different units, lack the metric, or are of one cluster alone.
    """
    first = results[0]
    if first.n_clusters < 2:
        raise ValueError(f"there is one {first.drawn_noun} alone: none is left to measure what is chosen by it")
    for other in results:
        if not np.array_equal(other.units, first.units):
            raise ValueError(f"the trials were not measured on the same {plural(first.unit)} in the same order")
        if metric not in other.names:
            raise ValueError(f"a trial lacks the metric {metric!r}; it has {', '.join(other.names)}")
    value = max(result.values()[metric] for result in results)
    outside = []
    for weights in first.weights(samples, seed):
        inside = _values(results, metric, weights)
        beyond = _values(results, metric, (weights == 0) * 1.0)
        best = np.where(np.isnan(inside), -np.inf, inside).argmax(axis=1)
        outside.append(beyond[np.arange(len(best)), best])
    corrected = float(np.nanmean(np.concatenate(outside)))
    return Optimism(value, corrected, value - corrected)


def _values(results: Sequence[Result], metric: str, weights: np.ndarray) -> np.ndarray:
    """float64 [S, T]: a metric of T results under each weighting of the units, float64 [S, n]; NaN where undefined."""
    if metric not in results[0].columns:
        return np.stack([result.drawn([weights])[metric] for result in results], axis=1)
    columns = np.stack([result.columns[metric] for result in results], axis=1)
    return weighted_means(columns, weights)
