"""The log of a run, split at the test, as the sections about a listener and about a new track read it."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mu.data.listening.listening import Listening
from mu.report.audio import Piece
from mu.report.explanation import attribute_words

TRACK_COLUMNS = ("genre", "tempo_bpm", "key", "mode", "release_date")
LONGEST_S = 8.0


@dataclasses.dataclass(frozen=True, eq=False)
class SplitLog:
    """A log with audio, split at the test.

    Attributes:
      data: the whole log.
      histories: what was played before the test.
      test: what was played in it.
      trained_until_ms: the end of the training part.
      titles: of the tracks.
      user_columns: attributes of the listeners that are shown.
    """

    data: Listening
    histories: Listening
    test: Listening
    trained_until_ms: int
    titles: Sequence[str]
    user_columns: Sequence[str]

    @property
    def now_ms(self) -> int:
        """The time of recommendations: that of the last play before the test."""
        return int(self.histories.times.max())

    @property
    def released(self) -> np.ndarray:
        """bool [V]: the tracks that are out at that time."""
        return self.data.released_ms <= self.now_ms

    def track_words(self, track: int) -> str:
        """The attributes of a track as a line of words."""
        return attribute_words(self.data.tracks, track, TRACK_COLUMNS)

    def user_words(self, user: int) -> str:
        """The attributes of a listener as a line of words."""
        return attribute_words(self.data.users, user, self.user_columns)

    def user_id(self, user: int) -> str:
        """The log's id of a listener."""
        return str(self.data.users["user"][user])

    def pieces(self, tracks: set[int]) -> dict[int, Piece]:
        """The beginnings of these tracks, of those that have audio."""
        sound, pieces = self.data.sound, {}
        for track in sorted(tracks):
            if sound is None or not sound.lengths[track]:
                continue
            rate = sound.sample_rate_hz
            audio = sound.waveform(track, 0, round(LONGEST_S * rate))
            pieces[track] = Piece(audio, rate, 0.0, float(sound.lengths[track]) / rate)
        return pieces
