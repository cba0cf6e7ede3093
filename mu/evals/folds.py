"""Results of several folds or seeds as one."""

import dataclasses
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mu.evals.few_units import interval
from mu.evals.intervals import weighted_means
from mu.evals.nouns import plural
from mu.evals.result import Estimate, Result

DOCUMENT = "crossvalidation.json"
"""What a whole cross-validation has in its folder, beside a folder for each seed."""


def is_cross_validation(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a whole cross-validation, and not a run or one seed."""
    return (Path(folder) / DOCUMENT).is_file()


def pooled(results: Iterable[Result]) -> Result:
    """The results of several folds as one: every unit was predicted by a model that did not learn from it.

    Statistics that put all units in one order (ROC-AUC, average precision, correlation) then compare scores of models
    that are calibrated differently, and may be lower than the mean of the folds' own.

    Raises:
      ValueError: a unit is in two of them, or their metrics differ.
    """
    parts = list(results)
    first = parts[0]
    if len(parts) == 1:
        return first
    units, counts = np.unique(np.concatenate([part.units for part in parts]), return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"{first.unit} {units[counts > 1][0].item()!r} was tested in two folds")
    for part in parts[1:]:
        definitions = ((one.unit, one.cluster, one.names, one.statistics, one.details) for one in (first, part))
        if next(definitions) != next(definitions):
            raise ValueError("the folds were measured by different metrics, or predict different targets")
    clusters = [part.clusters for part in parts if part.clusters is not None]
    return dataclasses.replace(
        first,
        units=np.concatenate([part.units for part in parts]),
        clusters=np.concatenate(clusters) if len(clusters) == len(parts) else None,
        columns={name: np.concatenate([part.columns[name] for part in parts]) for name in first.columns},
        arrays={name: np.concatenate([part.arrays[name] for part in parts]) for name in first.arrays},
        counts={name: sum(part.counts[name] for part in parts) for name in first.counts},
        same={},
        notes=(),
    )


def mean_summary(results: Sequence[Result], samples: int = 1000, seed: int = 0) -> list[Estimate]:
    """The mean over results of every metric, with its 95 % interval: units are drawn again for all alike.

    Args:
      results: of models that differ by their seed, on the same units.
      samples: how many times clusters of units are drawn.
      seed: of the draws.

    Raises:
      ValueError: the units are not the same.
    """
    first = results[0]
    for other in results:
        if not np.array_equal(other.units, first.units):
            raise ValueError(f"the results are not of the same {plural(first.unit)} in the same order")
    values = [result.values() for result in results]
    drawn = [_drawn(result, first.weights(samples, seed)) for result in results]
    estimates = []
    for name in first.names:
        value = float(np.mean([one[name] for one in values]))
        n_clusters, size, _ = first.sampling(name)
        shares = all(result.sampling(name)[2] for result in results)
        low, high = interval(np.mean([one[name] for one in drawn], axis=0), value, n_clusters, size, shares)
        estimates.append(Estimate(name, value, float(low), float(high)))
    return estimates


def _drawn(result: Result, weightings: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """Every metric under every weighting of the units, float64 [samples] each."""
    table = np.stack(list(result.columns.values()), axis=1) if result.columns else np.empty((len(result), 0))
    blocks = []
    for weights in weightings:
        means = dict(zip(result.columns, weighted_means(table, weights).T, strict=True))
        blocks.append(means | result.drawn([weights]))
    return {name: np.concatenate([block[name] for block in blocks]) for name in result.names}
