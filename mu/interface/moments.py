"""The moment for which a recommendation is asked."""

import datetime
from typing import Any

import numpy as np

from mu.data.logs.moments import parse_moment, show_moment

EARLIEST_MS = 365 * 24 * 3600 * 1000
"""Unix seconds of this century, taken for milliseconds, lie before 1971 began."""


def moment_ms(at: Any) -> int:
    """A moment as unix milliseconds.

    Args:
      at: a datetime (UTC where it has no zone), a date, a numpy datetime64, ISO 8601 as text, or unix milliseconds.

    Raises:
      ValueError: it is none of these; or it is milliseconds within 1970, as a time in seconds would be.
    """
    if isinstance(at, np.datetime64) and not np.isnat(at):
        return int(at.astype("datetime64[ms]").astype(np.int64))
    if isinstance(at, datetime.date):  # a datetime too
        return parse_moment(at.isoformat(), "at")
    if isinstance(at, str):
        return parse_moment(at, "at")
    if isinstance(at, int | np.integer) and not isinstance(at, bool):
        if 0 <= at < EARLIEST_MS:
            raise ValueError(
                f"at is {at}, which as unix milliseconds is {show_moment(int(at))}; if these are seconds, give 1000 "
                "times as many, and a moment of 1970 as a datetime"
            )
        return int(at)
    raise ValueError(f"at is {at!r}; it must be a datetime, ISO 8601 or unix milliseconds")
