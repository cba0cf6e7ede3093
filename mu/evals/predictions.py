"""Predictions of targets (classes, tags, numbers) beside the truth, and the result that measures them."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from mu.evals.metrics.loading import metric_paths
from mu.evals.result import Result, Statistic

CLIP_METRICS = "mu.evals.metrics.clips"
# Kind of target -> metrics of all its classes, tags or numbers together.
METRICS: Mapping[str, tuple[str, ...]] = {
    "class": ("accuracy", "f1", "roc_auc", "average_precision"),
    "tags": ("roc_auc", "average_precision", "log_likelihood"),
    "numbers": ("pearson", "r2"),
}
# Kind of target -> metrics of each class, tag or number: functions NAME_per_class.
PER_CLASS: Mapping[str, tuple[str, ...]] = {
    "class": ("recall", "f1"),
    "tags": ("roc_auc", "average_precision", "log_likelihood"),
    "numbers": ("pearson", "r2"),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of one target. n units, C classes, tags or numbers.

    Attributes:
      kind: 'class', 'tags' or 'numbers'.
      names: of the classes, tags or numbers.
      scores: float32 [n, C]: probabilities, or numbers in their own units.
      truth: int32 [n], classes, -1 where not known; or float32 [n, C], NaN where not known. What is not known is not
        measured.
    """

    kind: str
    names: tuple[str, ...]
    scores: np.ndarray
    truth: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """bool [n]: whether the truth is known."""
        return np.asarray(self.truth >= 0 if self.truth.ndim == 1 else np.isfinite(self.truth).all(axis=1))

    def count(self, place: int) -> int:
        """How many units are of a class, have a tag, or have a known number."""
        truth = self.truth[self.known]
        if self.kind == "numbers":
            return len(truth)
        return int(np.sum(truth == place if self.kind == "class" else truth[:, place] > 0))


def result_of(
    targets: Mapping[str, Predictions],
    *,
    unit: str,
    units: Sequence[str],
    cluster: str,
    clusters: Sequence[str],
    metrics: Mapping[str, Sequence[str]] = METRICS,
    **fields: object,
) -> Result:
    """The result of predictions: 'TARGET/METRIC' for every target, and its details for every class.

    Args:
      targets: name -> predictions of the units.
      unit: what a unit is.
      units: their ids.
      cluster: what the clusters are: 'recording', 'artist', ...
      clusters: the cluster of each unit, which the bootstrap draws whole.
      metrics: kind of target -> names or paths of metrics (scores, truth, weights [S, n]) -> [S].
      **fields: other fields of the result.

    Raises:
      ValueError: an unknown metric.
    """
    arrays, statistics, details = {}, {}, {}
    for target, one in targets.items():
        taken = (f"{target}/scores", f"{target}/truth")
        arrays |= dict(zip(taken, (one.scores, one.truth), strict=True))
        for name, path in metric_paths(metrics[one.kind], CLIP_METRICS).items():
            statistics[f"{target}/{name}"] = Statistic(path, taken)
        for name in PER_CLASS[one.kind]:
            path = f"{CLIP_METRICS}.{name}:{name}_per_class"
            details[f"{target}/{name}"] = Statistic(path, taken, parts=one.names)
    return Result(
        unit=unit,
        units=np.array(units),
        cluster=cluster,
        clusters=np.array(clusters),
        statistics=statistics,
        details=details,
        arrays=arrays,
        truth=tuple(f"{target}/truth" for target in targets),
        card={"targets": {name: {"kind": one.kind, "names": list(one.names)} for name, one in targets.items()}},
        **fields,  # pyright: ignore[reportArgumentType]
    )


def predictions_of(result: Result) -> dict[str, Predictions]:
    """The predictions that a result of `result_of` was made of: target -> predictions."""
    return {
        target: Predictions(
            one["kind"], tuple(one["names"]), result.arrays[f"{target}/scores"], result.arrays[f"{target}/truth"]
        )
        for target, one in result.card["targets"].items()
    }


def metric_names(kinds: Mapping[str, str], metrics: Mapping[str, Sequence[str]] = METRICS) -> list[str]:
    """'genre/accuracy' and so on, for targets of these kinds."""
    return [f"{target}/{name}" for target, kind in kinds.items() for name in metric_paths(metrics[kind], CLIP_METRICS)]
