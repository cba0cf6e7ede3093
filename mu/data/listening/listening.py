"""A log of plays together with what its tracks sound like and what else is known of tracks and listeners."""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Sequence
from typing import Any, Protocol, Self

import numpy as np

from mu.data.clips.clips import Clips
from mu.data.clips.clips import load as load_clips
from mu.data.listening.hashed_features import multi_hot, words
from mu.data.logs.attributes import released_ms
from mu.data.logs.interactions import Interactions
from mu.data.logs.interactions import load as load_log

DAY_MS = 24 * 3600 * 1000
OLD_DAYS = 1e6
"""The age of tracks that nobody knows the release of."""


class Sound(Protocol):
    """What tracks sound like: `ClipSound` reads files, `mu.world.dataset.RenderedSound` renders a world's.

    Attributes:
      sample_rate_hz: of all tracks.
      lengths: int64 [V], samples of each track; 0 where there is no audio.
    """

    @property
    def sample_rate_hz(self) -> int: ...
    @property
    def lengths(self) -> np.ndarray: ...

    def waveform(self, track: int, start: int, length: int) -> np.ndarray:
        """float32 [n], mono: samples `start` to `start + length` of a track, or to its end. Called from threads."""
        ...

    def hash(self) -> str:
        """Of what is heard: equal audio has equal hashes."""
        ...


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Listening(Interactions):
    """Plays, and beside them what is known of tracks and listeners. V tracks, U listeners.

    Attributes:
      sound: of the tracks, or None where there is no audio at all.
      words: int32 [V, P], what is known of each track (its artist, its tags, ...) as buckets; -1 where there is less.
      profiles: int32 [U, Q], the same of each listener.
      buckets: how many buckets there are.
      tags: float32 [V, C], 1 where a track has a tag; all 0 where none are known.
      tag_names: of the C tags.
      released_ms: int64 [V], unix milliseconds; -1 where nobody knows.
    """

    sound: Sound | None
    words: np.ndarray
    profiles: np.ndarray
    buckets: int
    tags: np.ndarray
    tag_names: tuple[str, ...]
    released_ms: np.ndarray

    def __repr__(self) -> str:
        """Of the plays as any log; then what is known of the tracks."""
        parts = ["no sound"]
        if self.sound is not None:
            parts = [f"sound of {int((self.sound.lengths > 0).sum()):,} tracks at {self.sound.sample_rate_hz:,} Hz"]
        if self.tag_names:
            parts.append(f"{len(self.tag_names)} tags")
        if dated := int((self.released_ms >= 0).sum()):
            parts.append(f"dates of release of {dated:,} tracks")
        return f"{super().__repr__()[:-1]},\n  {', '.join(parts)})"

    @property
    def sample_rate_hz(self) -> int | None:
        return None if self.sound is None else self.sound.sample_rate_hz

    def take(self, users: np.ndarray) -> Self:
        """The rows of `users` and their profiles; see `Interactions.take`."""
        return dataclasses.replace(super().take(users), profiles=self.profiles[np.asarray(users)])

    def nameless(self, items: np.ndarray) -> Self:
        """See `Interactions.nameless`: a listener without words."""
        nothing = np.full((1, self.profiles.shape[1]), -1, np.int32)
        return dataclasses.replace(super().nameless(items), profiles=nothing)

    @functools.cached_property
    def end_ms(self) -> int:
        """The moment of the last play: days are counted from here."""
        return int(self.times.max())

    def days(self, times_ms: np.ndarray) -> np.ndarray:
        """float32: days after `end_ms`, so mostly negative."""
        return ((np.asarray(times_ms, np.int64) - self.end_ms) / DAY_MS).astype(np.float32)

    def track_rows(self) -> dict[str, np.ndarray]:
        """What models are told of every track, tables that are not learnt.

        Returns:
          'words' int32 [V, P]; 'age_days' float32 [V, 1] at `end_ms`, negative for what comes out later; 'plays'
          float32 [V, 1], how often each is played in this log.
        """
        age_days = np.where(self.released_ms >= 0, -self.days(self.released_ms), OLD_DAYS).astype(np.float32)
        return {
            "words": self.words,
            "age_days": age_days[:, None],
            "plays": self.counts().astype(np.float32)[:, None],
        }

    def hash(self) -> str:
        """sha256 over the plays, the audio and what is known of tracks and listeners."""
        digest = hashlib.sha256(super().hash().encode())
        digest.update(b"no audio" if self.sound is None else self.sound.hash().encode())
        for array in (self.words, self.profiles, self.tags, self.released_ms):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


class ClipSound:
    """The clips of an audio import as the sound of a log's tracks.

    Args:
      clips: of `mu.data.clips.clips.load`.
      rows: int64 [V], the clip of each track, -1 for none.
    """

    def __init__(self, clips: Clips, rows: np.ndarray):
        self._clips, self._rows = clips, rows
        self.sample_rate_hz = clips.sample_rate_hz
        self.lengths = np.where(rows >= 0, clips.lengths[np.maximum(rows, 0)], 0)

    def waveform(self, track: int, start: int, length: int) -> np.ndarray:
        """See `Sound`."""
        return self._clips.waveform(int(self._rows[track]), start, length)

    def hash(self) -> str:
        """sha256 over the recordings' contents, track by track."""
        names = self._clips.table["content_hash"].to_list()
        heard = "\n".join("" if row < 0 else names[row] for row in self._rows)
        return hashlib.sha256(f"{self.sample_rate_hz}\n{heard}".encode()).hexdigest()


def load(
    path: str | os.PathLike[str],
    *,
    clips: str | None = None,
    sample_rate_hz: int = 16_000,
    clip_column: str = "track",
    track_words: Sequence[str] = (),
    user_words: Sequence[str] = (),
    buckets: int = 4096,
    tags: str | None = None,
    released: str | None = None,
) -> Listening:
    """Opens a log that `mu import` wrote and the audio of its tracks that `mu import-audio` wrote.

    Tracks without audio are trained without; how many there are is in the card, under 'audio'.

    Args:
      path: the log.
      clips: the import of the audio; None for a log without.
      sample_rate_hz: at which the audio is to be given out.
      clip_column: of the clips' table, says which track of the log a clip is.
      track_words: columns of the tracks' table that a model is told, a word or several separated by '|' in each.
      user_words: the same of the listeners' table.
      buckets: words are hashed to so many.
      tags: column of the tracks' table with tags to learn to hear, separated by '|'.
      released: column of the tracks' table with the date of release, ISO 8601.

    Raises:
      FileNotFoundError, ValueError: as the imports' loaders; a column is missing; no clip is of any track.
    """
    log = load_log(path)
    sound, card = None, dict(log.card)
    if clips is not None:
        opened = load_clips(clips, sample_rate_hz=sample_rate_hz)
        rows = clip_rows(opened, log, clip_column)
        sound = ClipSound(opened, rows)
        with_audio = int((rows >= 0).sum())
        card["audio"] = {
            "tracks_with": with_audio,
            "tracks_without": log.n_items - with_audio,
            "clips_of_no_track": len(opened) - with_audio,
        }
    return described(log, sound, card, track_words, user_words, buckets, tags, released)


def described(
    log: Interactions,
    sound: Sound | None,
    card: dict[str, Any],
    track_words: Sequence[str],
    user_words: Sequence[str],
    buckets: int,
    tags: str | None,
    released: str | None,
) -> Listening:
    """`log` with `sound` and the named columns of its tables; see `load`."""
    if released is not None and log.card.get("time_unit") == "order":
        raise ValueError(
            f"data.released={released!r}, but the log has no times, only an order: how old a track was at a play is "
            "not known; import it with --time=NAME, or set data.released=None"
        )
    if tags is None:
        held, names = np.zeros((log.n_items, 0), np.float32), ()
    else:
        held, names = multi_hot(log.tracks, tags)
    known: dict[str, Any] = {field.name: getattr(log, field.name) for field in dataclasses.fields(log)}
    known["card"] = card
    unknown = np.full(log.n_items, -1, np.int64)
    return Listening(
        **known,
        sound=sound,
        words=words(log.tracks, track_words, buckets),
        profiles=words(log.users, user_words, buckets),
        buckets=buckets,
        tags=held,
        tag_names=tuple(names),
        released_ms=unknown if released is None else released_ms(log.tracks, released),
    )


def clip_rows(clips: Clips, log: Interactions, column: str) -> np.ndarray:
    """int64 [V]: the clip of each of the log's tracks, -1 for none.

    Raises:
      ValueError: the clips have no such column, two are of one track, or none is of any; or there are no clips.
    """
    if column not in clips.table.columns:
        raise ValueError(
            f"the clips have no column {column!r} that says which track each is; they have "
            f"{', '.join(clips.table.columns)}: name it as data.clip_column"
        )
    if not len(clips):
        raise ValueError("the import of the audio holds no clips: for a catalogue with no audio, set data.clips=None")
    names = clips.table[column].cast(str).to_list()
    places: dict[str, int] = {}
    for row, name in enumerate(names):
        if name is None:
            continue
        if name in places:
            pair = clips.table["file"][places[name]], clips.table["file"][row]
            raise ValueError(f"two clips are of track {name!r}: {pair[0]} and {pair[1]}")
        places[name] = row
    rows = np.array([places.get(str(track), -1) for track in log.tracks["track"].to_list()], np.int64)
    if not (rows >= 0).any():
        raise ValueError(
            f"none of the {len(clips):,} clips is of a track of the log: column {column!r} has {names[0]!r}, the log "
            f"{log.tracks['track'][0]!r}"
        )
    return rows
