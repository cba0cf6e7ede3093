"""The data of a run on a simulated world: its log, and the sound of its tracks, rendered on demand."""

import functools
import os
import threading
from collections.abc import Sequence

import numpy as np

from mu.data.listening.listening import Listening, with_features
from mu.data.logs.interactions import load as load_log
from mu.ranges import Count, CountOrZero
from mu.world.oracle import rows_of
from mu.world.settings import Settings
from mu.world.sound import RATE_HZ, SAMPLES
from mu.world.world import World
from mu.world.world import load as load_world

CACHE_BYTES = 1 << 30
"""Size of the cache of rendered sound, 4,194 tracks; tracks beyond it are rendered each time."""


@functools.lru_cache(maxsize=1)
def sound_cache(
    settings: Settings, seed: int
) -> tuple[list[np.ndarray | None], list[threading.Lock], threading.Semaphore]:
    """The cache of a world's sound: (int16 [128000] or None for each track, a lock for each track, free places).

    There is a cache of one world, the last asked for. So the logs of a process that are of one world, such as those of
    two runs that are compared, render a track once. Two threads that want the same track render it once, others go on.
    The tracks asked for first stay, until they are `CACHE_BYTES`.
    """
    del seed
    room = threading.Semaphore(CACHE_BYTES // (SAMPLES * np.dtype(np.int16).itemsize))
    return [None] * settings.tracks, [threading.Lock() for _ in range(settings.tracks)], room


class RenderedSound:
    """The sound of a log's tracks, rendered on demand and cached as 16-bit PCM (see `sound_cache`).

    Args:
      world: whose tracks they are.
      rows: int64 [V], the world's row of each of the log's tracks.
    """

    sample_rate_hz = RATE_HZ

    def __init__(self, world: World, rows: np.ndarray):
        self._world, self._rows = world, rows
        self.lengths = np.full(len(rows), SAMPLES, np.int64)
        self._cache, self._locks, self._room = sound_cache(world.settings, world.seed)

    def waveform(self, track: int, start: int, length: int) -> np.ndarray:
        """float32 [n]: see `mu.data.listening.listening.Sound`."""
        row = int(self._rows[track])
        with self._locks[row]:
            sound = self._cache[row]
            if sound is None:
                rendered = self._world.sound(np.array([row]), threads=1)[0]
                sound = np.rint(rendered * 32767).astype(np.int16)
                if self._room.acquire(blocking=False):
                    self._cache[row] = sound
        return sound[start : start + length].astype(np.float32) / 32767

    def hash(self) -> str:
        """A name of the world, whose sound is a function of settings and seed."""
        return f"{self._world.settings} {self._world.seed} {self._rows.tobytes().hex()}"


def load(
    path: str | os.PathLike[str],
    *,
    world: str | os.PathLike[str],
    sound: bool = True,
    item_columns: Sequence[str] = ("artist", "genre", "tags"),
    user_columns: Sequence[str] = ("country", "age_group"),
    event_columns: Sequence[str] = ("context",),
    hash_size: Count = 4096,
    tags: str | None = "tags",
    released: str | None = "release_date",
    artist: str | None = "artist",
    earlier_tracks: CountOrZero = 0,
) -> Listening:
    """The log that `mu import` made of the files of a world, with the sound of the world's tracks.

    Args:
      path: the log.
      world: the folder that `mu world` wrote.
      sound: False for a log without.
      item_columns: see `mu.data.listening.listening.load`, as for all that follow.
      user_columns: attributes of listeners.
      event_columns: attributes of plays.
      hash_size: of hashed features.
      tags: the column of tags.
      released: the column of release dates.
      artist: the column of artists.
      earlier_tracks: so many earlier tracks of its artist stand for a track without plays; 0 for none.
    """
    log, simulated = load_log(path), load_world(world)
    rendered = None
    if sound:
        rows = rows_of(log.tracks["track"].to_list(), "track-", len(simulated.catalogue), "track")
        rendered = RenderedSound(simulated, rows)
    columns = {"item_columns": item_columns, "user_columns": user_columns, "event_columns": event_columns}
    options = {"hash_size": hash_size, "tags": tags, "released": released}
    options |= {"artist": artist, "earlier_tracks": earlier_tracks}
    return with_features(log, rendered, dict(log.card), **columns, **options)
