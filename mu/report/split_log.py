"""The log of a run, split at the test, and its recommenders, as the sections about listeners and tracks read them."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from mu.data.listening.listening import Listening, Sound
from mu.data.logs.interactions import Interactions
from mu.data.track_names import titles_and_artists, track_titles
from mu.inference.time_aware import TimeAwareRecommender
from mu.protocols import Recommender
from mu.report.audio import Piece, track_pieces
from mu.report.explanation import attribute_words

TRACK_COLUMNS = ("genre", "tempo_bpm", "key", "mode", "release_date")
LONGEST_S = 8.0
MOST_S = 480.0
"""So much sound is in a page at the most: 6 MB of music at 44.1 kHz."""


@dataclasses.dataclass(frozen=True, eq=False)
class SplitLog:
    """A log, split at the test.

    Attributes:
      data: the whole log.
      histories: what was played before the test.
      test: what was played in it.
      trained_until_ms: the end of the training part.
    """

    data: Interactions
    histories: Interactions
    test: Interactions
    trained_until_ms: int

    @functools.cached_property
    def now_ms(self) -> int:
        """The time of recommendations: that of the last play before the test."""
        return int(self.histories.times.max())

    @functools.cached_property
    def released(self) -> np.ndarray:
        """bool [V]: the tracks that are out at that time; all of a log without dates of release."""
        if not isinstance(self.data, Listening):
            return np.ones(self.data.n_items, bool)
        return self.data.released_ms <= self.now_ms

    @property
    def sound(self) -> Sound | None:
        """The audio of the tracks; None where the log has none."""
        return self.data.sound if isinstance(self.data, Listening) else None

    @functools.cached_property
    def titles(self) -> list[str]:
        """Each track in a line: 'title, artist'."""
        return track_titles(self.data.tracks)

    @functools.cached_property
    def names(self) -> tuple[list[str], list[str]]:
        """(title, artist) of the tracks; the artist is empty where the log has none."""
        return titles_and_artists(self.data.tracks)

    def track_words(self, track: int) -> str:
        """The attributes of a track as a line of words."""
        return attribute_words(self.data.tracks, track, TRACK_COLUMNS)

    def user_words(self, user: int) -> str:
        """The attributes of a listener that a model is given, as a line of words."""
        columns = self.data.user_columns if isinstance(self.data, Listening) else ()
        return attribute_words(self.data.users, user, columns)

    def user_id(self, user: int) -> str:
        """The log's id of a listener."""
        return str(self.data.users["user"][user])

    def pieces(self, rows: Sequence[int]) -> dict[int, Piece]:
        """The beginnings of the tracks of these rows of a page, of those that have audio; shorter where rows are many.

        A track that has several rows stands in the page as often.
        """
        longest_s = min(LONGEST_S, MOST_S / max(len(rows), 1))
        return track_pieces(self.sound, sorted(set(rows)), longest_s)


@dataclasses.dataclass(frozen=True, eq=False)
class LogModels:
    """The recommenders of a run on a log.

    Attributes:
      log: of the run.
      model: as it was tested.
      parts: name -> float32 [V, D], whose sum the model's track vectors are; empty where they have no parts.
      baselines: name -> recommender, of those whose recommendations are shown beside the model's.
    """

    log: SplitLog
    model: Recommender
    parts: Mapping[str, np.ndarray]
    baselines: Mapping[str, Recommender]

    @property
    def time_aware(self) -> TimeAwareRecommender | None:
        """The model, where it can score tracks that nobody has played; else None."""
        if isinstance(self.model, TimeAwareRecommender) and isinstance(self.log.data, Listening):
            return self.model
        return None
