"""The Numba kernel that makes listeners listen: sessions, choices by closed-form law, outcomes.

Every random number is a hash of (seed, listener, play, purpose): a listener's plays do not depend on other
listeners, on threads or on how the work is cut. A choice by taste has the probability of a softmax over the
whole catalogue,

    p(v | x, week)  ~  w[week, v] * exp(x . z_v),

and is drawn exactly without visiting the catalogue. For an artist a with centre c_a and radius r_a,
Cauchy-Schwarz gives `exp(x . z_v) <= exp(x . c_a + |x| r_a)`: draw an artist by that bound times their
weekly mass, a track of theirs by weight (inverse cumulated weights), and accept it with probability
`exp(x . (z_v - c_a) - |x| r_a)`; else try again. Tastes move at midnight, so the bounds of a listener are
computed once a day.
"""

import dataclasses
import itertools
from typing import NamedTuple

import numpy as np

from mu.world.catalogue import Catalogue, weekly_weights
from mu.world.listeners import Listeners
from mu.world.settings import DAY_MS, SESSION_GAP_MS, START_MS, WEEK_MS, Settings
from mu_kernels._jit import kernel
from mu_kernels._threads import run_rows

FINISH_BIAS, FINISH_SLOPE = 0.0, 3.0
"""A play is finished with probability sigmoid(bias + slope * cos(taste, track))."""
HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 7, 8, 6, 5, 5, 6, 6, 5, 5, 6, 8, 9, 9, 9, 8, 6, 4], dtype=np.float64)
"""How often sessions start in each hour of the day."""

# Purposes of a play's random numbers; a choice by taste uses CHOICE + 3 * try + (0, 1, 2).
NEW_SESSION, DAY, HOUR, COMPONENT, PICK, FINISH, SHARE, PAUSE, CHOICE = range(9)
DRAWS_PER_PLAY = 1 << 24


class TasteTables(NamedTuple):
    """What a draw by taste reads. V tracks, consecutive by artist; A artists, W weeks, D coordinates."""

    bounds: np.ndarray  # int64 [A + 1], artist a has the tracks bounds[a] to bounds[a + 1] - 1
    cumulated: np.ndarray  # float64 [W, V], weights of a week cumulated within each artist
    centres: np.ndarray  # float64 [D, A]
    radii: np.ndarray  # float64 [A]
    vectors: np.ndarray  # float64 [V, D]


class Laws(NamedTuple):
    """Scalars of the kernel; arguments, because compiled code is cached by the date of this file alone."""

    start_ms: int
    end_ms: int
    week_ms: int
    day_ms: int
    session_gap_ms: int
    stop_probability: float
    repeat_span: int
    repeat_decay: float
    flow_decay: float


@dataclasses.dataclass(frozen=True, eq=False)
class Plays:
    """Every play of a world, grouped by listener and in order of time.

    Attributes:
      indptr: int64 [U + 1]; listener u's plays are `indptr[u]:indptr[u + 1]`.
      tracks: int32 [E].
      times_ms: int64 [E], unix milliseconds of the start; strictly rising for each listener.
      played_ms: int64 [E], how long it was played.
      finished: bool [E]; a skipped play ends before 60 % of the track.
      origins: int8 [E], why it was chosen: 0 album, 1 flow, 2 repeat, 3 taste. Part of the truth, not of
        the log.
    """

    indptr: np.ndarray
    tracks: np.ndarray
    times_ms: np.ndarray
    played_ms: np.ndarray
    finished: np.ndarray
    origins: np.ndarray

    def __len__(self) -> int:
        return len(self.tracks)


def laws_of(settings: Settings) -> Laws:
    """The scalars of the settings that the kernel needs."""
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
    )


def taste_tables(catalogue: Catalogue, settings: Settings) -> TasteTables:
    """Cumulates each week's weights within each artist: O(weeks * tracks) time and memory."""
    artist, vectors = catalogue.artist, catalogue.vectors
    starts = np.flatnonzero(np.append(True, artist[1:] != artist[:-1]))
    bounds = np.append(starts, len(artist)).astype(np.int64)
    sizes = np.diff(bounds)
    centres = np.add.reduceat(vectors, starts) / sizes[:, None]
    distance = np.linalg.norm(vectors - np.repeat(centres, sizes, axis=0), axis=1)
    weights = weekly_weights(catalogue, np.arange(settings.weeks), settings)
    for low, high in itertools.pairwise(bounds):
        np.cumsum(weights[:, low:high], axis=1, out=weights[:, low:high])
    # The radius gets a whisker more, so that rounding cannot lift an acceptance above 1.
    radii = np.maximum.reduceat(distance, starts) * (1 + 1e-9) + 1e-12
    return TasteTables(bounds, weights, np.ascontiguousarray(centres.T), radii, vectors)


@kernel
def _mix(value):
    """The finalizer of splitmix64 (Steele, Lea & Flood 2014)."""
    value = np.uint64(value)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@kernel
def _key(seed, row):
    return _mix(_mix(np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15)) + np.uint64(row))


@kernel
def _uniform(key, play, purpose):
    """A float64 in [0, 1) from 53 bits of hash(key, play, purpose)."""
    counter = np.uint64(play) * np.uint64(DRAWS_PER_PLAY) + np.uint64(purpose)
    bits = _mix(np.uint64(key) + (counter + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
    return np.float64(bits >> np.uint64(11)) * 2.0**-53


@kernel
def _day_of(time_ms, laws):
    """The simulated day that holds a time; times outside belong to the first or the last."""
    n_days = (laws.end_ms - laws.start_ms) // laws.day_ms
    return min(max((time_ms - laws.start_ms) // laws.day_ms, 0), n_days - 1)


@kernel
def _wake(day, listener, tastes, tables, laws, taste, masses):
    """Fills `taste` [D] for the day and `masses` [A] with cumulated bounds by artist; returns |taste|."""
    week = day * laws.day_ms // laws.week_ms
    part = day * laws.day_ms / laws.week_ms - week
    square = 0.0
    for d in range(len(taste)):
        taste[d] = (1 - part) * tastes[week, listener, d] + part * tastes[week + 1, listener, d]
        square += taste[d] * taste[d]
    length = np.sqrt(square)
    for artist in range(len(masses)):
        masses[artist] = length * tables.radii[artist]
    for d in range(len(taste)):
        for artist in range(len(masses)):
            masses[artist] += taste[d] * tables.centres[d, artist]
    total = 0.0
    for artist in range(len(masses)):
        mass = tables.cumulated[week, tables.bounds[artist + 1] - 1]
        if mass > 0:
            total += mass * np.exp(masses[artist])
        masses[artist] = total
    return length


@kernel
def _draw_by_taste(taste, length, week, key, play, tables, masses):
    """A track from the softmax over the catalogue, exactly; `masses` as `_wake` left them."""
    attempt = 0
    while True:
        purpose = CHOICE + 3 * attempt
        attempt += 1
        artist = np.searchsorted(masses, _uniform(key, play, purpose) * masses[-1], side="right")
        if artist == len(masses):  # rounding only
            continue
        low, high = tables.bounds[artist], tables.bounds[artist + 1]
        row = tables.cumulated[week, low:high]
        track = low + np.searchsorted(row, _uniform(key, play, purpose + 1) * row[-1], side="right")
        if track == high:  # rounding only
            continue
        excess = -length * tables.radii[artist]
        for d in range(len(taste)):
            excess += taste[d] * (tables.vectors[track, d] - tables.centres[d, artist])
        if _uniform(key, play, purpose + 2) < np.exp(excess):
            return track


@kernel
def _draw_rows(first, last, listeners, times_ms, seed, tastes, tables, laws, out):
    taste = np.empty(tastes.shape[2])
    masses = np.empty(len(tables.radii))
    awake, today, length = -1, -1, 0.0
    for row in range(first, last):
        day = _day_of(times_ms[row], laws)
        if day != today or listeners[row] != awake:
            awake, today = listeners[row], day
            length = _wake(day, awake, tastes, tables, laws, taste, masses)
        week = day * laws.day_ms // laws.week_ms
        out[row] = _draw_by_taste(taste, length, week, _key(seed, row), 0, tables, masses)


@kernel
def _flow_track(track, time_ms, uniform, flow, released_ms, decay):
    """One of the tracks that go well after this one and are out, by geometric weights; -1 for none."""
    total, weight = 0.0, 1.0
    for k in range(flow.shape[1]):
        other = flow[track, k]
        if other >= 0 and released_ms[other] <= time_ms:
            total += weight
        weight *= decay
    left, weight, found = uniform * total, 1.0, -1
    for k in range(flow.shape[1]):
        other = flow[track, k]
        if other >= 0 and released_ms[other] <= time_ms:
            found = other
            if left < weight:
                break
            left -= weight
        weight *= decay
    return found


@kernel
def _session_starts(key, n_plays, joined_ms, phase_min, hours, laws):
    """int64: when the sessions of a listener would start, sorted, one for each play that opens a session."""
    count = 0
    for play in range(n_plays):
        if play == 0 or _uniform(key, play, NEW_SESSION) < laws.stop_probability:
            count += 1
    starts = np.empty(count, dtype=np.int64)
    # A day is left free at the end, so that sessions that begin late still fit.
    days = max((laws.end_ms - joined_ms) // laws.day_ms - 1, 1)
    for session in range(count):
        day = int(_uniform(key, session, DAY) * days)
        place = _uniform(key, session, HOUR) * hours[-1]
        hour = np.searchsorted(hours, place, side="right")
        before = hours[hour - 1] if hour > 0 else 0.0
        within = (hour + (place - before) / (hours[hour] - before)) * 3600_000.0 + phase_min * 60_000.0
        starts[session] = joined_ms + day * laws.day_ms + int(within % laws.day_ms)
    starts.sort()
    return starts


@kernel
def _simulate(
    first, last, seed, indptr, tastes, habits, joined_ms, phase_min, tables, successor, flow, released_ms,
    duration_ms, hours, laws, tracks, times_ms, played_ms, finished, origins,
):  # fmt: skip
    taste = np.empty(tastes.shape[2])
    masses = np.empty(len(tables.radii))
    for listener in range(first, last):
        key = _key(seed, listener)
        begin = indptr[listener]
        n_plays = indptr[listener + 1] - begin
        starts = _session_starts(key, n_plays, joined_ms[listener], phase_min[listener], hours, laws)
        session = 0
        now = starts[0]
        today, length = -1, 0.0
        for play in range(n_plays):
            at = begin + play
            opens = play == 0 or _uniform(key, play, NEW_SESSION) < laws.stop_probability
            if play > 0:
                pause = 1000 + int(_uniform(key, play, PAUSE) * 3000)
                now = times_ms[at - 1] + played_ms[at - 1] + pause
                if opens:
                    session += 1
                    now = max(starts[session], now + laws.session_gap_ms)
            # Which law chooses: one uniform number against the listener's habits.
            uniform = _uniform(key, play, COMPONENT)
            track = np.int32(-1)
            origin = 3
            if not opens and uniform < habits[listener, 0]:
                track = successor[tracks[at - 1]]
                origin = 0
            elif not opens and uniform < habits[listener, 0] + habits[listener, 1]:
                track = np.int32(
                    _flow_track(
                        tracks[at - 1],
                        now,
                        _uniform(key, play, PICK),
                        flow,
                        released_ms,
                        laws.flow_decay,
                    )
                )
                origin = 1
            elif uniform >= 1 - habits[listener, 2]:
                lags = min(laws.repeat_span, play) - 1  # lags 2 .. lags + 1
                if lags > 0:
                    mass = 1 - laws.repeat_decay**lags
                    lag = 2 + int(np.log1p(-_uniform(key, play, PICK) * mass) / np.log(laws.repeat_decay))
                    track = tracks[at - min(lag, lags + 1)]
                    origin = 2
            day = _day_of(now, laws)
            if day != today:
                today = day
                length = _wake(day, listener, tastes, tables, laws, taste, masses)
            if track < 0:
                week = day * laws.day_ms // laws.week_ms
                track = _draw_by_taste(taste, length, week, key, play, tables, masses)
                origin = 3
            # The outcome: how well the track fits the taste, as a cosine.
            dot, other = 0.0, 0.0
            for d in range(len(taste)):
                dot += taste[d] * tables.vectors[track, d]
                other += tables.vectors[track, d] ** 2
            cosine = dot / max(length * np.sqrt(other), 1e-150)
            done = _uniform(key, play, FINISH) < 1 / (1 + np.exp(-FINISH_BIAS - FINISH_SLOPE * cosine))
            share = 1.0 if done else 0.02 + 0.58 * _uniform(key, play, SHARE)
            tracks[at] = track
            times_ms[at] = now
            played_ms[at] = int(duration_ms[track] * share)
            finished[at] = done
            origins[at] = origin


def simulate_plays(
    catalogue: Catalogue,
    listeners: Listeners,
    tables: TasteTables,
    settings: Settings,
    seed: int,
    threads: int | None = None,
) -> Plays:
    """Simulates every listener's plays; the result does not depend on `threads`."""
    indptr = np.concatenate([[0], np.cumsum(listeners.n_plays)]).astype(np.int64)
    n_events = int(indptr[-1])
    plays = Plays(
        indptr=indptr,
        tracks=np.empty(n_events, dtype=np.int32),
        times_ms=np.empty(n_events, dtype=np.int64),
        played_ms=np.empty(n_events, dtype=np.int64),
        finished=np.empty(n_events, dtype=np.bool_),
        origins=np.empty(n_events, dtype=np.int8),
    )
    run_rows(
        _simulate, len(listeners), threads,
        seed, indptr, listeners.tastes, listeners.habits, listeners.joined_ms, listeners.phase_min, tables,
        catalogue.successor, catalogue.flow, catalogue.released_ms, catalogue.duration_ms,
        np.cumsum(HOURS), laws_of(settings),
        plays.tracks, plays.times_ms, plays.played_ms, plays.finished, plays.origins,
    )  # fmt: skip
    return plays


def draw_by_taste(
    listeners: np.ndarray,
    times_ms: np.ndarray,
    tastes: np.ndarray,
    tables: TasteTables,
    settings: Settings,
    seed: int,
    threads: int | None = None,
) -> np.ndarray:
    """int32 [B]: for each row a track drawn by the listener's taste at that time, by hash of (seed, row)."""
    out = np.empty(len(listeners), dtype=np.int32)
    run_rows(_draw_rows, len(out), threads, listeners, times_ms, seed, tastes, tables, laws_of(settings), out)
    return out
