"""The page of a run on ratings: tracks beside what listeners said of them, calibration, results."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mu.data.clips.clips import Clips
from mu.data.ratings.rated_clips import RatedClips
from mu.evals.nouns import counted
from mu.evals.predictions import Predictions, predictions_of
from mu.evals.results import Evaluation
from mu.files import read_json
from mu.report.audio import Piece, Sounds
from mu.report.calibration import calibration
from mu.report.charts import Figure
from mu.report.comparison import Comparison, comparison_of
from mu.report.details import head_of, notices_of, results, run_details
from mu.report.listeners import TrackList
from mu.report.metric_tables import AllMetrics, metric_tables
from mu.report.page import Section, render
from mu.report.rated_tracks import LEAST_RATINGS, rated_tracks, track_lists
from mu.report.read import RunFacts, first_run, left_out_fact, published_rows, run_facts
from mu.report.seeds import Seeds

LONGEST_S, MOST_S = 8.0, 300.0


@dataclasses.dataclass(frozen=True, eq=False)
class RatingRun:
    """A run on ratings, or one seed of a cross-validation.

    Attributes:
      facts: what was run.
      evaluation: its results.
      compared: the model beside its baselines.
      predictions: label -> 'model' and baselines -> predictions of the ratings.
      clips: with their ratings; None where they cannot be had.
      sounds: the audio of the clips.
    """

    facts: RunFacts
    evaluation: Evaluation
    compared: Comparison
    predictions: Mapping[str, Mapping[str, Predictions]]
    clips: RatedClips | None
    sounds: Sounds


@dataclasses.dataclass(frozen=True, eq=False)
class LabelView:
    """A label of the ratings.

    Attributes:
      label: its name.
      lists: of tracks.
      figure: predicted and observed.
      least: ratings that a track in a list has at least.
      pieces: row of the clips -> its audio.
    """

    label: str
    lists: Sequence[TrackList]
    figure: Figure
    least: int
    pieces: Mapping[int, Piece]


def with_ratings(clips: Clips, units: np.ndarray) -> RatedClips:
    """The clips of a run, which have these ratings.

    Raises:
      ValueError: they have other ratings than those that the run was tested on.
    """
    if not isinstance(clips, RatedClips) or not np.isin(units, clips.ratings.names).all():
        raise ValueError("the ratings are no longer those that the run was tested on; bring the table back")
    return clips


def read_rating_run(
    place: str | os.PathLike[str], evaluation: Evaluation, clips: RatedClips | None, problems: Sequence[str]
) -> RatingRun:
    """A run on ratings as its page shows it.

    Args:
      place: its folder, or that of a seed of a cross-validation.
      evaluation: that the page shows.
      clips: of the run; None where they cannot be had.
      problems: why something is missing from the page.

    Raises:
      FileNotFoundError: no such run.
    """
    model = evaluation.results["model"]
    spec = read_json(first_run(place) / "config.json")["data"]
    where = Path(str(spec.get("ratings") or spec.get("path") or "")).name
    size = f"{counted(len(model), 'rating')} of {counted(model.n_clusters, model.drawn_noun)} in the test"
    data = {"Data": ", ".join(filter(None, [where, size]))} | left_out_fact(model)
    by_name = {name: predictions_of(result) for name, result in evaluation.results.items()}
    return RatingRun(
        facts=run_facts(place, evaluation.card, data, problems),
        evaluation=evaluation,
        compared=comparison_of(evaluation, published_rows(place)),
        predictions={label: {name: labels[label] for name, labels in by_name.items()} for label in by_name["model"]},
        clips=clips,
        sounds=Sounds(clips),
    )


def page(run: RatingRun, seeds: Seeds | None = None) -> str:
    """The whole page, a function of the run alone; afterwards `run.sounds.lost` names the clips that cannot be read."""
    facts, model = run.facts, run.evaluation.results["model"]
    views = label_views(run)
    sections = [Section(f"{view.label}: tracks and listeners", "rated_tracks.html", view) for view in views]
    sections += results(run.compared, seeds, run.evaluation.folder.name)
    over = counted(model.n_clusters, model.drawn_noun)
    notes = [f"Larger is better. Brackets: 95 % bootstrap intervals over {over}.", *model.notes]
    metrics = AllMetrics(metric_tables(run.evaluation.rows, {}), notes)
    details = [Section("All metrics", "metric_tables.html", metrics), *run_details(facts)]
    head = head_of(facts, run.compared, seeds)
    notices = notices_of(facts.problems, run.sounds.lost, "tracks")
    return render(head, notices, sections, details, sound=any(view.pieces for view in views))


def label_views(run: RatingRun) -> list[LabelView]:
    """What the page shows of each label."""
    lists: dict[str, list[TrackList]] = {label: [] for label in run.predictions}
    if run.clips is not None:
        row_of = dict(zip(run.clips.ratings.names.tolist(), run.clips.ratings.clips.tolist(), strict=True))
        of_rating = np.array([row_of[name] for name in run.evaluation.results["model"].units.tolist()])
        for label, predictions in run.predictions.items():
            lists[label] = track_lists(label, rated_tracks(of_rating, predictions), run.clips)
    rows = [row.track for several in lists.values() for one in several for row in one.rows]
    pieces = {}
    for track in dict.fromkeys(rows):
        assert run.clips is not None
        piece = run.sounds.piece(str(run.clips.table["clip"][track]), min(LONGEST_S, MOST_S / len(rows)))
        if piece is not None:
            pieces[track] = piece
    return [
        LabelView(label, lists[label], calibration(label, predictions["model"]), LEAST_RATINGS, pieces)
        for label, predictions in run.predictions.items()
    ]
