"""Clocks that run backwards: plays earlier than the one before of the same user, in the order of the input."""

import numpy as np

from mu.data.logs.importing import kernels
from mu.data.logs.importing.clock import MISSING
from mu.data.logs.importing.rows import Plays


class Order:
    """Counts them as the log is read.

    Attributes:
      n_backwards: so many so far.
      example: the first: its user, file and line; None without.
    """

    def __init__(self) -> None:
        self.n_backwards = 0
        self.example: tuple[str, str, int] | None = None
        self._n = 0
        self._last = np.full(1024, MISSING)

    def __call__(self, users: np.ndarray, plays: Plays, label: str) -> None:
        """Takes the next plays with times; int32 [n] dense users."""
        assert plays.times is not None
        most = int(users.max(initial=-1)) + 1
        if most > len(self._last):
            self._last = np.append(self._last, np.full(max(most, len(self._last)), MISSING))
        n, first = kernels.count_backwards(users, plays.times, self._last)
        if n and self.example is None:
            self.example = (str(plays.users[int(first)]), label, int(plays.lines[first]))
        self.n_backwards += int(n)
        self._n += len(users)

    def restart(self) -> None:
        """What follows is no continuation: another part of a log that comes split."""
        self._last[:] = MISSING

    def warning(self) -> str | None:
        """A line for the user, if there is something to say."""
        if self.example is None:
            return None
        user, label, line = self.example
        return (
            f"warning: {self.n_backwards:,} of {self._n:,} plays are earlier than the one before of the same user in "
            f"the input; the first is of user {user} in {label}, line {line}. The log is sorted by time; if the files "
            "are in the order of plays, a clock ran backwards"
        )
