"""The sections of a run on listening that are computed from its model: a listener, a new track, a map."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from mu.inference.time_aware import TimeAwareRecommender
from mu.inference.topk import bias_at
from mu.protocols import DotProductRecommender
from mu.report.cold_start import cold_start_track
from mu.report.explanation import Explanation
from mu.report.listening_run import Sections, TrackMap
from mu.report.split_log import SplitLog
from mu.report.user_page import user_page

MOST_TRACKS = 1500
"""Points of the map."""
MOST_LABELS = 30


def listening_sections(
    log: SplitLog,
    recommender: DotProductRecommender,
    time_aware: TimeAwareRecommender | None,
    parts: Mapping[str, np.ndarray],
) -> Sections:
    """The sections of a run.

    Args:
      log: of the run.
      recommender: its model, as it was tested.
      time_aware: the same, where it can score tracks that nobody has played.
      parts: name -> float32 [V, D], whose sum the track vectors are; empty where they have no parts.
    """
    bias = bias_at(recommender, log.now_ms)
    bias = np.zeros(log.data.n_items, np.float32) if bias is None else bias
    explanation = Explanation(parts, bias, log.released, log.data.tracks)
    listener = user_page(log, recommender, explanation)
    cold_start = None if time_aware is None else cold_start_track(log, time_aware, reads_audio="sound" in parts)
    rows = [] if listener is None else [*listener.history, *listener.recommended]
    rows += [] if cold_start is None else [cold_start.row]
    return Sections(
        user_page=listener,
        cold_start=cold_start,
        track_map=track_map(log, recommender.item_vectors),
        pieces=log.pieces({row.track for row in rows}),
    )


def track_map(log: SplitLog, vectors: np.ndarray) -> TrackMap:
    """Tracks evenly spaced over the log, coloured by an attribute; `vectors` are float32 [V, D]."""
    rows = np.unique(np.linspace(0, len(vectors) - 1, min(len(vectors), MOST_TRACKS)).astype(np.int64))
    column = label_column(log.data.tracks)
    labels = [str(value) for value in log.data.tracks[column].gather(rows).to_list()]
    return TrackMap(vectors[rows], [log.titles[int(row)] for row in rows], column, labels)


def label_column(tracks: pl.DataFrame) -> str:
    """The column whose values colour the map: the genre, or the first of few values."""
    for column in ("genre", *tracks.columns):
        if column in tracks.columns and 1 < tracks[column].n_unique() <= MOST_LABELS:
            return column
    return "track"
