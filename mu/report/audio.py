"""Audio inside a page: pieces of clips as MP3 in `data:` addresses.

MP3 is what Chromium, Firefox and Safari all play from such an address: older Safari refuses Ogg (Vorbis and Opus), and
WAV takes eight times the room. At a variable rate libsndfile (1.1 and later) writes how much silence the encoder added,
so a piece comes back at its exact length; at a low constant rate that note does not fit and is left out.
"""

import base64
import dataclasses
import functools
import io
from collections.abc import Iterable
from typing import Protocol

import numpy as np
import soundfile

from mu.audio.io import AudioError, resample
from mu.data.clips.clips import Clips

# Rates of MPEG-1 and MPEG-2; those below 16 kHz are an extension that not every player knows.
MP3_RATES_HZ = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
QUALITY = 0.5  # libsndfile's compression level at a variable rate: 35 to 70 kbit/s for music at 16 to 44.1 kHz


@dataclasses.dataclass(frozen=True, eq=False)
class Piece:
    """A part of a clip.

    Attributes:
      audio: float32 [N].
      sample_rate_hz: of it.
      start_s: where it begins in the clip.
      clip_s: how long the clip is.
    """

    audio: np.ndarray
    sample_rate_hz: int
    start_s: float
    clip_s: float

    @property
    def duration_s(self) -> float:
        """Its length."""
        return len(self.audio) / self.sample_rate_hz

    @property
    def span(self) -> str:
        """'5.00 s' of a whole clip, else which part of the clip this is."""
        if self.duration_s > self.clip_s - 0.05:
            return f"{self.clip_s:.2f} s"
        return f"seconds {self.start_s:.1f} to {self.start_s + self.duration_s:.1f} of {self.clip_s:.1f}"

    @functools.cached_property
    def address(self) -> str:
        """A `data:` address with its MP3."""
        return data_address("audio/mpeg", mp3(self.audio, self.sample_rate_hz))


class Sounds:
    """The audio of clips by their ids; it notes which clips can no longer be read.

    Args:
      clips: all of the run's; None where none can be read.

    Attributes:
      lost: id -> what is wrong.
    """

    def __init__(self, clips: Clips | None):
        self._clips = clips
        self._rows = {} if clips is None else {clip: row for row, clip in enumerate(clips.table["clip"])}
        self.lost: dict[str, str] = {}

    def __bool__(self) -> bool:
        return self._clips is not None

    def readable(self, clip: str) -> bool:
        """Whether the file of a clip can be decoded."""
        return self._read(clip, 0, 1) is not None

    def piece(self, clip: str, longest_s: float) -> Piece | None:
        """The middle `longest_s` seconds of a clip, or all of it; None where it is lost."""
        clips = self._clips
        if clips is None or clip not in self._rows:
            self._read(clip, 0, 1)
            return None
        length = int(clips.lengths[self._rows[clip]])
        wanted = min(length, round(longest_s * clips.sample_rate_hz))
        start = (length - wanted) // 2
        audio = self._read(clip, start, wanted)
        if audio is None:
            return None
        if len(audio) < wanted:  # the file ends before its table says
            length = start + len(audio)
        return Piece(audio, clips.sample_rate_hz, start / clips.sample_rate_hz, length / clips.sample_rate_hz)

    def _read(self, clip: str, start: int, length: int) -> np.ndarray | None:
        if self._clips is None or clip in self.lost:
            return None
        if clip not in self._rows:
            self.lost[clip] = "it is no longer in the table of clips"
            return None
        try:
            return self._clips.waveform(self._rows[clip], start, length)
        except AudioError as error:
            self.lost[clip] = str(error)
            return None


class TrackSound(Protocol):
    """The audio of the tracks of a log; see `mu.data.listening.listening.Sound`."""

    @property
    def sample_rate_hz(self) -> int: ...
    @property
    def lengths(self) -> np.ndarray: ...
    def waveform(self, track: int, start: int, length: int, /) -> np.ndarray: ...


def track_pieces(sound: TrackSound | None, tracks: Iterable[int], longest_s: float) -> dict[int, Piece]:
    """The beginnings of tracks, of those that have audio: track -> its first `longest_s` seconds."""
    pieces = {}
    for track in tracks:
        if sound is None or not sound.lengths[track]:
            continue
        rate = sound.sample_rate_hz
        audio = sound.waveform(track, 0, round(longest_s * rate))
        pieces[track] = Piece(audio, rate, 0.0, float(sound.lengths[track]) / rate)
    return pieces


def mp3(audio: np.ndarray, sample_rate_hz: int) -> bytes:
    """A mono MP3 at the next rate that MP3 has, of the same length.

    Args:
      audio: float32 [N]; scaled down where it goes beyond full scale.
      sample_rate_hz: up to 48,000; what is above is brought there.
    """
    rate = next((rate for rate in MP3_RATES_HZ if rate >= sample_rate_hz), MP3_RATES_HZ[-1])
    sound = resample(audio, sample_rate_hz, rate)
    sound = sound / max(float(np.abs(sound).max(initial=0.0)), 1.0)
    written = io.BytesIO()
    with soundfile.SoundFile(
        written,
        "w",
        rate,
        1,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="VARIABLE",
        compression_level=QUALITY,
    ) as file:
        file.write(sound)
    return written.getvalue()


def data_address(kind: str, content: bytes) -> str:
    """A `data:` address that holds the content."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
