"""Tracks of a run on ratings: predicted best and least, and those whose listeners said most otherwise."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from mu.data.clips.clips import Clips
from mu.evals.leaders import MODEL
from mu.evals.predictions import Predictions
from mu.report.columns import words_of
from mu.report.listeners import Row, TrackList

SHOWN = 6
LEAST_RATINGS = 5
"""Tracks with fewer ratings say too little to be shown."""
MOST_CLASSES = 3


@dataclasses.dataclass(frozen=True, eq=False)
class RatedTracks:
    """Shares of the ratings of each track. n tracks with `LEAST_RATINGS` ratings or more.

    Attributes:
      tracks: int64 [n], rows of the clips.
      counts: int64 [n], ratings of each.
      observed: float64 [n], the share of its ratings that have the label.
      predicted: recommender -> float64 [n], the mean of what was predicted for them.
    """

    tracks: np.ndarray
    counts: np.ndarray
    observed: np.ndarray
    predicted: Mapping[str, np.ndarray]

    @property
    def surprise(self) -> np.ndarray:
        """float64 [n]: how far the share is from the model's, in standard errors of a share of so many ratings."""
        expected = self.predicted[MODEL]
        error = np.sqrt(np.maximum(expected * (1 - expected), 1e-6) / self.counts)
        return np.abs(self.observed - expected) / error


def rated_tracks(of_rating: np.ndarray, predictions: Mapping[str, Predictions]) -> RatedTracks:
    """The shares of each track in one label.

    Args:
      of_rating: int64 [ratings], the row of the clip that each rating is of.
      predictions: 'model' and baselines -> predictions of the label, scores and truth [ratings, 1].
    """
    tracks, place, counts = np.unique(of_rating, return_inverse=True, return_counts=True)
    kept = counts >= LEAST_RATINGS

    def means(values: np.ndarray) -> np.ndarray:
        return (np.bincount(place, weights=values[:, 0], minlength=len(tracks)) / counts)[kept]

    observed = means(predictions[MODEL].truth)
    return RatedTracks(
        tracks[kept], counts[kept], observed, {name: means(one.scores) for name, one in predictions.items()}
    )


def track_lists(label: str, rated: RatedTracks, clips: Clips) -> list[TrackList]:
    """The tracks that are predicted to have a label most and least, and those farthest from what was predicted."""
    if not len(rated.tracks):
        return []
    order = np.argsort(-rated.predicted[MODEL], kind="stable")
    surprising = np.argsort(-rated.surprise, kind="stable")
    chosen = {
        f"Predicted {label} most": order[:SHOWN],
        f"Predicted {label} least": order[::-1][:SHOWN],
        "Farthest from what listeners said": surprising[:SHOWN],
    }
    return [
        TrackList(heading, [_row(label, rated, int(place), clips) for place in places])
        for heading, places in chosen.items()
    ]


def _row(label: str, rated: RatedTracks, place: int, clips: Clips) -> Row:
    track, count = int(rated.tracks[place]), int(rated.counts[place])
    said = round(rated.observed[place] * count)
    words = [f"{label} in {said:,} of {count:,} ratings ({rated.observed[place]:.0%})"]
    words += [f"{words_of(name)}: {values[place]:.0%}" for name, values in rated.predicted.items()]
    title, artist = (_value(clips, name, track) for name in ("title", "artist"))
    name = title or str(clips.table["clip"][track])
    return Row(track, name, ", ".join(filter(None, [artist, _classes(clips, track)])), why="; ".join(words))


def _value(clips: Clips, column: str, track: int) -> str:
    value = clips.table[column][track] if column in clips.table.columns else None
    return "" if value is None else str(value)


def _classes(clips: Clips, track: int) -> str:
    """The true classes of a track: 'rock'."""
    names: Sequence[str] = [name for name in clips.targets if name in clips.table.columns][:MOST_CLASSES]
    return ", ".join(value for value in (_value(clips, name, track) for name in names) if value)
