"""Plays outside the years in which plays are recorded: a sign of a wrong unit, or of a 0 for an unknown time."""

import numpy as np

from mu.data.logs.moments import show_moment

# Times read in too large or too small a unit, days of a spreadsheet and zeros fall into 1970, or far into the future.
FIRST_MS = int(np.datetime64("1971-01-01", "ms").astype(np.int64))
LAST_MS = int(np.datetime64("2100-01-01", "ms").astype(np.int64))


class ImplausibleTimes:
    """Counts such plays as the log is read.

    Attributes:
      n: the count so far.
    """

    def __init__(self) -> None:
        self.n = 0
        self._example: tuple[str, int, int] | None = None  # file, line and time of the first
        self._n_plays = 0

    def add(self, times: np.ndarray, lines: np.ndarray, label: str) -> None:
        """Takes the times (int64 [n], unix milliseconds) and lines of the next plays of the file `label`."""
        self._n_plays += len(times)
        if not len(times) or (times.min() >= FIRST_MS and times.max() < LAST_MS):
            return
        outside = np.flatnonzero((times < FIRST_MS) | (times >= LAST_MS))
        if self._example is None:
            self._example = (label, int(lines[outside[0]]), int(times[outside[0]]))
        self.n += len(outside)

    def warning(self) -> str | None:
        """The warning for the user of the import; None if there are no such plays."""
        if self._example is None:
            return None
        label, line, time = self._example
        return (
            f"{self.n:,} of {self._n_plays:,} plays are before 1971 or after 2099; the first is {label}, line {line}: "
            f"{show_moment(time)}. If that is wrong, add --time_unit (see mu import --help), --time=none where the "
            "column is an order only, or leave out such rows"
        )
