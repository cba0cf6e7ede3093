"""A world's log and the sound of its tracks, rendered when it is heard: the data of a run, by config."""

import functools
import os
import threading
from collections.abc import Sequence

import numpy as np

from mu.data.listening.listening import Listening, with_features
from mu.data.logs.interactions import load as load_log
from mu.world.oracle import rows_of
from mu.world.settings import Settings
from mu.world.sound import RATE_HZ, SAMPLES
from mu.world.world import World
from mu.world.world import load as load_world

HELD_BYTES = 1 << 30
"""So much rendered sound is held in memory, 4,194 tracks; what is heard beyond is rendered each time."""


@functools.lru_cache(maxsize=1)
def held_sound(
    settings: Settings, seed: int
) -> tuple[list[np.ndarray | None], list[threading.Lock], threading.Semaphore]:
    """(int16 [128000] of each track of a world that is held, else None; a lock for each track; room for how many more).

    Held of one world, the last asked for: so the logs of a process that are of one world, such as those of two runs
    that are compared, render a track once. Two threads that want the same track render it once, others go on. The
    tracks heard first are those that are held, until they are `HELD_BYTES`.
    """
    del seed
    room = threading.Semaphore(HELD_BYTES // (SAMPLES * np.dtype(np.int16).itemsize))
    return [None] * settings.tracks, [threading.Lock() for _ in range(settings.tracks)], room


class RenderedSound:
    """The sound of a log's tracks, rendered when it is heard, and held in memory as 16-bit PCM (see `held_sound`).

    Args:
      world: whose tracks they are.
      rows: int64 [V], the world's row of each of the log's tracks.
    """

    sample_rate_hz = RATE_HZ

    def __init__(self, world: World, rows: np.ndarray):
        self._world, self._rows = world, rows
        self.lengths = np.full(len(rows), SAMPLES, np.int64)
        self._held, self._locks, self._room = held_sound(world.settings, world.seed)

    def waveform(self, track: int, start: int, length: int) -> np.ndarray:
        """float32 [n]: see `mu.data.listening.listening.Sound`."""
        row = int(self._rows[track])
        with self._locks[row]:
            sound = self._held[row]
            if sound is None:
                rendered = self._world.sound(np.array([row]), threads=1)[0]
                sound = np.rint(rendered * 32767).astype(np.int16)
                if self._room.acquire(blocking=False):
                    self._held[row] = sound
        return sound[start : start + length].astype(np.float32) / 32767

    def hash(self) -> str:
        """Names the world: its sound is a function of settings and seed."""
        return f"{self._world.settings} {self._world.seed} {self._rows.tobytes().hex()}"


def load(
    path: str | os.PathLike[str],
    *,
    world: str,
    sound: bool = True,
    item_columns: Sequence[str] = ("artist", "genre", "tags"),
    user_columns: Sequence[str] = ("country", "age_group"),
    event_columns: Sequence[str] = ("context",),
    hash_size: int = 4096,
    tags: str | None = "tags",
    released: str | None = "release_date",
) -> Listening:
    """Opens the log that `mu import` made of what `mu world` wrote, with the world's sound.

    Args:
      path: the log.
      world: the folder that `mu world` wrote.
      sound: False for a log without.
      item_columns, user_columns, event_columns, hash_size, tags, released: see `mu.data.listening.listening.load`.
    """
    log, made = load_log(path), load_world(world)
    rendered = None
    if sound:
        rows = rows_of(log.tracks["track"].to_list(), "track-", len(made.catalogue), "track")
        rendered = RenderedSound(made, rows)
    columns = {"item_columns": item_columns, "user_columns": user_columns, "event_columns": event_columns}
    return with_features(log, rendered, dict(log.card), **columns, hash_size=hash_size, tags=tags, released=released)
