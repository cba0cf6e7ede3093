"""The oracle: a recommender that knows the laws of a simulated world, the ceiling of all others."""

import dataclasses
import os
from typing import Any, Self

import numpy as np

from mu.data.logs.interactions import Interactions
from mu.data.logs.interactions import load as load_log
from mu.topk import TopKRecommender
from mu.world.next_play import Histories
from mu.world.settings import START_MS
from mu.world.world import World
from mu.world.world import load as load_world


@dataclasses.dataclass(frozen=True)
class _History:
    indptr: np.ndarray
    items: np.ndarray
    times: np.ndarray


def rows_of(ids: list[object], prefix: str, n: int, what: str) -> np.ndarray:
    """int64: the world's rows behind the ids of a log: 'track-000123' or 123 is row 123."""
    rows = np.empty(len(ids), dtype=np.int64)
    for place, one in enumerate(ids):
        text = str(one).removeprefix(prefix)
        rows[place] = int(text) if text.isdecimal() else -1
        if not 0 <= rows[place] < n:
            raise ValueError(f"the log's {what} {one!r} is not of this world of {n}; was the log made from it?")
    return rows


class Oracle(TopKRecommender):
    """A recommender whose scores are true probabilities: no order is better in expectation.

    With `session=True` the score is the probability of the very next play given the whole history. Recommenders do not
    know its time. So it is taken to be just after the last play: the session goes on with its true probability and in
    its context, and one that opens may have any context. `next_times_ms` gives the times, which no recommender knows.
    With `session=False` the score is the listener's preference by taste at that time: the best order for plays that lie
    further ahead.

    Args:
      world: the truth.
      log: the log as imported (`mu import` of the files of `mu.world.tables.write`), whose ids the scores are for; None
        where they are the rows of the world, as in `World.log()`.
      session: see above.
      next_times_ms: int64 [U] by the log's users, or None.
    """

    dot_product = False
    time_aware = True

    def __init__(
        self,
        world: World,
        log: Interactions | None = None,
        *,
        session: bool = True,
        next_times_ms: np.ndarray | None = None,
    ) -> None:
        self.world, self.session, self.next_times_ms = world, session, next_times_ms
        n_tracks, n_listeners = len(world.catalogue), len(world.listeners)
        if log is None:
            self._tracks, self._listeners = np.arange(n_tracks), np.arange(n_listeners)
        else:
            self._tracks = rows_of(log.tracks["track"].to_list(), "track-", n_tracks, "track")
            self._listeners = rows_of(log.users["user"].to_list(), "listener-", n_listeners, "user")

    def fit(self, log: Any) -> Self:
        """Learns nothing, and returns itself."""
        del log
        return self

    def scores(self, users: np.ndarray, histories: Histories, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, n_items]: for each user the true probability of each of the log's tracks.

        Args:
          users: int [B], dense ids of the log.
          histories: the plays of these B users so far (`indptr`, `items`, `times`).
          times_ms: int64 [B] or None; the scores are then the listeners' preference at these times, whatever they have
            played (see `World.preference`).

        Raises:
          ValueError: a user is not of the log: of others there is no truth.
        """
        users = np.asarray(users)
        if (users < 0).any():
            raise ValueError("the oracle knows the listeners of its world alone: there is no truth of others")
        listeners = self._listeners[users]
        if times_ms is not None:
            return self.world.preference(listeners, times_ms)[:, self._tracks]
        indptr = np.asarray(histories.indptr)
        lengths = np.diff(indptr)
        last_ms = np.maximum(self.world.listeners.joined_ms[listeners], START_MS)
        last_ms[lengths > 0] = np.asarray(histories.times)[indptr[1:][lengths > 0] - 1]
        next_ms = last_ms if self.next_times_ms is None else np.asarray(self.next_times_ms)[users]
        if not self.session:
            return self.world.preference(listeners, next_ms)[:, self._tracks]
        goes_on = 1 - 1 / self.world.settings.session_plays
        continuing = np.full(len(users), goes_on) if self.next_times_ms is None else None
        history = _History(indptr, self._tracks[histories.items], np.asarray(histories.times))
        return self.world.next_play_probability(listeners, next_ms, history, continuing)[:, self._tracks]


def oracle_of(world: str | os.PathLike[str], log: str | os.PathLike[str]) -> Oracle:
    """The oracle as a baseline of a config, `{'name': 'mu.world.oracle:oracle_of', 'world': DIR, 'log': DIR}`.

    Args:
      world: the folder that `mu world` wrote.
      log: the folder that `mu import` made of it.
    """
    return Oracle(load_world(world), load_log(log))
