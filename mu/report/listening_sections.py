"""The sections of a run on a log that are computed from its model: listeners, tracks, a map."""

from typing import cast

from mu.data.listening.listening import Listening
from mu.evals.results import Evaluation
from mu.protocols import DotProductRecommender
from mu.report.cold_start import cold_start_track
from mu.report.listener_groups import listener_groups
from mu.report.listeners import listeners
from mu.report.listening_run import Sections
from mu.report.log_words import RATINGS, log_words
from mu.report.near_tracks import near_tracks
from mu.report.rated_listeners import rated_listeners
from mu.report.split_log import LogModels
from mu.report.track_map import track_map


def listening_sections(models: LogModels, evaluation: Evaluation, metric: str | None) -> Sections:
    """The sections of a run.

    Args:
      models: its recommenders.
      evaluation: that the page shows.
      metric: the column that listeners are chosen by and groups compared by; None for neither.
    """
    log, results = models.log, evaluation.results
    words = log_words(results["model"])
    people = None
    if metric is not None:
        people = (rated_listeners if words == RATINGS else listeners)(models, results, metric)
    cold_start = None
    # Where tracks are rated, nothing is measured of who plays a new one.
    if words != RATINGS and models.time_aware is not None and isinstance(log.data, Listening):
        cold_start = cold_start_track(log, models.time_aware, reads_audio="sound" in models.parts)
    near = map_of_tracks = None
    if models.model.dot_product:
        vectors = cast(DotProductRecommender, models.model).item_vectors
        map_of_tracks = track_map(log, vectors, words)
        if log.sound is None:
            near = near_tracks(log, vectors, models.baselines, words)
    lengths, users, groups = log.histories.lengths, log.data.users, []
    if metric is not None:
        groups = listener_groups(results, metric, lengths, users, words, evaluation.samples, evaluation.seed)
    rows = [] if people is None else list(people.tracks)
    rows += [] if cold_start is None else [cold_start.row.track]
    return Sections(people, cold_start, near, groups, map_of_tracks, log.pieces(rows))
