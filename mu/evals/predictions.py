"""Predictions of targets (classes, tags, numbers) beside the truth, and the result that measures them."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from mu.evals.left_out import left_out
from mu.evals.metrics.loading import metric_paths
from mu.evals.nouns import plural
from mu.evals.result import Result, Statistic

CLIP_METRICS = "mu.evals.metrics.clips"
COUNTED: Mapping[str, str] = {
    f"{CLIP_METRICS}.{name}:{name}": f"{CLIP_METRICS}.counted:{counted}"
    for name, counted in {
        "accuracy": "known",
        "recall": "of_label",
        "f1": "of_label",
        "average_precision": "of_label",
        "roc_auc": "rarer_label",
    }.items()
}
"""Metric between 0 and 1 -> the clips that it is a share of (`Statistic.counted`)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions(abc.ABC):
    """Predictions of one target: `ClassPredictions`, `TagPredictions` or `NumberPredictions`. n units, C parts.

    Attributes:
      kind: the word for it in saved results.
      metrics: of all its classes, tags or numbers together, where none are named.
      part_metrics: of each class, tag or number: functions NAME_per_class.
      names: of the classes, tags or numbers.
      scores: float32 [n, C].
      truth: [n] or [n, C]. What is not known is not measured.
    """

    kind: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    part_metrics: ClassVar[tuple[str, ...]]
    names: tuple[str, ...]
    scores: np.ndarray
    truth: np.ndarray

    @property
    @abc.abstractmethod
    def known(self) -> np.ndarray:
        """bool [n]: whether the truth is known."""

    @abc.abstractmethod
    def count(self, place: int) -> int:
        """How many units are of a class, have a tag, or have a known number."""


@dataclasses.dataclass(frozen=True, eq=False)
class ClassPredictions(Predictions):
    """Probabilities of classes; truth int32 [n], -1 where it is not known."""

    kind = "class"
    metrics = ("accuracy", "f1", "roc_auc", "average_precision")
    part_metrics = ("recall", "f1")

    @property
    def known(self) -> np.ndarray:
        """bool [n]: whether the true class is known."""
        return np.asarray(self.truth >= 0)

    def count(self, place: int) -> int:
        """How many units are of a class."""
        return int(np.sum(self.truth == place))


@dataclasses.dataclass(frozen=True, eq=False)
class TagPredictions(Predictions):
    """Probabilities of tags; truth float32 [n, C] of 0 and 1, NaN where it is not known."""

    kind = "tags"
    metrics = ("roc_auc", "average_precision", "log_likelihood")
    part_metrics = ("roc_auc", "average_precision", "log_likelihood")

    @property
    def known(self) -> np.ndarray:
        """bool [n]: whether the true tags are known."""
        return np.asarray(np.isfinite(self.truth).all(axis=1))

    def count(self, place: int) -> int:
        """How many units whose tags are known have a tag."""
        return int(np.sum(self.truth[self.known, place] > 0))


@dataclasses.dataclass(frozen=True, eq=False)
class NumberPredictions(Predictions):
    """Numbers in their own units; truth float32 [n, C], NaN where it is not known."""

    kind = "numbers"
    metrics = ("pearson", "r2")
    part_metrics = ("pearson", "r2")

    @property
    def known(self) -> np.ndarray:
        """bool [n]: whether all true numbers are known."""
        return np.asarray(np.isfinite(self.truth).all(axis=1))

    def count(self, place: int) -> int:
        """How many units have known numbers, whichever the number."""
        del place
        return int(self.known.sum())


KINDS: Mapping[str, type[Predictions]] = {
    one.kind: one for one in (ClassPredictions, TagPredictions, NumberPredictions)
}
"""Kind in a saved result -> its class."""
METRICS: Mapping[type[Predictions], tuple[str, ...]] = {one: one.metrics for one in KINDS.values()}
"""Kind of predictions -> metrics where none are named."""


def result_of(
    targets: Mapping[str, Predictions],
    *,
    unit: str,
    units: Sequence[str],
    cluster: str,
    clusters: Sequence[str],
    metrics: Mapping[type[Predictions], Sequence[str]] = METRICS,
) -> Result:
    """The result of predictions: 'TARGET/METRIC' for every target, and its details for every class.

    Args:
      targets: name -> predictions of the units.
      unit: what a unit is.
      units: their ids.
      cluster: what the clusters are: 'recording', 'artist', ...
      clusters: the cluster of each unit, which the bootstrap draws whole.
      metrics: kind of predictions -> names or paths of metrics (scores, truth, weights [S, n]) -> [S].

    Raises:
      ValueError: an unknown metric.
    """
    arrays, statistics, details = {}, {}, {}
    counts: dict[str, int] = {}
    for target, one in targets.items():
        counts |= left_out(f"{plural(unit)} of {target}", len(one.known), {"not known": int((~one.known).sum())})
        taken = (f"{target}/scores", f"{target}/truth")
        arrays |= dict(zip(taken, (one.scores, one.truth), strict=True))
        for name, path in metric_paths(metrics[type(one)], CLIP_METRICS).items():
            statistics[f"{target}/{name}"] = Statistic(path, taken, counted=COUNTED.get(path, ""))
        for name in one.part_metrics:
            path = f"{CLIP_METRICS}.{name}:{name}"
            counted = COUNTED.get(path, "")
            details[f"{target}/{name}"] = Statistic(f"{path}_per_class", taken, parts=one.names, counted=counted)
    return Result(
        unit=unit,
        units=np.array(units),
        cluster=cluster,
        clusters=np.array(clusters),
        statistics=statistics,
        details=details,
        arrays=arrays,
        counts=counts,
        truth=tuple(f"{target}/truth" for target in targets),
        card={"targets": {name: {"kind": one.kind, "names": list(one.names)} for name, one in targets.items()}},
    )


def predictions_of(result: Result) -> dict[str, Predictions]:
    """The predictions that a result of `result_of` was made of: target -> predictions."""
    return {
        target: KINDS[one["kind"]](
            tuple(one["names"]), result.arrays[f"{target}/scores"], result.arrays[f"{target}/truth"]
        )
        for target, one in result.card["targets"].items()
    }


def metric_names(
    kinds: Mapping[str, type[Predictions]], metrics: Mapping[type[Predictions], Sequence[str]] = METRICS
) -> list[str]:
    """'genre/accuracy' and so on, for targets with such predictions."""
    return [f"{target}/{name}" for target, kind in kinds.items() for name in metric_paths(metrics[kind], CLIP_METRICS)]
