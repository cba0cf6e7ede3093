"""Kernels that simulate listening: slates, choices by closed-form law, outcomes, week by week."""

import numpy as np

from mu.world.choices import LANES, context_of, cosine, day_of, draw_by_taste, fill_bounds, fill_taste
from mu.world.draws import (
    ACCEPT,
    COMPONENT,
    CONTEXT,
    EXAMINE,
    FINISH,
    NEW_SESSION,
    PAUSE,
    PICK,
    SHARE,
    SHUFFLE,
    SLOT,
    random,
    row_key,
)
from mu_kernels.compile import kernel

FINISH_BIAS, FINISH_SLOPE = 0.0, 3.0
"""A play is finished with probability sigmoid(bias + slope * cos(taste, track))."""
ALBUM, FLOW, REPEAT, TASTE, SLATE = range(5)
"""Why a track was played."""


@kernel
def _fill_slate(key, session, segment, shelves, slate, propensities):
    """Fills `slate` [K] and `propensities` [K]: a track from each stratum, in random order; -1 and 0 for none."""
    for slot in range(len(slate)):
        low, high = shelves.bounds[slot], shelves.bounds[slot + 1]
        track, propensity = -1, 0.0
        if low < high:
            row = shelves.cumulated[segment, low:high]
            at = np.searchsorted(row, random(key, session, SLOT + slot) * row[-1], side="right")
            at = min(at, len(row) - 1)
            track = shelves.order[low + at]
            propensity = (row[at] - (row[at - 1] if at > 0 else 0.0)) / row[-1]
        place = int(random(key, session, SHUFFLE + slot) * (slot + 1))
        slate[slot], propensities[slot] = slate[place], propensities[place]
        slate[place], propensities[place] = track, propensity


@kernel
def _accepted_place(key, session, taste, length, slate, examine, tables, laws):
    """The place of the slate whose track the listener plays, or -1: they look at one place and take it or not."""
    place = np.searchsorted(examine, random(key, session, EXAMINE) * examine[-1], side="right")
    place = min(place, len(slate) - 1)
    if slate[place] < 0:
        return -1
    logit = laws.accept_bias + laws.accept_slope * cosine(taste, length, slate[place], tables)
    return place if random(key, session, ACCEPT) < 1 / (1 + np.exp(-logit)) else -1


@kernel
def _flow_track(track, time_ms, number, music, decay):
    """One of the released tracks that go well after this one, by geometric weights; -1 for none.

    `number` is random in [0, 1).
    """
    total, weight = 0.0, 1.0
    for k in range(music.flow.shape[1]):
        other = music.flow[track, k]
        if other >= 0 and music.released_ms[other] <= time_ms:
            total += weight
        weight *= decay
    left, weight, chosen = number * total, 1.0, -1
    for k in range(music.flow.shape[1]):
        other = music.flow[track, k]
        if other >= 0 and music.released_ms[other] <= time_ms:
            chosen = other
            if left < weight:
                break
            left -= weight
        weight *= decay
    return chosen


@kernel
def _habitual_track(key, play, at, time_ms, opens, habits, music, laws, tracks):
    """(track, origin) by the law that the listener's habits choose; track -1 where taste must choose.

    `at` is the place of the play in the log's `tracks`; `opens` says whether it opens a session.
    """
    number = random(key, play, COMPONENT)
    if not opens and number < habits[0]:
        return np.int64(music.successor[tracks[at - 1]]), ALBUM
    if not opens and number < habits[0] + habits[1]:
        pick = random(key, play, PICK)
        return np.int64(_flow_track(tracks[at - 1], time_ms, pick, music, laws.flow_decay)), FLOW
    if number >= 1 - habits[2]:
        lags = min(laws.repeat_span, play) - 1  # lags 2 .. lags + 1
        if lags > 0:
            mass = 1 - laws.repeat_decay**lags
            lag = 2 + int(np.log1p(-random(key, play, PICK) * mass) / np.log(laws.repeat_decay))
            return np.int64(tracks[at - min(lag, lags + 1)]), REPEAT
    return np.int64(-1), TASTE


@kernel
def simulate_week(
    first, last, week, until_ms, seed, people, music, tables, shelves, examine, laws, played, opened, log
):  # fmt: skip
    """Lets listeners first <= row < last play on until their next play would start at `until_ms` or later.

    `played` and `opened`, int64 [U], count each listener's plays and sessions so far; both are moved on.
    """
    taste = np.empty(people.tastes.shape[2])
    masses, powers = np.empty(len(tables.radii)), np.empty(len(tables.radii), dtype=np.int64)
    lanes = np.empty(LANES)
    for listener in range(first, last):
        key = row_key(seed, listener)
        begin, n_plays = people.play_bounds[listener], people.play_bounds[listener + 1] - people.play_bounds[listener]
        last_day, last_context, length, bounded = -1, -1, 0.0, False
        while played[listener] < n_plays:
            play, session = played[listener], opened[listener]
            at, slate = begin + play, people.session_bounds[listener] + session
            opens = play == 0 or random(key, play, NEW_SESSION) < laws.stop_probability
            time_ms = people.starts[slate] if opens else 0
            if play > 0:
                gap = laws.session_gap_ms if opens else 0
                pause = 1000 + int(random(key, play, PAUSE) * 3000)
                time_ms = max(time_ms, log.times_ms[at - 1] + log.played_ms[at - 1] + pause + gap)
            if time_ms >= until_ms:
                break
            day = day_of(time_ms, laws)
            context = context_of(time_ms, random(key, session, CONTEXT), people) if opens else log.contexts[at - 1]
            if day != last_day or context != last_context:
                last_day, last_context, bounded = day, context, False
                length = fill_taste(day, listener, context, people, laws, taste)

            track, origin = -1, TASTE
            if opens:
                _fill_slate(key, session, people.segment[listener], shelves, log.slates[slate], log.propensities[slate])
                place = _accepted_place(key, session, taste, length, log.slates[slate], examine, tables, laws)
                log.accepted[slate] = place
                if place >= 0:
                    track, origin = log.slates[slate, place], SLATE
                log.opened_ms[slate], log.session_contexts[slate] = time_ms, context
                opened[listener] += 1
            if track < 0:
                track, origin = _habitual_track(
                    key, play, at, time_ms, opens, people.habits[listener], music, laws, log.tracks
                )
            if track < 0:
                if not bounded:
                    fill_bounds(taste, length, week, tables, masses, powers, lanes)
                    bounded = True
                track, origin = draw_by_taste(taste, length, week, key, play, tables, masses, lanes), TASTE
            similarity = cosine(taste, length, track, tables)
            finished = random(key, play, FINISH) < 1 / (1 + np.exp(-FINISH_BIAS - FINISH_SLOPE * similarity))
            share = 1.0 if finished else 0.02 + 0.58 * random(key, play, SHARE)
            log.tracks[at], log.times_ms[at] = track, time_ms
            log.played_ms[at] = int(music.duration_ms[track] * share)
            log.finished[at], log.origins[at], log.contexts[at] = finished, origin, context
            played[listener] += 1
