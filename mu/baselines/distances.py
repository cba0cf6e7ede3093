"""What lies between two plays of a listener: plays, sessions or time, in classes that are counted apart."""

import dataclasses
import functools
import logging
from typing import Literal

import numpy as np

from mu.baselines.fitting import require_times
from mu.data.logs.interactions import Interactions

logger = logging.getLogger(__name__)

MINUTE_MS = 60_000
DistanceKind = Literal["plays", "sessions", "gaps"]


@dataclasses.dataclass(frozen=True)
class Distances:
    """Classes d = 1, ..., W of the distance between two plays of a listener.

      plays     d is how many plays later the second is
      sessions  d is 1 within a session, 2 from one session to the next, ...; a session ends where `session_minutes`
                pass without a play
      gaps      d is the place of the first of `gap_minutes` that is at least the time between the plays

    Pairs beyond the last class are not counted; of sessions and gaps neither are those more than `max_plays` apart.

    Attributes:
      kind: what is counted.
      window: W, of plays and sessions.
      session_minutes: of sessions.
      gap_minutes: of gaps, ascending.
      max_plays: of sessions and gaps.
    """

    kind: DistanceKind = "plays"
    window: int = 1
    session_minutes: float = 30.0
    gap_minutes: tuple[float, ...] = ()
    max_plays: int = 1

    def __post_init__(self) -> None:
        if self.kind == "gaps" and not (len(self.gap_minutes) and (np.diff(self.gap_minutes) > 0).all()):
            raise ValueError(f"gap_minutes={self.gap_minutes!r}; they must ascend, and there must be at least one")

    @property
    def edges(self) -> np.ndarray:
        """int64 [W]: the last coordinate difference of each class."""
        if self.kind == "gaps":
            return np.unique(np.round(np.asarray(self.gap_minutes) * MINUTE_MS).astype(np.int64))
        return np.arange(self.window, dtype=np.int64) + (self.kind == "plays")

    @property
    def max_between(self) -> int | None:
        """The most plays between two that are counted; None where the classes say it."""
        return None if self.kind == "plays" else self.max_plays - 1

    def check_data(self, log: Interactions) -> None:
        """Raises ValueError where a log has no times and the distances need them."""
        if self.kind != "plays":
            require_times(log, f"distance={self.kind!r}", "distance='plays'")

    def coordinates(self, log: Interactions) -> np.ndarray | None:
        """int64 [E]: whose differences are the distances; None for places in the history.

        Raises:
          ValueError: see `check_data`.
        """
        if self.kind == "plays":
            return None
        self.check_data(log)
        if self.kind == "gaps":
            return log.times
        return np.cumsum(np.diff(log.times, prepend=log.times[:1]) > self._session_ms, dtype=np.int64)

    def next_coordinate(self, before: int, before_ms: int, time_ms: int) -> int:
        """The coordinate of a play at `time_ms` that follows one of coordinate `before` at `before_ms`."""
        if self.kind == "gaps":
            return time_ms
        return before + (1 if self.kind == "plays" else int(time_ms - before_ms > self._session_ms))

    def say_what_is_too_long(self, log: Interactions, coordinates: np.ndarray | None) -> None:
        """Warns in the log of this module where no pair can be of the last class, in the same words once."""
        played = np.flatnonzero(log.lengths > 0)
        first, last = log.indptr[:-1][played], log.indptr[1:][played] - 1
        spans = last - first if coordinates is None else coordinates[last] - coordinates[first]
        edges, widest = self.edges, int(spans.max(initial=0))
        if len(edges) > 1 and edges[-2] >= widest:
            useful = max(int(np.searchsorted(edges, widest)) + 1, 1)
            _warn_once(
                f"the window of {len(edges)} distances (distance={self.kind!r}) is longer than any history: "
                f"none reaches beyond distance {useful}"
            )

    @property
    def _session_ms(self) -> int:
        return round(self.session_minutes * MINUTE_MS)


@functools.lru_cache
def _warn_once(message: str) -> None:
    """A search fits many models to a log."""
    logger.warning(message)
