"""Counts of transitions that can be kept up to date: a play is added, a listener is forgotten, as if counted anew."""

import copy
from typing import NamedTuple, Self

import numpy as np

from mu.baselines.distances import Distances
from mu.data.logs.interactions import Interactions
from mu_kernels.transitions import MOST_COUNT, count_transitions

LEAST_ROOM = 4
"""Entries that a row which moves has room for, at least."""


class _History(NamedTuple):
    """The plays of a listener as they are now, oldest first."""

    items: list[int]
    coordinates: list[int]
    times_ms: list[int]


class TransitionCounts:
    """Counts of transitions of a log, whole numbers by item and class of distance, none left out.

    Row b has the entries `starts[b]:stops[b]` of `items`, `classes` and `counts`, sorted by item and class. After
    any `update` and `forget` it holds what a count of the log with these plays and without these listeners gives.

    Args:
      log: with at least one play.
      distances: what is counted.

    Attributes:
      starts: int64 [V].
      stops: int64 [V].
      items: int32 [N].
      classes: uint8 [N].
      counts: int32 [N].
      plays: int64 [V], plays of each item.
      log: that was counted, without what was learnt since.
      n_classes: W.
      changed: rows that were changed since the last `take_changed`.

    Raises:
      ValueError: the log has no plays, or no times where the distances need them.
    """

    def __init__(self, log: Interactions, distances: Distances):
        if not len(log):
            raise ValueError("the training log has no plays, so there are no transitions to count; give one with plays")
        self._distances, self.log = distances, log
        self._coordinates = distances.coordinates(log)
        distances.say_what_is_too_long(log, self._coordinates)
        self._edges, self._reach = distances.edges, distances.max_between
        self.n_classes = len(self._edges)
        counted = count_transitions(
            log.indptr, log.items, log.n_items, self._edges, self._coordinates, distances.max_between
        )
        self.starts, self.stops = counted.indptr[:-1].copy(), counted.indptr[1:].copy()
        self.items, self.classes, self.counts = counted.items, counted.classes, counted.counts
        self._limits = self.stops.copy()  # where the room of each row ends
        self._used = self._live = len(counted)
        self.plays = log.counts()
        self._histories: dict[int, _History] = {}
        self.changed: set[int] | None = None

    def copy(self) -> Self:
        """The same counts, which learn and forget by themselves."""
        other = copy.copy(self)
        for name in ("starts", "stops", "items", "classes", "counts", "plays", "_limits"):
            setattr(other, name, getattr(self, name).copy())
        other._histories, other.changed = dict(self._histories), None
        return other

    def take_changed(self) -> np.ndarray | None:
        """int64: the rows that were changed since the last call, or None where all moved; they count as taken."""
        changed = None if self.changed is None else np.array(sorted(self.changed), np.int64)
        self.changed = set()
        return changed

    def row_totals(self) -> np.ndarray:
        """int64 [V]: the sum of the counts of each row."""
        before = np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])
        return before[self.stops] - before[self.starts]

    def update(self, user: int, item: int, time_ms: int | None = None) -> None:
        """Counts one more play of a listener, behind those that are there; see `CountingModel.update`."""
        if not 0 <= item < len(self.plays):
            raise ValueError(f"item is {item}; the catalogue has the items 0 to {len(self.plays) - 1:,}: fit again")
        history = self._history(user)
        if self._distances.kind != "plays":
            if time_ms is None:
                raise ValueError(f"distance={self._distances.kind!r} needs the time of a play: give time_ms")
            if history.times_ms and time_ms < history.times_ms[-1]:
                raise ValueError(
                    f"time_ms is {time_ms}, before the last play of user {user} at {history.times_ms[-1]}; "
                    "plays are added in their order"
                )
        time_ms = 0 if time_ms is None else time_ms
        last = (history.coordinates[-1], history.times_ms[-1]) if history.items else (0, time_ms)
        longer = _History([*history.items, item], [*history.coordinates], [*history.times_ms, time_ms])
        longer.coordinates.append(self._distances.next_coordinate(*last, time_ms))
        pairs = self._pairs_of(longer, len(history.items))
        for source, target, distance_class in pairs:  # before anything is changed
            at, is_there = self._find(source, target, distance_class)
            if is_there and self.counts[at] > MOST_COUNT - len(pairs):
                raise OverflowError(f"item {target} follows item {source} too often: counts end at {MOST_COUNT:,}")
        for pair in pairs:
            self._add(*pair, 1)
        self.plays[item] += 1
        self._histories[user] = longer

    def forget(self, user: int) -> None:
        """Takes all plays of a listener out of the counts; one who has none changes nothing."""
        history = self._history(user)
        for place, item in enumerate(history.items):
            for source, target, distance_class in self._pairs_of(history, place):
                self._add(source, target, distance_class, -1)
            self.plays[item] -= 1
        self._histories[user] = _History([], [], [])

    def _history(self, user: int) -> _History:
        """The plays of a listener now."""
        if user < 0:
            raise ValueError(f"user is {user}; it must be the id of a listener, at least 0")
        if user in self._histories:
            return self._histories[user]
        if user >= self.log.n_users:
            return _History([], [], [])
        where = slice(int(self.log.indptr[user]), int(self.log.indptr[user + 1]))
        places = np.arange(where.stop - where.start) if self._coordinates is None else self._coordinates[where]
        return _History(self.log.items[where].tolist(), places.tolist(), self.log.times[where].tolist())

    def _pairs_of(self, history: _History, place: int) -> list[tuple[int, int, int]]:
        """(source, target, class) of every pair whose second play is that of this place."""
        last = int(self._edges[-1])
        reach = last if self._reach is None else self._reach + 1
        pairs = []
        for earlier in range(place - 1, max(place - 1 - reach, -1), -1):
            distance = history.coordinates[place] - history.coordinates[earlier]
            if distance > last:
                break
            distance_class = int(np.searchsorted(self._edges, distance))
            pairs.append((history.items[earlier], history.items[place], distance_class))
        return pairs

    def _find(self, source: int, target: int, distance_class: int) -> tuple[int, bool]:
        """(the place of an entry, whether it is there)."""
        start, stop = int(self.starts[source]), int(self.stops[source])
        low = start + int(np.searchsorted(self.items[start:stop], target, side="left"))
        high = start + int(np.searchsorted(self.items[start:stop], target, side="right"))
        at = low + int(np.searchsorted(self.classes[low:high], distance_class))
        return at, at < high and bool(self.classes[at] == distance_class)

    def _add(self, source: int, target: int, distance_class: int, change: int) -> None:
        """Adds to one count; an entry that becomes 0 goes, one that was 0 comes, in its place in the order."""
        start, stop = int(self.starts[source]), int(self.stops[source])
        at, is_there = self._find(source, target, distance_class)
        if self.changed is not None:
            self.changed.add(source)
        if is_there:
            self.counts[at] += change
            if self.counts[at] > 0:
                return
            for array in (self.items, self.classes, self.counts):
                array[at : stop - 1] = array[at + 1 : stop].copy()
            self.stops[source] -= 1
            self._live -= 1
            return
        if stop == self._limits[source]:
            self._move(source)
            at += int(self.starts[source]) - start
            stop = int(self.stops[source])
        for array, value in ((self.items, target), (self.classes, distance_class), (self.counts, change)):
            array[at + 1 : stop + 1] = array[at:stop].copy()
            array[at] = value
        self.stops[source] += 1
        self._live += 1

    def _move(self, source: int) -> None:
        """Gives a full row more room, behind all others; first packs the rows where half of the room is waste."""
        if self._used > 2 * self._live + LEAST_ROOM * len(self.starts):
            self._pack()
        length = int(self.stops[source] - self.starts[source])
        room = max(LEAST_ROOM, length + length // 4)
        if self._used + room > len(self.items):
            self._grow(self._used + room + len(self.items) // 4)
        begin, old = self._used, slice(int(self.starts[source]), int(self.stops[source]))
        for array in (self.items, self.classes, self.counts):
            array[begin : begin + length] = array[old]
        self.starts[source], self.stops[source] = begin, begin + length
        self._limits[source] = begin + room
        self._used += room

    def _grow(self, entries: int) -> None:
        """Makes the arrays `entries` long."""
        for name in ("items", "classes", "counts"):
            array = getattr(self, name)
            longer = np.zeros(entries, array.dtype)
            longer[: self._used] = array[: self._used]
            setattr(self, name, longer)
        self.changed = None

    def _pack(self) -> None:
        """Puts the rows side by side again, without room."""
        lengths = self.stops - self.starts
        stops = np.cumsum(lengths)
        places = np.repeat(self.starts - (stops - lengths), lengths) + np.arange(stops[-1])
        self.items, self.classes, self.counts = self.items[places], self.classes[places], self.counts[places]
        self.starts, self.stops, self._limits = stops - lengths, stops, stops.copy()
        self._used = int(stops[-1])
        self.changed = None
