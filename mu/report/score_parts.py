"""Scores as sums of parts: which part says how much for a track, in words."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

MOST_REASONS = 2
LEAST_REASON = 0.05
PART_NAMES = {"own": "who else plays it", "sound": "its sound", "numbers": "its numbers, such as the tempo"}


class ScoreParts:
    """Names the parts of scores, and those that are largest beyond those of the mean track.

    Args:
      parts: name -> float32 [V, D]; the track vectors are their sum. Columns of the track table go by their name.
      bias: float32 [V], what the age of each track adds to its score.
      released: bool [V], the tracks that the mean is over; at least one.
      tracks: the log's table of tracks.
    """

    def __init__(self, parts: Mapping[str, np.ndarray], bias: np.ndarray, released: np.ndarray, tracks: pl.DataFrame):
        self._parts, self._bias, self._released, self._tracks = parts, bias, released, tracks

    def reasons(self, query: np.ndarray, tracks: np.ndarray) -> list[list[tuple[str, float]]]:
        """For each track the largest parts of its score beyond the mean track's, [(part in words, amount), ...].

        Args:
          query: float32 [D], of the listener.
          tracks: int [k].
        """
        above = {name: scores - mean for name, (scores, mean) in self._scores(query, tracks).items()}
        return [self._largest(above, place, int(track)) for place, track in enumerate(tracks)]

    def contributions(self, query: np.ndarray, track: int) -> list[tuple[str, float, float]]:
        """[(part in words, what it adds to the score of the track, what it adds to that of the mean track), ...].

        Args:
          query: float32 [D], of the listener.
          track: its number in the log.
        """
        return [
            (self._words(name, track), float(scores[0]), float(mean))
            for name, (scores, mean) in self._scores(query, np.array([track])).items()
        ]

    @functools.cached_property
    def _means(self) -> dict[str, np.ndarray]:
        """Part -> float32 [D], of the mean track."""
        weights = (self._released / self._released.sum()).astype(np.float32)
        return {name: weights @ part for name, part in self._parts.items()}

    def _scores(self, query: np.ndarray, tracks: np.ndarray) -> dict[str, tuple[np.ndarray, Any]]:
        """Part -> (float32 [k], what it adds to the score of each of the tracks; the same of the mean track)."""
        scores = {
            PART_NAMES.get(name, name): (part[tracks] @ query, self._means[name] @ query)
            for name, part in self._parts.items()
        }
        return {**scores, "its age": (self._bias[tracks], self._bias[self._released].mean())}

    def _largest(self, above: Mapping[str, np.ndarray], place: int, track: int) -> list[tuple[str, float]]:
        amounts = [(float(values[place]), self._words(name, track)) for name, values in above.items()]
        largest = sorted(amounts, reverse=True)[:MOST_REASONS]
        return [(name, amount) for amount, name in largest if amount > LEAST_REASON]

    def _words(self, part: str, track: int) -> str:
        """'artist Nova' for a column of the track table, 'artist' where it is not known; other parts as they are."""
        value = self._tracks[part][track] if part in self._tracks.columns else None
        return part if value is None else f"{part} {value}".replace("|", ", ")
