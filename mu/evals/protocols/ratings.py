"""Ratings protocol: every rating of the held-out clips is predicted; clips are drawn with all ratings of them."""

from collections.abc import Mapping
from typing import cast

import numpy as np

from mu.data.clips.folds import ClipSplit
from mu.data.ratings.rated_clips import RatedClips
from mu.evals.predictions import TagPredictions, metric_names, result_of
from mu.evals.protocols.clips import cluster_name, clusters_of
from mu.evals.result import Result
from mu.protocols import Predictor
from mu.ranges import Count


class RatingPrediction:
    """Measures predictions of ratings.

    `config.evals.NAME = {'name': 'mu.evals.protocols.ratings:RatingPrediction'}`.

    A unit is a rating, its cluster the clip it is of (or what `group` names): ratings of one clip are alike.

    Args:
      split: with the parts `train`, `valid`, `test`: clips with ratings (`mu.data.ratings.rated_clips`).
      part: 'valid' or 'test'.
      group: column of the clips whose values are drawn again in the bootstrap; None for what the import
        says belongs together, else recordings.
      metrics: names or paths of metrics of tags (`mu.evals.metrics.clips`): metric(scores, truth, weights).
      bootstrap_samples: of the intervals.

    Attributes:
      names: 'liked/roc_auc' and so on.

    Raises:
      ValueError: a metric is unknown, or a clip has no value in the column `group`.
    """

    def __init__(
        self,
        *,
        split: ClipSplit,
        part: str,
        group: str | None = None,
        metrics: tuple[str, ...] = TagPredictions.metrics,
        bootstrap_samples: Count = 1000,
    ):
        if part not in ("valid", "test"):
            raise ValueError(f"part is {part!r}; it must be 'valid' or 'test'")
        if bootstrap_samples < 1:
            raise ValueError(f"bootstrap_samples={bootstrap_samples}; it must be at least 1")
        self._clips = cast(RatedClips, getattr(split, part))
        clusters_of(self._clips, group)  # a wrong column is refused now, and not after training
        self._group, self._metrics = group, metrics
        self.names = metric_names(dict.fromkeys(self._clips.label_names, TagPredictions), {TagPredictions: metrics})
        self.bootstrap_samples = bootstrap_samples

    def run(self, predictor: Predictor[RatedClips]) -> Result:
        """Predicts every rating and measures them.

        Args:
          predictor: `mu.protocols.Predictor`: predict(clips) -> {label: float32 [ratings, 1]}.
        """
        return rating_result(predictor.predict(self._clips), self._clips, self._group, self._metrics)


def rating_result(
    predicted: Mapping[str, np.ndarray],
    clips: RatedClips,
    group: str | None = None,
    metrics: tuple[str, ...] = TagPredictions.metrics,
) -> Result:
    """Predictions of ratings beside the truth.

    Args:
      predicted: label -> float32 [ratings, 1].
      clips: with their ratings.
      group: column of the clips whose values are drawn again in the bootstrap; None for what the import
        says belongs together, else recordings.
      metrics: see `RatingPrediction`.
    """
    clusters = np.array(clusters_of(clips, group))
    ratings = clips.ratings
    return result_of(
        {
            name: TagPredictions((name,), predicted[name], ratings.labels[:, [at]])
            for at, name in enumerate(clips.label_names)
        },
        unit="rating",
        units=ratings.names.tolist(),
        cluster=cluster_name(clips, group),
        clusters=clusters[ratings.clips].tolist(),
        metrics={TagPredictions: metrics},
    )
