"""What is true of a track: beats, chords, sections, melody, key and tempo, with their times."""

import dataclasses

import numpy as np

TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
HOP_S = 0.01
"""Of the melody in frames."""


@dataclasses.dataclass(frozen=True)
class Span:
    """A labelled part of a track.

    Attributes:
      start_s: where it begins.
      end_s: where it ends.
      label: such as 'A:min7' or 'chorus'.
    """

    start_s: float
    end_s: float
    label: str


@dataclasses.dataclass(frozen=True)
class Note:
    """A note of the melody.

    Attributes:
      start_s: where it begins.
      end_s: where it is released.
      hertz: its pitch.
    """

    start_s: float
    end_s: float
    hertz: float


@dataclasses.dataclass(frozen=True, eq=False)
class Truth:
    """The annotations of a track.

    Attributes:
      duration_s: of the sound.
      tempo_bpm: median of the beats' tempi.
      tonic: pitch class, 0 is C.
      major: major or minor.
      beats_s: float64 [beats], ascending.
      positions: int64 [beats], the place of each beat in its bar, from 1.
      onsets_s: float64 [onsets], of all notes and drums, those within 30 ms as one.
      chords: in Harte's syntax, one after the other over the whole track; 'N' where there is none.
      sections: one after the other over the whole track.
      melody: notes in their order, no two at a time.
    """

    duration_s: float
    tempo_bpm: float
    tonic: int
    major: bool
    beats_s: np.ndarray
    positions: np.ndarray
    onsets_s: np.ndarray
    chords: tuple[Span, ...]
    sections: tuple[Span, ...]
    melody: tuple[Note, ...]

    @property
    def key(self) -> str:
        """Such as 'Eb minor'."""
        return f"{TONICS[self.tonic]} {'major' if self.major else 'minor'}"

    @property
    def downbeats_s(self) -> np.ndarray:
        """float64 [bars]."""
        return self.beats_s[self.positions == 1]

    def melody_frames(self) -> tuple[np.ndarray, np.ndarray]:
        """(times_s, hertz), float64 [F] each, a frame every 10 ms; 0 Hz where there is no melody."""
        times_s = np.arange(int(self.duration_s / HOP_S) + 1) * HOP_S
        hertz = np.zeros(len(times_s))
        for note in self.melody:
            hertz[(times_s >= note.start_s) & (times_s < note.end_s)] = note.hertz
        return times_s, hertz


def apart(times_s: np.ndarray, least_s: float = 0.03) -> np.ndarray:
    """float64 [n]: times in order, less those that come within `least_s` of one that is kept."""
    kept: list[float] = []
    for time in np.sort(times_s).tolist():
        if not kept or time - kept[-1] >= least_s:
            kept.append(time)
    return np.array(kept)
