"""A simulated music world: `simulate` makes one, `World` answers what its listeners would play."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np

from mu.data.interactions import Interactions
from mu.world import truth
from mu.world.catalogue import Catalogue, make_catalogue
from mu.world.listeners import Listeners, make_listeners
from mu.world.plays import (
    FINISH_BIAS,
    FINISH_SLOPE,
    Plays,
    TasteTables,
    draw_by_taste,
    simulate_plays,
    taste_tables,
)
from mu.world.settings import Settings, settings_of


@dataclasses.dataclass(frozen=True, eq=False)
class World:
    """Artists, tracks, listeners, their plays, and the truth behind them.

    Listeners and tracks are known by their row here; `write` names them `listener-00012` and `track-000345`.
    Times are unix milliseconds.
    """

    settings: Settings
    seed: int
    catalogue: Catalogue
    listeners: Listeners
    tables: TasteTables
    plays: Plays

    def taste(self, listeners: np.ndarray, times_ms: np.ndarray) -> np.ndarray:
        """float64 [B, D]: the taste vector of each listener at each time."""
        return self.listeners.taste(*self._checked(listeners, times_ms))

    def preference(self, listeners: np.ndarray, times_ms: np.ndarray) -> np.ndarray:
        """The probability that a listener who chooses by taste alone, at that time, plays each track.

        Args:
          listeners: int [B]. times_ms: int [B], unix milliseconds.

        Returns:
          float32 [B, V]; rows sum to 1 (to rounding); 0 for tracks that are not out. Needs 8 B V bytes
          beside it.
        """
        checked = self._checked(listeners, times_ms)
        return truth.taste_probability(self.catalogue, self.listeners, self.settings, *checked).astype(np.float32)

    def next_play_probability(
        self,
        listeners: np.ndarray,
        times_ms: np.ndarray,
        histories: truth.Histories,
        continuing: np.ndarray | None = None,
    ) -> np.ndarray:
        """The probability of each track to be the listener's next play, given the time and all earlier plays.

        Args:
          listeners: int [B]. times_ms: int [B], when the next play starts.
          histories: the earlier plays of these B listeners (`indptr`, `items` = rows of this catalogue,
            `times`).
          continuing: float [B] in [0, 1], the probability that the play belongs to the session of the last
            one; None reads it from the gap between the last play and `times_ms`, which decides it with
            certainty.

        Returns:
          float32 [B, V]; rows sum to 1 (to rounding). Where the history is complete and `continuing` is
          None, this is exactly the law that the simulator drew the play from.
        """
        users, times_ms = self._checked(listeners, times_ms)
        if len(histories.indptr) != len(users) + 1:
            raise ValueError(
                f"histories has {len(histories.indptr) - 1} rows for {len(users)} listeners; it needs as many"
            )
        arguments = (self.catalogue, self.listeners, self.settings, users, times_ms, histories, continuing)
        return truth.next_play_probability(*arguments).astype(np.float32)

    def finish_probability(self, listeners: np.ndarray, times_ms: np.ndarray, tracks: np.ndarray) -> np.ndarray:
        """float32 [B]: the probability that the listener, playing the track at that time, finishes it."""
        taste = self.taste(listeners, times_ms)
        vectors = self.catalogue.vectors[tracks]
        norms = np.linalg.norm(taste, axis=1) * np.linalg.norm(vectors, axis=1)
        cosine = np.einsum("bd,bd->b", taste, vectors) / np.maximum(norms, 1e-150)
        return (1 / (1 + np.exp(-FINISH_BIAS - FINISH_SLOPE * cosine))).astype(np.float32)

    def sample(
        self, listeners: np.ndarray, times_ms: np.ndarray, seed: int = 0, threads: int | None = None
    ) -> np.ndarray:
        """int32 [B]: a track for each row, drawn from `preference` of that row; equal for any `threads`."""
        users, times_ms = self._checked(listeners, times_ms)
        return draw_by_taste(users, times_ms, self.listeners.tastes, self.tables, self.settings, seed, threads=threads)

    def sound(self, tracks: np.ndarray, threads: int | None = None) -> np.ndarray:
        """float32 [B, 128000]: what tracks, int [B], sound like: 8 s, 16 kHz, mono, rendered now; see sound.py."""
        from mu.world.sound import sound  # who asks for no sound compiles none

        return sound(self.catalogue, tracks, self.seed, threads)

    def log(self) -> Interactions:
        """The plays as a log in memory: users and items are the rows of this world, weights 1."""
        plays = self.plays
        weights = np.ones(len(plays), dtype=np.float32)
        return Interactions(
            indptr=plays.indptr,
            items=plays.tracks,
            times=plays.times_ms,
            weights=weights,
            n_items=len(self.catalogue),
            card={"time_unit": "ms", "users": len(self.listeners), "tracks": len(self.catalogue)},
        )

    def write(self, folder: str | os.PathLike[str], plays_as: str = "csv") -> list[Path]:
        """Writes `plays.csv` or `.parquet`, `tracks.csv`, `listeners.csv`, `world.json`; see tables.py."""
        from mu.world.tables import write  # polars is needed here only

        return write(self, folder, plays_as)

    def _checked(self, listeners: np.ndarray, times_ms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        listeners, times_ms = np.asarray(listeners), np.asarray(times_ms)
        if listeners.ndim != 1 or listeners.shape != times_ms.shape:
            raise ValueError(f"listeners {listeners.shape} and times_ms {times_ms.shape} must be two equal [B]")
        if len(listeners) and not (listeners.min() >= 0 and listeners.max() < len(self.listeners)):
            bad = listeners[(listeners < 0) | (listeners >= len(self.listeners))][0]
            raise ValueError(f"listeners holds {bad}; this world has listeners 0 to {len(self.listeners) - 1}")
        return listeners.astype(np.int64), times_ms.astype(np.int64)


def simulate(size: str | Settings = "small", seed: int = 0, threads: int | None = None) -> World:
    """Makes a world: catalogue, listeners and all their plays.

    Args:
      size: 'tiny' (300 tracks, 100 listeners, 5,000 plays), 'small' (3,000, 2,000, 100,000), 'large'
        (20,000, 5,000, 1,000,000), or `Settings` of your own.
      seed: everything is a function of size and seed, bit for bit, whatever `threads` is.
      threads: how many threads simulate; None is one for each CPU.

    Raises:
      ValueError: no size has this name, or the seed is negative.
    """
    settings = settings_of(size)
    if seed < 0:
        raise ValueError(f"seed={seed}: it must be 0 or more")
    catalogue = make_catalogue(settings, seed)
    listeners = make_listeners(settings, catalogue, seed)
    tables = taste_tables(catalogue, settings)
    plays = simulate_plays(catalogue, listeners, tables, settings, seed, threads)
    return World(settings, seed, catalogue, listeners, tables, plays)


def load(folder: str | os.PathLike[str], threads: int | None = None) -> World:
    """The world that `World.write` left in `folder`: made again from its settings and seed, then compared.

    Raises:
      FileNotFoundError: there is no `world.json` in the folder.
      ValueError: the world made here has other plays than the one written (another version of mu or NumPy).
    """
    path = Path(folder) / "world.json"
    if not path.is_file():
        raise FileNotFoundError(f"no world at {folder} (world.json is missing); make one with `mu world`")
    card = json.loads(path.read_text())
    world = simulate(Settings(**card["settings"]), card["seed"], threads)
    if world.log().hash() != card["log_hash"]:
        raise ValueError(
            f"{path}: the plays made from its settings and seed differ from those written, so another version"
            " of mu or NumPy made them; simulate the world again with `mu world`"
        )
    return world
