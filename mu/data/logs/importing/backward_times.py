"""Plays that are earlier than the previous play of the same user in the input: a sign of a wrong clock."""

import numpy as np

from mu.data.logs.importing import row_kernels
from mu.data.logs.importing.rows import PlayRows
from mu.data.logs.time_notations import MISSING


class BackwardTimes:
    """Counts such plays as the log is read.

    Attributes:
      n: the count so far.
    """

    def __init__(self) -> None:
        self.n = 0
        self._example: tuple[str, str, int] | None = None  # user, file and line of the first
        self._n_plays = 0
        self._last = np.full(1024, MISSING)

    def add(self, users: np.ndarray, plays: PlayRows, label: str) -> None:
        """Takes the next plays, which have times; int32 [n] dense users."""
        assert plays.times is not None
        n_users = int(users.max(initial=-1)) + 1
        if n_users > len(self._last):
            self._last = np.append(self._last, np.full(max(n_users, len(self._last)), MISSING))
        n, first = row_kernels.count_backwards(users, plays.times, self._last)
        if n and self._example is None:
            self._example = (str(plays.users[int(first)]), label, int(plays.lines[first]))
        self.n += int(n)
        self._n_plays += len(users)

    def restart(self) -> None:
        """Forgets the last times: the next plays are another part of a log with a split."""
        self._last[:] = MISSING

    def warning(self) -> str | None:
        """The warning for the user of the import; None if there are no such plays."""
        if self._example is None:
            return None
        user, label, line = self._example
        return (
            f"{self.n:,} of {self._n_plays:,} plays are earlier than the one before of the same user in the input; "
            f"the first is of user {user} in {label}, line {line}. The log is sorted by time; if the files are in the "
            "order of plays, a clock ran backwards"
        )
