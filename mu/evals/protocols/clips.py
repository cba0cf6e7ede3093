"""Clips protocol: the targets of held-out clips (classes, tags, numbers) are predicted and measured."""

from collections.abc import Collection, Mapping

import numpy as np

from mu.data.clips.clips import Clips, whole_column
from mu.data.clips.folds import ClipSplit
from mu.data.clips.targets import ClassTarget, NumberTarget, TagTarget, Target
from mu.evals.predictions import (
    ClassPredictions,
    NumberPredictions,
    Predictions,
    TagPredictions,
    metric_names,
    result_of,
)
from mu.evals.result import Result
from mu.protocols import Predictor
from mu.ranges import Count

PREDICTIONS: Mapping[type[Target], type[Predictions]] = {
    ClassTarget: ClassPredictions,
    TagTarget: TagPredictions,
    NumberTarget: NumberPredictions,
}
"""Kind of target -> its predictions."""


class ClipPrediction:
    """Measures predictions of a part's clips.

    `config.evals.NAME = {'name': 'mu.evals.protocols.clips:ClipPrediction'}`.

    Args:
      split: with the parts `train`, `valid`, `test`: clips with targets.
      part: 'valid' or 'test'.
      outputs: names of what the task predicts; targets outside are not measured. None for all targets.
      group: column whose values are drawn again in the bootstrap (speaker, artist); None for what the import says
        belongs together, else recordings.
      class_metrics: names or paths of metrics of classes (`mu.evals.metrics.clips`): metric(scores, truth, weights).
      tag_metrics: the same of tags.
      number_metrics: the same of numbers.
      bootstrap_samples: of the intervals.

    Attributes:
      names: 'genre/accuracy' and so on; none for a task without targets.

    Raises:
      ValueError: a metric is unknown, or a clip has no value in the column `group`.
    """

    def __init__(
        self,
        *,
        split: ClipSplit,
        part: str,
        outputs: Collection[str] | None = None,
        group: str | None = None,
        class_metrics: tuple[str, ...] = ClassPredictions.metrics,
        tag_metrics: tuple[str, ...] = TagPredictions.metrics,
        number_metrics: tuple[str, ...] = NumberPredictions.metrics,
        bootstrap_samples: Count = 1000,
    ):
        if part not in ("valid", "test"):
            raise ValueError(f"part is {part!r}; it must be 'valid' or 'test'")
        if bootstrap_samples < 1:
            raise ValueError(f"bootstrap_samples={bootstrap_samples}; it must be at least 1")
        self._clips: Clips = getattr(split, part)
        self._targets = [name for name in self._clips.targets if outputs is None or name in outputs]
        self._metrics: Mapping[type[Predictions], tuple[str, ...]] = {
            ClassPredictions: class_metrics,
            TagPredictions: tag_metrics,
            NumberPredictions: number_metrics,
        }
        self._cluster = cluster_name(self._clips, group)
        self._clusters = clusters_of(self._clips, group) if self._targets else []
        kinds = {name: PREDICTIONS[type(self._clips.targets[name])] for name in self._targets}
        self.names = metric_names(kinds, self._metrics)
        self.bootstrap_samples = bootstrap_samples

    def run(self, predictor: Predictor[Clips]) -> Result:
        """Predicts the targets of every clip and measures them.

        Args:
          predictor: `mu.protocols.Predictor`: predict(clips) -> {target: float32 [n, C]}.
        """
        clips = self._clips
        predicted = predictor.predict(clips)
        targets = {name: predictions_for(clips.targets[name], predicted[name]) for name in self._targets}
        return result_of(
            targets,
            unit="clip",
            units=clips.table["clip"].to_list(),
            cluster=self._cluster,
            clusters=self._clusters,
            metrics=self._metrics,
        )


def cluster_name(clips: Clips, group: str | None) -> str:
    """What the clusters of `clusters_of` are called: the column, or 'recording'."""
    column = group or clips.group
    return "recording" if column == "content_hash" else column


def clusters_of(clips: Clips, group: str | None) -> list[str]:
    """What is drawn again in the bootstrap with each clip: its value in the column `group`.

    Args:
      clips: with that column.
      group: None for what the import says belongs together, which is each recording where it says nothing.

    Raises:
      ValueError: there is no such column, or a clip has no value in it.
    """
    return [str(value) for value in whole_column(clips.table, group or clips.group)]


def predictions_for(target: Target, scores: np.ndarray) -> Predictions:
    """Predictions of a target, float32 [n, C], beside its true values."""
    return PREDICTIONS[type(target)](target.names, scores, target.values)
