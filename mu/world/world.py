"""A simulated music world: `simulate` makes one, `World` answers what its listeners would play."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from mu.data.logs.interactions import Interactions
from mu.files import read_json
from mu.world.catalogue import Catalogue, make_catalogue
from mu.world.charts import Charts
from mu.world.contexts import CONTEXTS, context_shares
from mu.world.groups import Group, groups_of
from mu.world.listeners import Listeners, make_listeners
from mu.world.next_play import Histories, next_play_probability
from mu.world.plays import Plays, draw_by_taste, simulate_plays
from mu.world.records import TasteTables
from mu.world.settings import START_MS, Settings, settings_of, week_of
from mu.world.slates import Exposures, examination
from mu.world.sound import sound
from mu.world.truth import Truth


@dataclasses.dataclass(frozen=True, eq=False)
class World:
    """Artists, tracks, listeners, their plays, their slates, and the probabilities behind them.

    Listeners and tracks are rows here; the files of `mu.world.tables` name them `listener-00012` and `track-000345`.
    Times are unix milliseconds. `contexts`, where a method takes it, is int [B]: a place in
    `mu.world.contexts.CONTEXTS`, or -1 where the context is not known; None means that no context is known. The result
    for an unknown context is the exact mean over P(context | hour of the day).

    Attributes:
      settings: sizes and laws.
      seed: everything is a function of settings and seed.
      catalogue: all tracks.
      listeners: all listeners.
      plays: every play.
      exposures: every slate that the listening service showed.
      charts: what was played before each week.
      tables: what a draw by taste reads.
    """

    settings: Settings
    seed: int
    catalogue: Catalogue
    listeners: Listeners
    plays: Plays
    exposures: Exposures
    charts: Charts
    tables: TasteTables

    def __repr__(self) -> str:
        """Its sizes and the day it starts."""
        start = str(np.datetime64(START_MS, "ms").astype("datetime64[D]"))
        return (
            f"World({len(self.catalogue):,} tracks by {len(self.catalogue.artist_names):,} artists, "
            f"{len(self.listeners):,} listeners, {len(self.plays):,} plays in "
            f"{self.settings.weeks} weeks from {start}, seed {self.seed})"
        )

    @property
    def truth(self) -> Truth:
        """The laws in float64, for arguments that are checked already."""
        return Truth(self.settings, self.seed, self.catalogue, self.listeners, self.charts)

    def context_probability(self, times_ms: np.ndarray) -> np.ndarray:
        """float64 [B, C]: the probability of each context for a session that opens at that time."""
        return context_shares(np.asarray(times_ms), None)

    def taste(self, listeners: np.ndarray, times_ms: np.ndarray, contexts: np.ndarray | None = None) -> np.ndarray:
        """float64 [B, D]: the taste vector of each listener at each time, in a context."""
        return self.truth.taste(*self._checked(listeners, times_ms, contexts))

    def popularity(self, times_ms: np.ndarray) -> np.ndarray:
        """float64 [B, V]: the weight of each track without taste, `w_v` of that week: fame, novelty and feedback."""
        return self.charts.weights(self.catalogue, week_of(times_ms, self.settings), self.settings)

    def preference(self, listeners: np.ndarray, times_ms: np.ndarray, contexts: np.ndarray | None = None) -> np.ndarray:
        """The probability that a listener who chooses by taste alone, at that time, plays each track.

        Args:
          listeners: int [B].
          times_ms: int [B], unix milliseconds.
          contexts: see the class.

        Returns:
          float32 [B, V]; rows sum to 1 (to rounding); 0 for unreleased tracks. Needs 24 B V bytes of working memory.
        """
        return self.truth.preference(*self._checked(listeners, times_ms, contexts)).astype(np.float32)

    def next_play_probability(
        self,
        listeners: np.ndarray,
        times_ms: np.ndarray,
        histories: Histories,
        continuing: np.ndarray | None = None,
        contexts: np.ndarray | None = None,
    ) -> np.ndarray:
        """The probability of each track to be the listener's next play, given the time and all earlier plays.

        Args:
          listeners: int [B].
          times_ms: int [B], when the next play starts.
          histories: the earlier plays of these B listeners (`indptr`, `items` = rows of this catalogue, `times`).
          continuing: float [B] in [0, 1], the probability that the play belongs to the session of the last one; None
            reads it from the gap between the last play and `times_ms`, which decides it with certainty.
          contexts: the context of the play, see the class. None: a session that goes on has the context that it has in
            this world, one that opens has any.

        Returns:
          float32 [B, V]; rows sum to 1 (to rounding). Where the history is complete and `continuing` is None, this is
          exactly the law that the simulator drew the play from.
        """
        users, times_ms, contexts = self._checked(listeners, times_ms, contexts)
        if len(histories.indptr) != len(users) + 1:
            raise ValueError(
                f"histories has {len(histories.indptr) - 1} rows for {len(users)} listeners; it needs as many"
            )
        probability = next_play_probability(self.truth, self.plays, users, times_ms, histories, continuing, contexts)
        return probability.astype(np.float32)

    def finish_probability(
        self, listeners: np.ndarray, times_ms: np.ndarray, tracks: np.ndarray, contexts: np.ndarray | None = None
    ) -> np.ndarray:
        """float32 [B]: the probability that the listener finishes the track, if they play it at that time."""
        users, times_ms, contexts = self._checked(listeners, times_ms, contexts)
        return self.truth.finish_probability(users, times_ms, np.asarray(tracks), contexts).astype(np.float32)

    def exposure_probability(self, listeners: np.ndarray, times_ms: np.ndarray) -> np.ndarray:
        """float64 [B, V]: the probability that the service puts each track into a slate for that listener.

        Rows sum to the number of filled places: `slate_tracks`, where the catalogue has so many. These are the
        propensities of `exposures`; the place of a track is uniform and independent of all else.
        """
        users, times_ms, _ = self._checked(listeners, times_ms, None)
        return self.truth.exposure_probability(users, times_ms)

    def acceptance(self, listeners: np.ndarray, times_ms: np.ndarray, contexts: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]: the probability that a listener who looks at a place of a slate plays the track there."""
        return self.truth.acceptance(*self._checked(listeners, times_ms, contexts)).astype(np.float32)

    def examination(self) -> np.ndarray:
        """float64 [K]: the probability that a listener looks at each place of a slate; they look at exactly one."""
        return examination(self.settings)

    def sample(
        self,
        listeners: np.ndarray,
        times_ms: np.ndarray,
        seed: int = 0,
        threads: int | None = None,
        contexts: np.ndarray | None = None,
    ) -> np.ndarray:
        """int32 [B]: a track for each row, drawn from `preference` of that row; equal for any `threads`."""
        users, times_ms, contexts = self._checked(listeners, times_ms, contexts)
        contexts = np.full(len(users), -1) if contexts is None else contexts
        return draw_by_taste(users, times_ms, contexts, self.listeners, self.tables, self.settings, seed, threads)

    def groups(self) -> list[Group]:
        """Countries and age groups: the members of each, its share, and whether it is a minority."""
        return groups_of(self.listeners.country, self.listeners.age_group)

    def sound(self, tracks: np.ndarray, threads: int | None = None) -> np.ndarray:
        """float32 [B, 128000]: the sound of tracks, int [B]: 8 s, 16 kHz, mono, rendered now; see sound.py."""
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

    def _checked(
        self, listeners: np.ndarray, times_ms: np.ndarray, contexts: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        listeners, times_ms = np.asarray(listeners), np.asarray(times_ms)
        if listeners.ndim != 1 or listeners.shape != times_ms.shape:
            raise ValueError(f"listeners {listeners.shape} and times_ms {times_ms.shape} must be two equal [B]")
        if len(listeners) and not (listeners.min() >= 0 and listeners.max() < len(self.listeners)):
            bad = listeners[(listeners < 0) | (listeners >= len(self.listeners))][0]
            raise ValueError(f"listeners holds {bad}; this world has listeners 0 to {len(self.listeners) - 1}")
        if contexts is not None:
            contexts = np.asarray(contexts).astype(np.int64)
            if contexts.shape != listeners.shape:
                raise ValueError(f"contexts {contexts.shape} and listeners {listeners.shape} must be equal [B]")
            if len(contexts) and not (contexts.min() >= -1 and contexts.max() < len(CONTEXTS)):
                bad = contexts[(contexts < -1) | (contexts >= len(CONTEXTS))][0]
                raise ValueError(f"contexts holds {bad}; it must be -1 (not known) or 0 to {len(CONTEXTS) - 1}")
        return listeners.astype(np.int64), times_ms.astype(np.int64), contexts


def simulate(size: str | Settings = "small", seed: int = 0, threads: int | None = None) -> World:
    """Simulates a world: its catalogue, its listeners, every slate and every play.

    Args:
      size: 'tiny' (300 tracks, 100 listeners, 5,000 plays), 'small' (3,000, 2,000, 100,000), 'medium'
        (100,000, 50,000, 10,000,000), or `Settings` of your own.
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
    simulation = simulate_plays(catalogue, listeners, settings, seed, threads)
    return World(settings, seed, catalogue, listeners, *simulation)


def load(folder: str | os.PathLike[str], threads: int | None = None) -> World:
    """The world that `mu.world.tables.write` wrote to a folder: simulated again, then compared.

    Raises:
      FileNotFoundError: there is no `world.json` in the folder.
      ValueError: the world simulated here has other plays than the one written (another version of mu or NumPy).
    """
    path = Path(folder) / "world.json"
    if not path.is_file():
        raise FileNotFoundError(f"no world at {folder} (world.json is missing); make one with `mu world`")
    card = read_json(path)
    world = simulate(Settings(**card["settings"]), card["seed"], threads)
    if (world.log().hash(), world.exposures.hash()) != (card["log_hash"], card.get("exposures_hash")):
        raise ValueError(
            f"{path}: what was played and shown, made from its settings and seed, differs from what was written, so"
            " another version of mu or NumPy made that; simulate the world again with `mu world`"
        )
    return world
