"""Plays that are ranked: which track a listener played, and when."""

import dataclasses

import numpy as np

from mu.data.logs.interactions import Interactions


@dataclasses.dataclass(frozen=True, eq=False)
class PlayEvents:
    """Test plays. E plays.

    Attributes:
      users: int64 [E].
      tracks: int32 [E].
      times_ms: int64 [E].
    """

    users: np.ndarray
    tracks: np.ndarray
    times_ms: np.ndarray

    def __len__(self) -> int:
        """E."""
        return len(self.users)

    def take(self, plays: np.ndarray | slice) -> "PlayEvents":
        """These plays, in this order."""
        return PlayEvents(self.users[plays], self.tracks[plays], self.times_ms[plays])


def plays_of(log: Interactions) -> PlayEvents:
    """All plays of a log."""
    return PlayEvents(np.repeat(np.arange(log.n_users), log.lengths), np.asarray(log.items), np.asarray(log.times))


def first_plays(plays: PlayEvents, available_from_ms: np.ndarray) -> PlayEvents:
    """Each listener's first play of each track since its release, by user, then by time.

    Args:
      plays: in any order.
      available_from_ms: int64 [V], when each track came out.
    """
    out = np.flatnonzero(available_from_ms[plays.tracks] <= plays.times_ms)
    order = out[np.lexsort((plays.times_ms[out], plays.users[out]))]
    pair = plays.users[order].astype(np.int64) * len(available_from_ms) + plays.tracks[order]
    _, first = np.unique(pair, return_index=True)
    return plays.take(order[np.sort(first)])
