"""The kernels that say how many sessions each listener has, and when they start at the earliest."""

import numpy as np

from mu.world.draws import DAY, HOUR, NEW_SESSION, random, row_key
from mu_kernels.compile import kernel


@kernel
def count_sessions(first, last, seed, play_bounds, laws, out):
    """Fills `out` int64 [U]: the number of sessions of each listener; every play may end its session."""
    for listener in range(first, last):
        key, count = row_key(seed, listener), 1
        for play in range(1, play_bounds[listener + 1] - play_bounds[listener]):
            if random(key, play, NEW_SESSION) < laws.stop_probability:
                count += 1
        out[listener] = count


@kernel
def start_sessions(first, last, seed, session_bounds, joined_ms, phase_min, hours, laws, starts):
    """Fills `starts` [S]: the earliest start of each session, sorted for each listener."""
    for listener in range(first, last):
        key = row_key(seed, listener)
        begin, end = session_bounds[listener], session_bounds[listener + 1]
        # A day is left free at the end, so that sessions that begin late still fit.
        days = max((laws.end_ms - joined_ms[listener]) // laws.day_ms - 1, 1)
        for session in range(end - begin):
            day = int(random(key, session, DAY) * days)
            place = random(key, session, HOUR) * hours[-1]
            hour = np.searchsorted(hours, place, side="right")
            before = hours[hour - 1] if hour > 0 else 0.0
            within = (hour + (place - before) / (hours[hour] - before)) * 3600_000.0 + phase_min[listener] * 60_000.0
            starts[begin + session] = joined_ms[listener] + day * laws.day_ms + int(within % laws.day_ms)
        starts[begin:end].sort()
