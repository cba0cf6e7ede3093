"""The kernels that draw a track by taste, exactly, without visiting the catalogue.

A choice by taste has the probability of a softmax over the whole catalogue,

    p(v | x, week)  ~  w[week, v] * exp(x . z_v).

For an artist a with centre c_a and radius r_a, Cauchy-Schwarz gives `exp(x . z_v) <= exp(x . c_a + |x| r_a)`. Draw an
artist by that bound times their weekly mass, draw one of their tracks by weight (inverse cumulated weights), and accept
it with the ratio of `exp(x . z_v)` to the bound; else try again. A taste stays as it is for a session's part of a day,
and so do the bounds.
"""

import numpy as np

from mu.world.draws import CHOICE, CONTEXT, random, row_key
from mu_kernels.compile import kernel

LANES = 64
"""Artists are laid out in rows of this many, so that bounds are summed column by column: loops that LLVM vectorises."""


@kernel
def cumulate(values, bounds):
    """Cumulates each row of `values` [R, V] in place, anew from each of `bounds` on."""
    for row in range(values.shape[0]):
        for part in range(len(bounds) - 1):
            total = 0.0
            for column in range(bounds[part], bounds[part + 1]):
                total += values[row, column]
                values[row, column] = total


@kernel
def day_of(time_ms, laws):
    """The simulated day of a time; times outside belong to the first or the last day."""
    n_days = (laws.end_ms - laws.start_ms) // laws.day_ms
    return min(max((time_ms - laws.start_ms) // laws.day_ms, 0), n_days - 1)


@kernel
def context_of(time_ms, number, people):
    """The context of a session that opens at this time; `number` is random in [0, 1)."""
    hours = people.contexts_by_hour[time_ms // 3600_000 % 24]
    return min(np.searchsorted(hours, number * hours[-1], side="right"), len(hours) - 1)


@kernel
def fill_taste(day, listener, context, people, laws, taste):
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
def fill_bounds(taste, length, week, tables, masses, powers, lanes):
    """Fills `masses` [P] and `lanes` [LANES], which `draw_by_taste` draws an artist from.

    A mass is the weekly mass of an artist times the bound of their tracks, relative to exp(length * reach). Lanes are
    the sums of masses by column, cumulated. `powers` int64 [P] is working memory.

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
def draw_by_taste(taste, length, week, key, play, tables, masses, lanes):
    """A track from the softmax over the catalogue, exactly; `masses` and `lanes` are those of `fill_bounds`."""
    attempt = 0
    while True:
        purpose = CHOICE + 3 * attempt
        attempt += 1
        left = random(key, play, purpose) * lanes[-1]
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
        track = low + np.searchsorted(row, random(key, play, purpose + 1) * row[-1], side="right")
        if track == high:  # rounding only
            continue
        logit = -length * tables.reach
        for d in range(len(taste)):
            logit += taste[d] * tables.vectors[track, d]
        if random(key, play, purpose + 2) * masses[artist] < tables.masses[week, artist] * np.exp(logit):
            return track


@kernel
def draw_rows(first, last, listeners, times_ms, contexts, seed, people, tables, laws, out):
    """Fills `out` [B] with a track by the taste of each row's listener at that time.

    A context of -1 is drawn by the hour.
    """
    taste = np.empty(people.tastes.shape[2])
    masses, powers = np.empty(len(tables.radii)), np.empty(len(tables.radii), dtype=np.int64)
    lanes = np.empty(LANES)
    last_listener, last_day, last_context, length = -1, -1, -1, 0.0
    for row in range(first, last):
        key = row_key(seed, row)
        day, context = day_of(times_ms[row], laws), contexts[row]
        if context < 0:
            context = context_of(times_ms[row], random(key, 0, CONTEXT), people)
        week = day * laws.day_ms // laws.week_ms
        if day != last_day or context != last_context or listeners[row] != last_listener:
            last_listener, last_day, last_context = listeners[row], day, context
            length = fill_taste(day, last_listener, context, people, laws, taste)
            fill_bounds(taste, length, week, tables, masses, powers, lanes)
        out[row] = draw_by_taste(taste, length, week, key, 0, tables, masses, lanes)


@kernel
def cosine(taste, length, track, tables):
    """The cosine of a taste of this length and a track."""
    dot = 0.0
    for d in range(len(taste)):
        dot += taste[d] * tables.vectors[track, d]
    return dot / max(length * np.sqrt(tables.squares[track]), 1e-150)
