"""A map of the tracks of a log in the space of a model."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl

from mu.report.log_words import LogWords
from mu.report.neighbours import principal_plane
from mu.report.point_map import STYLES, PointMap, labels_of_classes, labels_of_points, legend, placed, points_of
from mu.report.split_log import SplitLog

MOST_TRACKS = 1500
"""Points of the map."""
MOST_LABELS = 30
NAMED = 24
"""Tracks that are named where there is no label."""


@dataclasses.dataclass(frozen=True, eq=False)
class TrackMap:
    """Tracks in the space of the model: the n with most plays, or ratings.

    Attributes:
      vectors: float32 [n, D].
      titles: [n].
      label_name: the column of the track table that colours them; empty for none.
      labels: [n], its values; empty strings without a column.
      counts: int [n], plays or ratings before the test.
      words: what these are called.
    """

    vectors: np.ndarray
    titles: Sequence[str]
    label_name: str
    labels: Sequence[str]
    counts: np.ndarray
    words: LogWords


def track_map(log: SplitLog, vectors: np.ndarray, words: LogWords) -> TrackMap:
    """The tracks with most plays or ratings, coloured by an attribute.

    A log without sound leaves out tracks that have none: their rows hold what they were drawn with.

    Args:
      log: of the run.
      vectors: float32 [V, D].
      words: what the events of the log are called.
    """
    counts = log.histories.counts()
    there = np.arange(len(vectors)) if log.sound is not None else np.flatnonzero(counts)
    rows = np.sort(there[np.argsort(-counts[there], kind="stable")[:MOST_TRACKS]])
    column = label_column(log.data.tracks)
    labels = [""] * len(rows)
    if column:
        labels = log.data.tracks[column].gather(rows).cast(pl.String).fill_null("unknown").to_list()
    return TrackMap(vectors[rows], [log.titles[int(row)] for row in rows], column, labels, counts[rows], words)


def label_column(tracks: pl.DataFrame) -> str:
    """The column whose values colour the map: the genre, or the first of few values; empty where there is none."""
    for column in ("genre", *tracks.columns):
        if column in tracks.columns and 1 < tracks[column].n_unique() <= MOST_LABELS:
            return column
    return ""


def map_of_tracks(tracks: TrackMap) -> PointMap:
    """The tracks in the plane of most variance, named by an attribute that colours them, or those with most events."""
    places, variance = principal_plane(tracks.vectors)
    at = placed(places)
    n = f"{len(tracks.titles):,} tracks"
    plane = (
        f"along the two directions in which they vary most ({variance[0]:.0%} of the variance across, "
        f"{variance[1]:.0%} up): most of what tells tracks apart is not seen here. The pointer on a point names its "
        "track."
    )
    if not tracks.label_name:
        most = np.argsort(-tracks.counts, kind="stable")[:NAMED]
        labels = labels_of_points(at, [(int(row), tracks.titles[int(row)]) for row in most])
        points = points_of(at, [0] * len(at), tracks.titles)
        words = f"{n} as the model sees them, the most {tracks.words.done} named, {plane}"
        return PointMap(words, f"Map of {n}", points, [], labels)
    styles, entries = _styles(tracks.labels)
    titles = [f"{title}: {label}" for title, label in zip(tracks.titles, tracks.labels, strict=True)]
    labels = labels_of_classes(at, styles, [name for name, style in entries if style >= 0])
    hidden = legend(entries) if len(labels) < len(entries) else []
    words = f"{n} as the model sees them, coloured and named by {tracks.label_name}, {plane}"
    return PointMap(words, f"Map of {n} by {tracks.label_name}", points_of(at, styles, titles), hidden, labels)


def _styles(labels: Sequence[str]) -> tuple[list[int], list[tuple[str, int]]]:
    """(style of each point, its legend), most frequent first; labels beyond those told apart are 'others'."""
    counts = Counter(labels)
    order = sorted(counts, key=lambda label: (-counts[label], label))[:STYLES]
    style = {label: place for place, label in enumerate(order)}
    entries = list(style.items())
    if len(counts) > len(order):
        entries.append(("others", -1))
    return [style.get(label, -1) for label in labels], entries
