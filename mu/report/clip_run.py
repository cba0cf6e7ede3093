"""The data of the page of a run on audio."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mu.data.clips.clips import Clips
from mu.evals.predictions import ClassPredictions, NumberPredictions, Predictions, TagPredictions, predictions_of
from mu.evals.result import Estimate
from mu.evals.results import load
from mu.files import read_json
from mu.report.audio import Sounds
from mu.report.class_view import ClassView
from mu.report.comparison import Comparison, comparison_of
from mu.report.neighbours import Embedded
from mu.report.number_view import NumberView
from mu.report.read import RunFacts, first_run, left_out_fact, published_rows, run_facts
from mu.report.tag_view import TagView
from mu.report.target_view import TargetView

VIEWS: Mapping[type[Predictions], type[TargetView]] = {
    ClassPredictions: ClassView,
    TagPredictions: TagView,
    NumberPredictions: NumberView,
}
"""Kind of predictions -> how a page shows them. The embedding space shows labels of the first kind that there is."""


@dataclasses.dataclass(frozen=True, eq=False)
class ClipRun:
    """A run on audio, or one seed of a cross-validation. n test clips.

    Attributes:
      facts: what was run.
      name: of the evaluation.
      clips: ids of the test clips.
      resampled: what the bootstrap draws: '304 recordings'.
      pooled: whether the clips of several folds were put together, each predicted by its fold's model.
      views: 'model' and baselines -> target -> predictions of the test clips.
      metrics: 'model' and baselines -> metric -> value and interval.
      compared: the model beside its baselines.
      details: 'TARGET/METRIC' -> value and interval for each class, tag or number, of the model.
      sounds: the audio of the clips.
      embedded: test clips in the space of one model; None where it cannot be had.
    """

    facts: RunFacts
    name: str
    clips: tuple[str, ...]
    resampled: str
    pooled: bool
    views: Mapping[str, Mapping[str, TargetView]]
    metrics: Mapping[str, Mapping[str, Estimate]]
    compared: Comparison
    details: Mapping[str, Mapping[str, Estimate]]
    sounds: Sounds
    embedded: Embedded | None

    @property
    def main_target(self) -> str:
        """The target whose labels are shown in the space: one of classes if there is one, then tags, then numbers."""
        model, kinds = self.views["model"], list(VIEWS.values())
        return min(model, key=lambda target: kinds.index(type(model[target])))


def read_clip_run(
    place: str | os.PathLike[str],
    evaluated: str | os.PathLike[str],
    clips: Clips | None,
    embedded: Embedded | None,
    problems: Sequence[str],
) -> ClipRun:
    """A run on audio, or a seed of a cross-validation, as its page shows it.

    Args:
      place: its folder.
      evaluated: the folder of the evaluation to show.
      clips: the run's clips; None where they cannot be had.
      embedded: test clips in the space of its model; None where they cannot be had.
      problems: why something is missing from the page.

    Raises:
      FileNotFoundError: no such run or evaluation.
      ValueError: its evaluation cannot be read.
    """
    evaluation = load(evaluated)
    model, card = evaluation.results["model"], evaluation.card
    where = Path(read_json(first_run(place) / "config.json")["data"].get("path", "")).name
    data = {"Data": f"{where}, {len(model):,} clips of {card['part']}"} | left_out_fact(model)
    return ClipRun(
        facts=run_facts(place, card, data, problems),
        name=evaluation.folder.name,
        clips=tuple(model.units.tolist()),
        resampled=model.resampled,
        pooled=card["split"] == "pooled",
        views={
            name: {target: VIEWS[type(one)](one) for target, one in predictions_of(result).items()}
            for name, result in evaluation.results.items()
        },
        metrics=evaluation.rows,
        compared=comparison_of(evaluation, published_rows(place)),
        details=evaluation.details,
        sounds=Sounds(clips),
        embedded=embedded,
    )
