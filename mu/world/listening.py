"""The Numba kernels that make listeners listen: slates, sessions, choices by closed-form law, outcomes.

Every random number is a hash of (seed, listener, play or session, purpose): a listener's plays of a week do not
depend on the other listeners' plays of that week, on threads or on how the work is cut. A choice by taste has the
probability of a softmax over the whole catalogue,

    p(v | x, week)  ~  w[week, v] * exp(x . z_v),

and is drawn exactly without visiting the catalogue. For an artist a with centre c_a and radius r_a,
Cauchy-Schwarz gives `exp(x . z_v) <= exp(x . c_a + |x| r_a)`: draw an artist by that bound times their
weekly mass, a track of theirs by weight (inverse cumulated weights), and accept it with the ratio of `exp(x . z_v)` to
the bound; else try again. A taste stays as it is for a session's part of a day, and so do the bounds.
"""

from typing import NamedTuple

import numpy as np

from mu_kernels.compile import kernel
from mu_kernels.hashing import GOLDEN, column_word, fraction, mix

FINISH_BIAS, FINISH_SLOPE = 0.0, 3.0
"""A play is finished with probability sigmoid(bias + slope * cos(taste, track))."""
ALBUM, FLOW, REPEAT, TASTE, SLATE = range(5)
"""Why a track was played."""

# Purposes of random numbers. DAY to SHUFFLE count sessions, the others plays; SLOT and SHUFFLE have one for each of
# up to 100 places of a slate, a choice by taste uses CHOICE + 3 * try + (0, 1, 2).
NEW_SESSION, COMPONENT, PICK, FINISH, SHARE, PAUSE = range(6)
DAY, HOUR, CONTEXT, EXAMINE, ACCEPT, SLOT, SHUFFLE, CHOICE = 6, 7, 8, 9, 10, 32, 160, 288
DRAWS_PER_PLAY = 1 << 24

LANES = 64
"""Artists are laid out in rows of this many, so that bounds are summed column by column: loops that LLVM vectorises."""


class TasteTables(NamedTuple):
    """What a draw by taste reads. V tracks, consecutive by artist; A artists, padded to P, W weeks, D coordinates."""

    bounds: np.ndarray  # int64 [A + 1], artist a has the tracks bounds[a] to bounds[a + 1] - 1
    cumulated: np.ndarray  # float64 [W, V], weights of a week cumulated within each artist
    masses: np.ndarray  # float64 [W, P], their sums
    centres: np.ndarray  # float64 [D, P]
    radii: np.ndarray  # float64 [P]
    reach: float  # no track is farther than this from the origin, its artist's radius included
    vectors: np.ndarray  # float64 [V, D]
    squares: np.ndarray  # float64 [V], squared lengths of the vectors


class People(NamedTuple):
    """What the kernels read of listeners, contexts and the time of day. U listeners, S sessions, C contexts."""

    tastes: np.ndarray  # float64 [W + 1, U, D]
    habits: np.ndarray  # float64 [U, 4]
    susceptibility: np.ndarray  # float64 [U]
    segment: np.ndarray  # int32 [U]
    play_bounds: np.ndarray  # int64 [U + 1]
    session_bounds: np.ndarray  # int64 [U + 1]
    starts: np.ndarray  # int64 [S], when sessions would start at the earliest
    shifts: np.ndarray  # float64 [C, D]
    contexts_by_hour: np.ndarray  # float64 [24, C], cumulated


class Music(NamedTuple):
    """What the kernels read of tracks."""

    successor: np.ndarray  # int32 [V]
    flow: np.ndarray  # int32 [V, K]
    released_ms: np.ndarray  # int64 [V]
    duration_ms: np.ndarray  # int64 [V]


class Shelves(NamedTuple):
    """What the service draws the slates of one week from: a stratum for each track of a slate. G segments."""

    order: np.ndarray  # int64 [released tracks], by stratum
    bounds: np.ndarray  # int64 [K + 1]
    cumulated: np.ndarray  # float64 [G, released tracks], the policy's probabilities cumulated within strata


class Log(NamedTuple):
    """What the kernel writes: plays by listener and time, slates by session."""

    tracks: np.ndarray  # int32 [E]
    times_ms: np.ndarray  # int64 [E]
    played_ms: np.ndarray  # int64 [E]
    finished: np.ndarray  # bool [E]
    origins: np.ndarray  # int8 [E]
    contexts: np.ndarray  # int8 [E]
    opened_ms: np.ndarray  # int64 [S]
    session_contexts: np.ndarray  # int8 [S]
    shown: np.ndarray  # int32 [S, K]
    propensities: np.ndarray  # float64 [S, K]
    accepted: np.ndarray  # int8 [S]


class Laws(NamedTuple):
    """Scalars that the kernels read."""

    start_ms: int
    end_ms: int
    week_ms: int
    day_ms: int
    session_gap_ms: int
    stop_probability: float
    repeat_span: int
    repeat_decay: float
    flow_decay: float
    accept_bias: float
    accept_slope: float


@kernel
def _key(seed, row):
    return mix(mix(np.uint64(seed) + GOLDEN) + np.uint64(row))


@kernel
def _uniform(key, play, purpose):
    """A float64 in [0, 1) from 53 bits of hash(key, play, purpose)."""
    counter = np.uint64(play) * np.uint64(DRAWS_PER_PLAY) + np.uint64(purpose)
    return fraction(column_word(np.uint64(key), counter))


@kernel
def cumulate(values, bounds):
    """Cumulates each row of `values` [R, V] in place, anew from each of `bounds` on."""
    for row in range(values.shape[0]):
        for part in range(len(bounds) - 1):
            total = 0.0
            for column in range(bounds[part], bounds[part + 1]):
                total += values[row, column]
                values[row, column] = total


# Taste


@kernel
def _day_of(time_ms, laws):
    """The simulated day that holds a time; times outside belong to the first or the last."""
    n_days = (laws.end_ms - laws.start_ms) // laws.day_ms
    return min(max((time_ms - laws.start_ms) // laws.day_ms, 0), n_days - 1)


@kernel
def _context_of(time_ms, uniform, people):
    """The context of a session that opens at this time."""
    hours = people.contexts_by_hour[time_ms // 3600_000 % 24]
    return min(np.searchsorted(hours, uniform * hours[-1], side="right"), len(hours) - 1)


@kernel
def _fill_taste(day, listener, context, people, laws, taste):
    """Fills `taste` [D] for a day and a context; returns its length."""
    week = day * laws.day_ms // laws.week_ms
    part = day * laws.day_ms / laws.week_ms - week
    square = 0.0
    for d in range(len(taste)):
        taste[d] = (1 - part) * people.tastes[week, listener, d] + part * people.tastes[week + 1, listener, d]
        taste[d] += people.susceptibility[listener] * people.shifts[context, d]
        square += taste[d] * taste[d]
    return np.sqrt(square)


@kernel
def _fill_bounds(taste, length, week, tables, masses, powers, lanes):
    """Fills `masses` [P] with mass times bound for each artist, relative to exp(length * reach), and `lanes` [LANES]
    with their sums by column, cumulated. `powers` int64 [P] is working memory.

    The exponential is 2^whole, put together from its bits, times a polynomial of 2^part with a relative error of
    1.1e-7, which the factor 1 + 1e-6 makes a bound.
    """
    scale = powers.view(np.float64)
    for artist in range(len(masses)):
        masses[artist] = length * (tables.radii[artist] - tables.reach)
    for d in range(len(taste)):
        for artist in range(len(masses)):
            masses[artist] += taste[d] * tables.centres[d, artist]
    for artist in range(len(masses)):
        logarithm = max(masses[artist] * 1.4426950408889634, -1000.0)
        whole = np.floor(logarithm)
        part = logarithm - whole
        powers[artist] = (np.int64(whole) + 1023) << 52
        value = 0.00894959042337 + 0.00189375405819 * part
        value = 0.0558603370772 + value * part
        value = 0.240141818201 + value * part
        value = 0.693154489663 + value * part
        masses[artist] = 0.99999989835 + value * part
    for artist in range(len(masses)):
        masses[artist] *= (1 + 1e-6) * scale[artist] * tables.masses[week, artist]
    lanes[:] = 0
    for row in range(len(masses) // LANES):
        for lane in range(LANES):
            lanes[lane] += masses[row * LANES + lane]
    for lane in range(1, LANES):
        lanes[lane] += lanes[lane - 1]


@kernel
def _draw_by_taste(taste, length, week, key, play, tables, masses, lanes):
    """A track from the softmax over the catalogue, exactly; `masses` and `lanes` as `_fill_bounds` left them."""
    attempt = 0
    while True:
        purpose = CHOICE + 3 * attempt
        attempt += 1
        left = _uniform(key, play, purpose) * lanes[-1]
        artist = np.searchsorted(lanes, left, side="right")
        if artist == LANES:  # rounding only
            continue
        if artist > 0:
            left -= lanes[artist - 1]
        while artist < len(masses) and left >= masses[artist]:
            left -= masses[artist]
            artist += LANES
        if artist >= len(masses):  # rounding only
            continue
        low, high = tables.bounds[artist], tables.bounds[artist + 1]
        row = tables.cumulated[week, low:high]
        track = low + np.searchsorted(row, _uniform(key, play, purpose + 1) * row[-1], side="right")
        if track == high:  # rounding only
            continue
        logit = -length * tables.reach
        for d in range(len(taste)):
            logit += taste[d] * tables.vectors[track, d]
        if _uniform(key, play, purpose + 2) * masses[artist] < tables.masses[week, artist] * np.exp(logit):
            return track


@kernel
def draw_rows(first, last, listeners, times_ms, contexts, seed, people, tables, laws, out):
    """For each row a track by the listener's taste at that time; a context of -1 is drawn by the hour."""
    taste = np.empty(people.tastes.shape[2])
    masses, powers = np.empty(len(tables.radii)), np.empty(len(tables.radii), dtype=np.int64)
    lanes = np.empty(LANES)
    awake, today, mood, length = -1, -1, -1, 0.0
    for row in range(first, last):
        key = _key(seed, row)
        day, context = _day_of(times_ms[row], laws), contexts[row]
        if context < 0:
            context = _context_of(times_ms[row], _uniform(key, 0, CONTEXT), people)
        week = day * laws.day_ms // laws.week_ms
        if day != today or context != mood or listeners[row] != awake:
            awake, today, mood = listeners[row], day, context
            length = _fill_taste(day, awake, context, people, laws, taste)
            _fill_bounds(taste, length, week, tables, masses, powers, lanes)
        out[row] = _draw_by_taste(taste, length, week, key, 0, tables, masses, lanes)


# Sessions


@kernel
def count_sessions(first, last, seed, play_bounds, laws, out):
    """int64 [U]: how many sessions each listener has; a play ends its session with the same probability always."""
    for listener in range(first, last):
        key, count = _key(seed, listener), 1
        for play in range(1, play_bounds[listener + 1] - play_bounds[listener]):
            if _uniform(key, play, NEW_SESSION) < laws.stop_probability:
                count += 1
        out[listener] = count


@kernel
def start_sessions(first, last, seed, session_bounds, joined_ms, phase_min, hours, laws, starts):
    """Fills `starts` [S]: when the sessions of each listener would start at the earliest, sorted."""
    for listener in range(first, last):
        key = _key(seed, listener)
        begin, end = session_bounds[listener], session_bounds[listener + 1]
        # A day is left free at the end, so that sessions that begin late still fit.
        days = max((laws.end_ms - joined_ms[listener]) // laws.day_ms - 1, 1)
        for session in range(end - begin):
            day = int(_uniform(key, session, DAY) * days)
            place = _uniform(key, session, HOUR) * hours[-1]
            hour = np.searchsorted(hours, place, side="right")
            before = hours[hour - 1] if hour > 0 else 0.0
            within = (hour + (place - before) / (hours[hour] - before)) * 3600_000.0 + phase_min[listener] * 60_000.0
            starts[begin + session] = joined_ms[listener] + day * laws.day_ms + int(within % laws.day_ms)
        starts[begin:end].sort()


@kernel
def _show_slate(key, session, segment, shelves, shown, propensities):
    """Fills `shown` [K] and `propensities` [K]: a track from each stratum, in random order; -1 and 0 for none."""
    for slot in range(len(shown)):
        low, high = shelves.bounds[slot], shelves.bounds[slot + 1]
        track, propensity = -1, 0.0
        if low < high:
            row = shelves.cumulated[segment, low:high]
            uniform = _uniform(key, session, SLOT + slot)
            at = min(np.searchsorted(row, uniform * row[-1], side="right"), len(row) - 1)
            track = shelves.order[low + at]
            propensity = (row[at] - (row[at - 1] if at > 0 else 0.0)) / row[-1]
        place = int(_uniform(key, session, SHUFFLE + slot) * (slot + 1))
        shown[slot], propensities[slot] = shown[place], propensities[place]
        shown[place], propensities[place] = track, propensity


@kernel
def _cosine(taste, length, track, tables):
    dot = 0.0
    for d in range(len(taste)):
        dot += taste[d] * tables.vectors[track, d]
    return dot / max(length * np.sqrt(tables.squares[track]), 1e-150)


@kernel
def _flow_track(track, time_ms, uniform, music, decay):
    """One of the tracks that go well after this one and are out, by geometric weights; -1 for none."""
    total, weight = 0.0, 1.0
    for k in range(music.flow.shape[1]):
        other = music.flow[track, k]
        if other >= 0 and music.released_ms[other] <= time_ms:
            total += weight
        weight *= decay
    left, weight, found = uniform * total, 1.0, -1
    for k in range(music.flow.shape[1]):
        other = music.flow[track, k]
        if other >= 0 and music.released_ms[other] <= time_ms:
            found = other
            if left < weight:
                break
            left -= weight
        weight *= decay
    return found


@kernel
def simulate_week(
    first, last, week, until_ms, seed, people, music, tables, shelves, examine, laws, played, opened, log
):  # fmt: skip
    """Lets each listener play on until their next play would start at `until_ms` or later.

    `played` and `opened`, int64 [U], say how many plays and sessions each has had; they are moved on.
    """
    taste = np.empty(people.tastes.shape[2])
    masses, powers = np.empty(len(tables.radii)), np.empty(len(tables.radii), dtype=np.int64)
    lanes = np.empty(LANES)
    for listener in range(first, last):
        key = _key(seed, listener)
        begin, n_plays = people.play_bounds[listener], people.play_bounds[listener + 1] - people.play_bounds[listener]
        habits = people.habits[listener]
        today, mood, length, bounded = -1, -1, 0.0, False
        while played[listener] < n_plays:
            play = played[listener]
            at = begin + play
            session = opened[listener]
            slate = people.session_bounds[listener] + session
            opens = play == 0 or _uniform(key, play, NEW_SESSION) < laws.stop_probability
            now = people.starts[slate] if opens else 0
            if play > 0:
                gap = laws.session_gap_ms if opens else 0
                pause = 1000 + int(_uniform(key, play, PAUSE) * 3000)
                now = max(now, log.times_ms[at - 1] + log.played_ms[at - 1] + pause + gap)
            if now >= until_ms:
                break
            day = _day_of(now, laws)
            context = _context_of(now, _uniform(key, session, CONTEXT), people) if opens else log.contexts[at - 1]
            if day != today or context != mood:
                today, mood, bounded = day, context, False
                length = _fill_taste(day, listener, context, people, laws, taste)

            track, origin = -1, TASTE
            if opens:
                # The listener looks at one place of the slate and takes what is there, or goes on as ever.
                shown = log.shown[slate]
                _show_slate(key, session, people.segment[listener], shelves, shown, log.propensities[slate])
                place = np.searchsorted(examine, _uniform(key, session, EXAMINE) * examine[-1], side="right")
                place = min(place, len(shown) - 1)
                log.accepted[slate] = -1
                if shown[place] >= 0:
                    logit = laws.accept_bias + laws.accept_slope * _cosine(taste, length, shown[place], tables)
                    if _uniform(key, session, ACCEPT) < 1 / (1 + np.exp(-logit)):
                        log.accepted[slate] = place
                        track, origin = shown[place], SLATE
                log.opened_ms[slate], log.session_contexts[slate] = now, context
                opened[listener] += 1
            if track < 0:
                # Which law chooses: one uniform number against the listener's habits.
                uniform = _uniform(key, play, COMPONENT)
                if not opens and uniform < habits[0]:
                    track, origin = music.successor[log.tracks[at - 1]], ALBUM
                elif not opens and uniform < habits[0] + habits[1]:
                    pick = _uniform(key, play, PICK)
                    track, origin = _flow_track(log.tracks[at - 1], now, pick, music, laws.flow_decay), FLOW
                elif uniform >= 1 - habits[2]:
                    lags = min(laws.repeat_span, play) - 1  # lags 2 .. lags + 1
                    if lags > 0:
                        mass = 1 - laws.repeat_decay**lags
                        lag = 2 + int(np.log1p(-_uniform(key, play, PICK) * mass) / np.log(laws.repeat_decay))
                        track, origin = log.tracks[at - min(lag, lags + 1)], REPEAT
            if track < 0:
                if not bounded:
                    _fill_bounds(taste, length, week, tables, masses, powers, lanes)
                    bounded = True
                track, origin = _draw_by_taste(taste, length, week, key, play, tables, masses, lanes), TASTE

            cosine = _cosine(taste, length, track, tables)
            done = _uniform(key, play, FINISH) < 1 / (1 + np.exp(-FINISH_BIAS - FINISH_SLOPE * cosine))
            share = 1.0 if done else 0.02 + 0.58 * _uniform(key, play, SHARE)
            log.tracks[at], log.times_ms[at] = track, now
            log.played_ms[at] = int(music.duration_ms[track] * share)
            log.finished[at], log.origins[at], log.contexts[at] = done, origin, context
            played[listener] += 1
