"""Simulates plays and slates week by week; the plays of a week change the popularity of the next."""

import dataclasses
from typing import NamedTuple

import numpy as np

from mu.world.catalogue import Catalogue
from mu.world.charts import Charts, empty_charts
from mu.world.choices import LANES, cumulate, draw_rows
from mu.world.contexts import HOURLY, shifts
from mu.world.listeners import Listeners
from mu.world.listening import simulate_week
from mu.world.records import Laws, Log, Music, People, TasteTables
from mu.world.sessions import count_sessions, start_sessions
from mu.world.settings import DAY_MS, SESSION_GAP_MS, START_MS, WEEK_MS, Settings
from mu.world.slates import Exposures, examination, shelves_of
from mu_kernels.threads import run_rows

HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 7, 8, 6, 5, 5, 6, 6, 5, 5, 6, 8, 9, 9, 9, 8, 6, 4], dtype=np.float64)
"""Weight of each hour of the day as the start of a session."""


@dataclasses.dataclass(frozen=True, eq=False)
class Plays:
    """Every play of a world, grouped by listener and in order of time.

    Attributes:
      indptr: int64 [U + 1]; listener u's plays are `indptr[u]:indptr[u + 1]`.
      tracks: int32 [E].
      times_ms: int64 [E], unix milliseconds of the start; strictly rising for each listener.
      played_ms: int64 [E], how long it was played.
      finished: bool [E]; a skipped play ends before 60 % of the track.
      contexts: int8 [E], the session's context, index into `mu.world.contexts.CONTEXTS`.
      origins: int8 [E], why it was chosen: 0 album, 1 flow, 2 repeat, 3 taste, 4 slate. Part of the truth, not of
        the log.
    """

    indptr: np.ndarray
    tracks: np.ndarray
    times_ms: np.ndarray
    played_ms: np.ndarray
    finished: np.ndarray
    contexts: np.ndarray
    origins: np.ndarray

    def __len__(self) -> int:
        return len(self.tracks)


class Simulation(NamedTuple):
    """The result of a simulation.

    Attributes:
      plays: every play.
      exposures: every slate.
      charts: play counts before each week.
      tables: what a draw by taste reads.
    """

    plays: Plays
    exposures: Exposures
    charts: Charts
    tables: TasteTables


def laws_of(settings: Settings) -> Laws:
    """The scalars of the settings that the kernels need."""
    return Laws(
        start_ms=START_MS,
        end_ms=settings.end_ms,
        week_ms=WEEK_MS,
        day_ms=DAY_MS,
        session_gap_ms=SESSION_GAP_MS,
        stop_probability=1 / settings.session_plays,
        repeat_span=settings.repeat_span,
        repeat_decay=settings.repeat_decay,
        flow_decay=settings.flow_decay,
        accept_bias=settings.accept_bias,
        accept_slope=settings.accept_slope,
    )


def _taste_tables(catalogue: Catalogue, settings: Settings) -> TasteTables:
    """The tables before any week's weights are known: `cumulated` and `masses` are still to be filled."""
    artist, vectors = catalogue.artist, catalogue.vectors
    starts = np.flatnonzero(np.append(True, artist[1:] != artist[:-1]))
    bounds = np.append(starts, len(artist)).astype(np.int64)
    sizes, n_artists = np.diff(bounds), len(starts)
    padded = -(-n_artists // LANES) * LANES
    centres, radii = np.zeros((vectors.shape[1], padded)), np.zeros(padded)
    centres[:, :n_artists] = (np.add.reduceat(vectors, starts) / sizes[:, None]).T
    distance = np.linalg.norm(vectors - np.repeat(centres[:, :n_artists].T, sizes, axis=0), axis=1)
    radii[:n_artists] = np.maximum.reduceat(distance, starts)
    return TasteTables(
        bounds=bounds,
        cumulated=np.zeros((settings.weeks, len(artist))),
        masses=np.zeros((settings.weeks, padded)),
        centres=centres,
        radii=radii,
        reach=float((np.linalg.norm(centres, axis=0) + radii).max()),
        vectors=vectors,
        squares=(vectors**2).sum(axis=1),
    )


def _people(listeners: Listeners, settings: Settings) -> People:
    """What the kernels read of listeners, without sessions; segments are numbered among those that have listeners."""
    return People(
        tastes=listeners.tastes,
        habits=listeners.habits,
        susceptibility=listeners.susceptibility,
        segment=np.unique(listeners.segment, return_inverse=True)[1].astype(np.int32),
        play_bounds=np.concatenate([[0], np.cumsum(listeners.n_plays)]).astype(np.int64),
        session_bounds=np.zeros(len(listeners) + 1, dtype=np.int64),
        starts=np.empty(0, dtype=np.int64),
        shifts=shifts(settings),
        contexts_by_hour=np.cumsum(HOURLY, axis=1),
    )


def _with_sessions(people: People, listeners: Listeners, laws: Laws, seed: int, threads: int | None) -> People:
    """`people` with the sessions that each listener will have."""
    counts = np.empty(len(listeners), dtype=np.int64)
    run_rows(count_sessions, len(listeners), threads, seed, people.play_bounds, laws, counts)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    starts = np.empty(bounds[-1], dtype=np.int64)
    run_rows(
        start_sessions, len(listeners), threads,
        seed, bounds, listeners.joined_ms, listeners.phase_min, np.cumsum(HOURS), laws, starts,
    )  # fmt: skip
    return people._replace(session_bounds=bounds, starts=starts)


def _empty_log(n_plays: int, n_sessions: int, n_slots: int) -> Log:
    return Log(
        tracks=np.empty(n_plays, dtype=np.int32),
        times_ms=np.empty(n_plays, dtype=np.int64),
        played_ms=np.empty(n_plays, dtype=np.int64),
        finished=np.empty(n_plays, dtype=np.bool_),
        origins=np.empty(n_plays, dtype=np.int8),
        contexts=np.empty(n_plays, dtype=np.int8),
        opened_ms=np.empty(n_sessions, dtype=np.int64),
        session_contexts=np.empty(n_sessions, dtype=np.int8),
        slates=np.empty((n_sessions, n_slots), dtype=np.int32),
        propensities=np.empty((n_sessions, n_slots)),
        accepted=np.empty(n_sessions, dtype=np.int8),
    )


def simulate_plays(
    catalogue: Catalogue, listeners: Listeners, settings: Settings, seed: int, threads: int | None = None
) -> Simulation:
    """Simulates every listener's plays; the result does not depend on `threads`."""
    n_listeners, laws = len(listeners), laws_of(settings)
    people = _with_sessions(_people(listeners, settings), listeners, laws, seed, threads)
    music = Music(catalogue.successor, catalogue.flow, catalogue.released_ms, catalogue.duration_ms)
    tables = _taste_tables(catalogue, settings)
    charts = empty_charts(len(catalogue), settings)
    log = _empty_log(int(people.play_bounds[-1]), len(people.starts), settings.slate_tracks)
    examine = np.cumsum(examination(settings))
    segments, keep = np.unique(listeners.segment), np.exp(-1 / settings.feedback_weeks)
    played, opened = np.zeros(n_listeners, dtype=np.int64), np.zeros(n_listeners, dtype=np.int64)
    for week in range(settings.weeks):
        tables.cumulated[week] = charts.weights(catalogue, np.array([week]), settings)[0]
        cumulate(tables.cumulated[week : week + 1], tables.bounds)
        tables.masses[week, : len(tables.bounds) - 1] = tables.cumulated[week, tables.bounds[1:] - 1]
        shelves = shelves_of(catalogue, charts, week, segments, settings, seed)
        last = week == settings.weeks - 1
        until_ms = np.iinfo(np.int64).max if last else START_MS + (week + 1) * WEEK_MS
        before = played.copy()
        run_rows(
            simulate_week, n_listeners, threads,
            week, until_ms, seed, people, music, tables, shelves, examine, laws, played, opened, log,
        )  # fmt: skip
        if not last:
            counts = played - before
            new = np.repeat(people.play_bounds[:-1] + before - (np.cumsum(counts) - counts), counts)
            tracks = log.tracks[new + np.arange(len(new))]
            charts.note(week, tracks, np.repeat(listeners.segment, counts), catalogue.vectors, keep)
    plays = Plays(people.play_bounds, log.tracks, log.times_ms, log.played_ms, log.finished, log.contexts, log.origins)
    exposures = Exposures(
        listeners=np.repeat(np.arange(n_listeners, dtype=np.int32), np.diff(people.session_bounds)),
        times_ms=log.opened_ms,
        contexts=log.session_contexts,
        tracks=log.slates,
        propensities=log.propensities,
        accepted=log.accepted,
    )
    return Simulation(plays, exposures, charts, tables)


def draw_by_taste(
    users: np.ndarray,
    times_ms: np.ndarray,
    contexts: np.ndarray,
    listeners: Listeners,
    tables: TasteTables,
    settings: Settings,
    seed: int,
    threads: int | None = None,
) -> np.ndarray:
    """int32 [B]: for each row a track drawn by the listener's taste at that time, by hash of (seed, row)."""
    out = np.empty(len(users), dtype=np.int32)
    people = _people(listeners, settings)
    run_rows(
        draw_rows, len(out), threads,
        users, times_ms, contexts, seed, people, tables, laws_of(settings), out,
    )  # fmt: skip
    return out
