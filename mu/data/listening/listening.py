"""A log of plays joined with the sound of its tracks and with features of tracks and users."""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from mu.data.clips.clips import Clips
from mu.data.clips.clips import load as load_clips
from mu.data.features import Standardizer, known_features
from mu.data.listening.clip_rows import clip_rows
from mu.data.listening.earlier_tracks import codes_of, earlier_tracks, names_in
from mu.data.listening.embedded import TrackVectors, track_vectors
from mu.data.listening.hashed_features import hashed_features
from mu.data.logs.attributes import UNKNOWN_RELEASE, multi_hot, numeric, released_ms
from mu.data.logs.interactions import Interactions
from mu.data.logs.interactions import load as load_log
from mu.ranges import Count, CountOrZero, SampleRate

DAY_MS = 24 * 3600 * 1000
OLD_DAYS = 1e6
"""The age of tracks without a date of release."""


class Sound(Protocol):
    """The audio of tracks: `ClipSound` reads files, `mu.world.dataset.RenderedSound` renders a world's.

    Attributes:
      sample_rate_hz: of all tracks.
      lengths: int64 [V], samples of each track; 0 where there is no audio.
    """

    @property
    def sample_rate_hz(self) -> int: ...
    @property
    def lengths(self) -> np.ndarray: ...

    def waveform(self, track: int, start: int, length: int, /) -> np.ndarray:
        """float32 [n], mono: samples `start` to `start + length` of a track, or to its end. Called from threads."""
        ...

    def hash(self) -> str:
        """Hash of the audio: equal for equal audio."""
        ...


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Listening(Interactions):
    """Plays with features of tracks and users. V tracks, U users.

    Attributes:
      sound: audio of the tracks, or None where there is none at all.
      item_features: int32 [V, P], hashed features of each track (its artist, its tags, ...), -1 where there are fewer.
      user_features: int32 [U, Q], hashed features of each user.
      hash_size: how many places features are hashed to.
      item_columns: columns of the tracks' table that `item_features` come from.
      user_columns: columns of the users' table that `user_features` come from.
      event_columns: columns of the plays that a model is given.
      tags: float32 [V, C], 1 where a track has a tag; all 0 where none are known.
      tag_names: of the C tags.
      released_ms: int64 [V], unix milliseconds of the release; -1 where it is not known.
      item_numbers: names of the numeric features: columns of the tracks' table, then the numbers of `embeddings`.
      numeric_features: float64 [V, F], numbers of each track as they come, NaN where they are missing.
      n_columns: how many of `item_numbers` are columns; None for all.
      artist: column of the tracks' table with the artist; None where none is named, or without `earlier_tracks`.
      artists: int32 [V], equal for tracks of one artist, -1 where there is none; None without such a column.
      earlier_tracks: N, so many earlier tracks of its artist stand for a track without plays; 0 for none.
    """

    sound: Sound | None
    item_features: np.ndarray
    user_features: np.ndarray
    hash_size: int
    item_columns: tuple[str, ...] = ()
    user_columns: tuple[str, ...] = ()
    event_columns: tuple[str, ...] = ("context",)
    tags: np.ndarray
    tag_names: tuple[str, ...]
    released_ms: np.ndarray
    item_numbers: tuple[str, ...] = ()
    numeric_features: np.ndarray | None = None
    n_columns: int | None = None
    artist: str | None = None
    artists: np.ndarray | None = None
    earlier_tracks: int = 0

    def __repr__(self) -> str:
        """That of any log, then the features of tracks."""
        parts = ["no sound"]
        if self.sound is not None:
            parts = [f"sound of {int((self.sound.lengths > 0).sum()):,} tracks at {self.sound.sample_rate_hz:,} Hz"]
        if self.tag_names:
            parts.append(f"{len(self.tag_names)} tags")
        if dated := int((self.released_ms != UNKNOWN_RELEASE).sum()):
            parts.append(f"dates of release of {dated:,} tracks")
        if self.number_columns:
            parts.append(f"numbers of tracks: {', '.join(self.number_columns)}")
        if vectors := len(self.item_numbers) - len(self.number_columns):
            parts.append(f"embeddings of {vectors} numbers")
        return f"{super().__repr__()[:-1]},\n  {', '.join(parts)})"

    @property
    def number_columns(self) -> tuple[str, ...]:
        """Columns of the tracks' table among `item_numbers`."""
        return self.item_numbers[: self.n_columns]

    @property
    def sample_rate_hz(self) -> int | None:
        return None if self.sound is None else self.sound.sample_rate_hz

    def take(self, users: np.ndarray) -> Self:
        """The rows of `users` with their features; see `Interactions.take`."""
        return dataclasses.replace(super().take(users), user_features=self.user_features[np.asarray(users)])

    @functools.cached_property
    def end_ms(self) -> int:
        """The moment of the last play: days are counted from here."""
        return int(self.times.max())

    def days(self, times_ms: np.ndarray) -> np.ndarray:
        """float32: days after `end_ms`, so mostly negative."""
        return ((np.asarray(times_ms, np.int64) - self.end_ms) / DAY_MS).astype(np.float32)

    @functools.cached_property
    def number_scale(self) -> Standardizer | None:
        """Mean and deviation of the numeric features, over the tracks that are played in this log; None for none."""
        if self.numeric_features is None:
            return None
        return Standardizer.fit(self.numeric_features[self.counts() > 0], self.item_numbers)

    @functools.cached_property
    def earlier(self) -> np.ndarray | None:
        """int32 [V, N]: earlier tracks of each track's artist that are played in this log, latest first; -1 for none.

        None where the log has no `earlier_tracks`.
        """
        if self.artists is None or not self.earlier_tracks:
            return None
        return earlier_tracks(self.artists, self.released_ms, self.counts() > 0, self.earlier_tracks)

    def earlier_of(self, artist: str, known: np.ndarray) -> np.ndarray:
        """int32 [N]: the latest tracks of an artist that are out at `end_ms`, latest first; -1 where there are fewer.

        Args:
          artist: as the tracks' table names it; one that it does not name has none.
          known: bool [V], the tracks that count.
        """
        assert self.artist is not None and self.artists is not None, "a log without earlier tracks"
        of_artist = (names_in(self.tracks, self.artist) == artist.strip()).fill_null(False).to_numpy()
        code = self.artists[of_artist].max(initial=-1)
        # As if it were a track that comes out now.
        artists, released = np.append(self.artists, code), np.append(self.released_ms, self.end_ms + 1)
        return earlier_tracks(artists, released, np.append(known, False), self.earlier_tracks)[-1]

    def track_rows(self) -> dict[str, np.ndarray]:
        """Features of every track for models, as tables that are not learnt.

        Training learns from tracks that are played in this log and, as negatives, from those that are out at `end_ms`.

        Returns:
          'item_features' int32 [V, P], without those that no such track has; 'age_days' float32 [V, 1] at `end_ms`,
          negative for later releases; 'plays' float32 [V, 1], how often each is played in this log; with numeric
          features 'item_numbers' float32 [V, 2 F], standardised by the tracks that are played in this log; with
          `earlier_tracks` 'earlier' int32 [V, N].
        """
        age_days = np.where(self.released_ms != UNKNOWN_RELEASE, -self.days(self.released_ms), OLD_DAYS).astype(
            np.float32
        )
        counts = self.counts()
        trained = self.item_features[(counts > 0) | (self.released_ms <= self.end_ms)]
        rows = {
            "item_features": known_features(self.item_features, trained),
            "age_days": age_days[:, None],
            "plays": counts.astype(np.float32)[:, None],
        }
        if self.number_scale is not None and self.numeric_features is not None:
            rows["item_numbers"] = self.number_scale.apply(self.numeric_features)
        if self.earlier is not None:
            rows["earlier"] = self.earlier
        return rows

    def known_user_features(self) -> np.ndarray:
        """int32 [U, Q]: `user_features` without those that no user with plays in this log has: they are not trained."""
        return known_features(self.user_features, self.user_features[self.lengths > 0])

    def hash(self) -> str:
        """sha256 over the plays, the audio and the features of tracks and users."""
        digest = hashlib.sha256(super().hash().encode())
        digest.update(b"no audio" if self.sound is None else self.sound.hash().encode())
        for array in (self.item_features, self.user_features, self.tags, self.released_ms):
            digest.update(np.ascontiguousarray(array).data)
        if self.numeric_features is not None:
            digest.update(np.ascontiguousarray(self.numeric_features).data)
        if self.artists is not None:
            digest.update(self.artists.tobytes())
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

    def file(self, track: int) -> Path | None:
        """The file of a track's audio; None where it has none, or the files are gone."""
        path = self._clips.path(int(self._rows[track])) if self._rows[track] >= 0 else None
        return path if path is not None and path.is_file() else None

    def hash(self) -> str:
        """sha256 over the recordings' contents, track by track."""
        names = self._clips.table["content_hash"].to_list()
        contents = "\n".join("" if row < 0 else names[row] for row in self._rows)
        return hashlib.sha256(f"{self.sample_rate_hz}\n{contents}".encode()).hexdigest()


def load(
    path: str | os.PathLike[str],
    *,
    clips: str | os.PathLike[str] | None = None,
    sample_rate_hz: SampleRate = 16_000,
    clip_column: str = "track",
    item_columns: Sequence[str] = (),
    user_columns: Sequence[str] = (),
    event_columns: Sequence[str] = ("context",),
    item_numbers: Sequence[str] | None = None,
    hash_size: Count = 4096,
    tags: str | None = None,
    released: str | None = None,
    artist: str | None = None,
    earlier_tracks: CountOrZero = 0,
    embeddings: str | os.PathLike[str] | None = None,
) -> Listening:
    """Opens a log that `mu import` wrote and the audio of its tracks that `mu import-audio` wrote.

    Tracks without audio are trained without; how many there are is in the card, under 'audio'.

    Args:
      path: the log.
      clips: the import of the audio; None for a log without.
      sample_rate_hz: at which the audio is to be given out.
      clip_column: of the clips' table, says which track of the log a clip is; of the library's of `embeddings`, too.
      item_columns: columns of the tracks' table that a model is given, each a value or several separated by '|'.
      user_columns: the same of the users' table.
      event_columns: columns of the plays that a model is given; 'context' is 0 everywhere in a log without it.
      item_numbers: columns of the tracks' table with numbers that a model is given, standardised by the tracks that are
        played in training; None for those that `mu import --track_features` named.
      hash_size: features are hashed to so many places.
      tags: column of the tracks' table with tags to learn from sound, separated by '|'.
      released: column of the tracks' table with the date of release, ISO 8601.
      artist: column of the tracks' table with the artist; several together count as one.
      earlier_tracks: so many earlier tracks of its artist stand for a track without plays; 0 for none.
      embeddings: a folder of `mu embed`: the vectors of an encoder that is trained already are numbers of the tracks,
        after `item_numbers` and standardised like these. The model learns no encoder of its own from them.

    Raises:
      FileNotFoundError, ValueError: as the imports' loaders; a column is missing; no clip is of any track; see
        `mu.data.listening.embedded.track_vectors`.
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
    vectors = None
    if embeddings is not None:
        vectors = track_vectors(log, embeddings, clips, clip_column)
        card["embeddings"] = vectors.card
    numbers = tuple(card.get("track_features", ()) if item_numbers is None else item_numbers)
    columns = {"item_columns": item_columns, "user_columns": user_columns, "event_columns": event_columns}
    options: dict[str, Any] = {"hash_size": hash_size, "tags": tags, "released": released}
    options |= {"artist": artist, "earlier_tracks": earlier_tracks}
    return with_features(log, sound, card, **columns, **options, item_numbers=numbers, vectors=vectors)


def with_features(
    log: Interactions,
    sound: Sound | None,
    card: dict[str, Any],
    *,
    item_columns: Sequence[str],
    user_columns: Sequence[str],
    event_columns: Sequence[str],
    hash_size: int,
    tags: str | None,
    released: str | None,
    artist: str | None = None,
    earlier_tracks: int = 0,
    item_numbers: Sequence[str] = (),
    vectors: TrackVectors | None = None,
) -> Listening:
    """`log` with `sound`, and the named columns as features; see `load`."""
    if released is not None and not log.has_times:
        raise ValueError(
            f"data.released={released!r}, but the log has no times, only an order: how old a track was at a play is "
            "not known; import it with --time=NAME, or set data.released=None"
        )
    if earlier_tracks and (artist is None or released is None):
        raise ValueError(
            f"data.earlier_tracks={earlier_tracks} needs to know which tracks are of one artist and which came out "
            f"earlier, and data.artist={artist!r}, data.released={released!r}: name both columns, or set "
            "earlier_tracks=0"
        )
    if unknown := [name for name in event_columns if name not in {"context", *log.columns}]:
        raise ValueError(
            f"data.event_columns names {unknown[0]!r}, which is no event column of the log; it has "
            f"{', '.join(log.columns) or 'none'}"
        )
    multi, names = (np.zeros((log.n_items, 0), np.float32), ()) if tags is None else multi_hot(log.tracks, tags)
    own: dict[str, Any] = {field.name: getattr(log, field.name) for field in dataclasses.fields(log)}
    own["card"] = card
    numbers = [numeric(log.tracks, name)[:, None] for name in item_numbers]
    if vectors is not None:
        numbers.append(vectors.values)
    undated = np.full(log.n_items, -1, np.int64)
    return Listening(
        **own,
        sound=sound,
        item_features=hashed_features(log.tracks, item_columns, hash_size),
        user_features=hashed_features(log.users, user_columns, hash_size),
        hash_size=hash_size,
        item_columns=tuple(item_columns),
        user_columns=tuple(user_columns),
        event_columns=tuple(event_columns),
        tags=np.nan_to_num(multi, nan=0.0),
        tag_names=tuple(names),
        released_ms=undated if released is None else released_ms(log.tracks, released),
        artist=artist if earlier_tracks else None,
        artists=codes_of(log.tracks, artist) if artist is not None and earlier_tracks else None,
        earlier_tracks=earlier_tracks,
        item_numbers=(*item_numbers, *(() if vectors is None else vectors.names)),
        numeric_features=np.concatenate(numbers, axis=1) if numbers else None,
        n_columns=len(item_numbers),
    )
