"""One moment: read from an option, and shown."""

import datetime

import numpy as np


def parse_moment(moment: int | str, name: str) -> int:
    """One moment as unix milliseconds.

    Args:
      moment: unix milliseconds, or ISO 8601 (UTC where no zone is given).
      name: of the option, for the message.

    Raises:
      ValueError: it is neither.
    """
    if not isinstance(moment, str):
        return int(moment)
    try:
        date = datetime.datetime.fromisoformat(moment)
    except ValueError:
        raise ValueError(f"{name} is {moment!r}; it must be ISO 8601 or unix milliseconds") from None
    if date.tzinfo is None:
        date = date.replace(tzinfo=datetime.UTC)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (date - epoch) // datetime.timedelta(milliseconds=1)


def show_moment(milliseconds: int) -> str:
    """The moment as ISO 8601; the number itself where no calendar reaches."""
    try:
        return str(np.datetime64(milliseconds, "ms")) + "Z"
    except (OverflowError, ValueError):
        return str(milliseconds)
