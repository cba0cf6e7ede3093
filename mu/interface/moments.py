"""The moment for which a recommendation is asked."""

import datetime
from typing import Any

import numpy as np

from mu.data.logs.moments import parse_moment


def moment_ms(at: Any) -> int:
    """A moment as unix milliseconds.

    Args:
      at: a datetime (UTC where it has no zone), a date, a numpy datetime64, ISO 8601 as text, or unix milliseconds.

    Raises:
      ValueError: it is none of these.
    """
    if isinstance(at, np.datetime64) and not np.isnat(at):
        return int(at.astype("datetime64[ms]").astype(np.int64))
    if isinstance(at, datetime.date):  # a datetime too
        return parse_moment(at.isoformat(), "at")
    if isinstance(at, str):
        return parse_moment(at, "at")
    if isinstance(at, int | np.integer) and not isinstance(at, bool):
        return int(at)
    raise ValueError(f"at is {at!r}; it must be a datetime, ISO 8601 or unix milliseconds")
