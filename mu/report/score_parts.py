"""Scores as sums of parts: which part says how much for a track, in words."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from mu.inference.evidence import EvidenceRecommender
from mu.inference.time_aware import TimeAwareRecommender
from mu.protocols import Log

MOST_REASONS = 2
LEAST_REASON = 0.05
AGE, APPEAL = "its age", "its appeal"
MODEL = "what the model has learnt of it"
"""The vectors of a model whose tracks are not taken apart."""
PART_NAMES = {"own": "who else plays it", "sound": "its sound", "numbers": "its numbers, such as the tempo"}
COUNTS = "how often it is played, and after these plays"
"""What evidence of counts adds (`mu.nn.evidence`)."""


class Asked(NamedTuple):
    """A listener as their scores are explained.

    Attributes:
      query: float32 [D].
      offsets: float32 [V], what counts add to the score of each track; None for a model without evidence.
    """

    query: np.ndarray
    offsets: np.ndarray | None


def asked(recommender: TimeAwareRecommender | EvidenceRecommender, users: np.ndarray, histories: Log) -> list[Asked]:
    """Listeners, int64 [B], with B histories, as `ScoreParts` explains their scores."""
    queries, offsets = recommender.queries(users, histories), recommender.offsets(histories)
    return [Asked(query, None if offsets is None else offsets[row]) for row, query in enumerate(queries)]


class ScoreParts:
    """Names the parts of scores, and those that are largest beyond those of the mean track.

    Args:
      parts: name -> float32 [V, D]; the track vectors are their sum. Columns of the track table go by their name.
      biases: name -> float32 [V], what is added to the score of each track for all listeners, such as by its age.
      released: bool [V], the tracks that the mean is over; at least one.
      tracks: the log's table of tracks.
    """

    def __init__(
        self,
        parts: Mapping[str, np.ndarray],
        biases: Mapping[str, np.ndarray],
        released: np.ndarray,
        tracks: pl.DataFrame,
    ):
        self._parts, self._biases, self._released, self._tracks = parts, biases, released, tracks

    def reasons(self, listener: Asked, tracks: np.ndarray) -> list[list[tuple[str, float]]]:
        """For each track the largest parts of its score beyond the mean track's, [(part in words, amount), ...].

        Args:
          listener: who is asked about.
          tracks: int [k].
        """
        above = {name: scores - mean for name, (scores, mean) in self._scores(listener, tracks).items()}
        return [self._largest(above, place, int(track)) for place, track in enumerate(tracks)]

    def contributions(self, listener: Asked, track: int) -> list[tuple[str, float, float]]:
        """[(part in words, what it adds to the score of the track, what it adds to that of the mean track), ...].

        Args:
          listener: who is asked about.
          track: its number in the log.
        """
        return [
            (self._words(name, track), float(scores[0]), float(mean))
            for name, (scores, mean) in self._scores(listener, np.array([track])).items()
        ]

    @functools.cached_property
    def _means(self) -> dict[str, np.ndarray]:
        """Part -> float32 [D], of the mean track."""
        weights = (self._released / self._released.sum()).astype(np.float32)
        return {name: weights @ part for name, part in self._parts.items()}

    def _scores(self, listener: Asked, tracks: np.ndarray) -> dict[str, tuple[np.ndarray, Any]]:
        """Part -> (float32 [k], what it adds to the score of each of the tracks; the same of the mean track)."""
        scores = {
            PART_NAMES.get(name, name): (part[tracks] @ listener.query, self._means[name] @ listener.query)
            for name, part in self._parts.items()
        }
        biases = self._biases if listener.offsets is None else {COUNTS: listener.offsets, **self._biases}
        return scores | {name: (bias[tracks], bias[self._released].mean()) for name, bias in biases.items()}

    def _largest(self, above: Mapping[str, np.ndarray], place: int, track: int) -> list[tuple[str, float]]:
        amounts = [(float(values[place]), self._words(name, track)) for name, values in above.items()]
        largest = sorted(amounts, reverse=True)[:MOST_REASONS]
        return [(name, amount) for amount, name in largest if amount > LEAST_REASON]

    def _words(self, part: str, track: int) -> str:
        """'artist Nova' for a column of the track table, 'artist' where it is not known; other parts as they are."""
        value = self._tracks[part][track] if part in self._tracks.columns else None
        return part if value is None else f"{part} {value}".replace("|", ", ")
