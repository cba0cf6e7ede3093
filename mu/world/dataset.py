"""A world's log and the sound of its tracks, rendered when it is heard: the data of a run, by config."""

import os
import threading
from collections.abc import Sequence

import numpy as np

from mu.data.interactions import load as load_log
from mu.data.listening import Listening, described
from mu.world.oracle import rows_of
from mu.world.sound import RATE_HZ, SAMPLES
from mu.world.world import World
from mu.world.world import load as load_world


class RenderedSound:
    """The sound of a log's tracks, each rendered once, when it is first heard, and held in memory as 16-bit PCM.

    Args:
      world: whose tracks they are.
      rows: int64 [V], the world's row of each of the log's tracks.
    """

    sample_rate_hz = RATE_HZ

    def __init__(self, world: World, rows: np.ndarray):
        self._world, self._rows = world, rows
        self.lengths = np.full(len(rows), SAMPLES, np.int64)
        self._held: list[np.ndarray | None] = [None] * len(rows)
        # One a track: two threads that want the same one render it once, others go on.
        self._locks = [threading.Lock() for _ in rows]

    def waveform(self, track: int, start: int, length: int) -> np.ndarray:
        """float32 [n]: see `mu.data.listening.Sound`."""
        with self._locks[track]:
            held = self._held[track]
            if held is None:
                sound = self._world.sound(self._rows[track : track + 1], threads=1)[0]
                held = self._held[track] = np.rint(sound * 32767).astype(np.int16)
        return held[start : start + length].astype(np.float32) / 32767

    def hash(self) -> str:
        """Names the world: its sound is a function of settings and seed."""
        return f"{self._world.settings} {self._world.seed} {self._rows.tobytes().hex()}"


def load(
    path: str | os.PathLike[str],
    *,
    world: str,
    sound: bool = True,
    track_words: Sequence[str] = ("artist", "genre", "tags"),
    user_words: Sequence[str] = ("country", "age_group"),
    buckets: int = 4096,
    tags: str | None = "tags",
    released: str | None = "release_date",
) -> Listening:
    """Opens the log that `mu import` made of what `mu world` wrote, with the world's sound.

    Args:
      path: the log. world: the folder that `mu world` wrote.
      sound: False for a log without.
      track_words, user_words, buckets, tags, released: see `mu.data.listening.load`.
    """
    log, made = load_log(path), load_world(world)
    rendered = None
    if sound:
        rows = rows_of(log.tracks["track"].to_list(), "track-", len(made.catalogue), "track")
        rendered = RenderedSound(made, rows)
    return described(log, rendered, dict(log.card), track_words, user_words, buckets, tags, released)
