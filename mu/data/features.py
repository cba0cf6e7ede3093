"""Model inputs from users and their plays: the same function in training and at inference."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from mu.files import read_json, write_json
from mu.protocols import Histories

TIME_DELTAS = 24
"""Times between plays are binned by powers of two of a second: 0 for a first play, the last from 48.5 days on."""
EARLIER_PLAYS = 16
"""Earlier plays of a track are binned by powers of two: 0 for none, the last from 32,767 on."""
HABITS = ("completion", "skip", "repeat", "recent_repeat")
"""What a listener's habits are counted of: plays that were finished, skipped, of a track that they had played before,
and of one of their `RECENT_PLAYS` plays before."""
RECENT_PLAYS = 20
"""A repeat is recent up to so many plays after the track was played last."""
HABIT_PRIOR = 5.0
"""Plays of each kind, so and not so, that are added to the counts of habits."""
FEATURES, USER_FEATURES = "features.json", "user_features.npy"


@dataclasses.dataclass(frozen=True, eq=False)
class Standardizer:
    """Numbers as models take them: zero mean and unit deviation; a missing one is the mean, and said to be missing.

    Attributes:
      mean: float64 [F].
      std: float64 [F], above 0.
    """

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, names: Sequence[str]) -> Self:
        """Mean and deviation of each column; a column of one value alone has deviation 1.

        Args:
          values: float64 [n, F], NaN where missing.
          names: of the columns.

        Raises:
          ValueError: a column has no value.
        """
        known = ~np.isnan(values)
        counts = known.sum(axis=0)
        if empty := [name for name, count in zip(names, counts, strict=True) if not count]:
            raise ValueError(
                f"the numeric feature {empty[0]!r} has no value among the tracks played in training; leave it out of "
                f"config.data.item_numbers: item_numbers={tuple(name for name in names if name not in empty)}"
            )
        mean = np.where(known, values, 0.0).sum(axis=0) / counts
        deviation = np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(axis=0) / counts)
        # Rounding leaves a trace of deviation where all values are one.
        return cls(mean, np.where(deviation > 1e-12 * np.abs(mean), deviation, 1.0))

    def apply(self, values: np.ndarray) -> np.ndarray:
        """float64 [n, F], NaN where missing -> float32 [n, 2 F]: standardised, then 1 where it is missing."""
        missing = np.isnan(values)
        scaled = np.where(missing, 0.0, (values - self.mean) / self.std)
        return np.concatenate([scaled, missing], axis=1).astype(np.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class HistoryFeatures:
    """Computes the inputs of a model from users and their histories.

    Attributes:
      window: T, the latest plays of a user that a model sees; None for models that know users by their ids alone.
      event_columns: columns of plays, in the order of the inputs.
      user_features: int32 [U, Q], hashed features of the log's users, -1 where there are fewer; None for a model
        without.
      item_numbers: what numeric features of tracks were standardised with; None without such features.
      time_deltas: whether the model is told the time since the play before.
      outcomes: whether it is told how plays ended.
      earlier_plays: whether it is told how often the user had played the track before.
      habits: whether heads for what the user is about to do are told how often they have done it so far.
      column_sizes: number of values of each event column.
      hash_size: number of places of the hashed features of tracks; 0 for none.
      neighbours: how many tracks that are played near a track the model is told of (`mu.data.neighbours`); 0 for none.
      n_tracks: V, where it is told of neighbours, each of which has a vector as such.
    """

    window: int | None = None
    event_columns: tuple[str, ...] = ()
    user_features: np.ndarray | None = None
    item_numbers: Standardizer | None = None
    time_deltas: bool = False
    outcomes: bool = False
    earlier_plays: bool = False
    habits: bool = False
    column_sizes: tuple[int, ...] = ()
    hash_size: int = 0
    neighbours: int = 0
    n_tracks: int = 0

    @property
    def model_inputs(self) -> dict[str, Any]:
        """What a model of histories must know of these features: keyword arguments of `mu.nn.history.HistoryInputs`."""
        if self.user_features is not None:  # a model of users' features has arguments of its own
            return {}
        inputs: dict[str, Any] = {
            "time_deltas": self.time_deltas,
            "outcomes": self.outcomes,
            "earlier_plays": self.earlier_plays,
            "event_columns": dict(zip(self.event_columns, self.column_sizes, strict=True)),
            "hash_size": self.hash_size,
            "item_numbers": 0 if self.item_numbers is None else len(self.item_numbers.mean),
            "neighbours": self.n_tracks if self.neighbours else 0,
        }
        return {name: value for name, value in inputs.items() if value}

    def inputs(self, users: np.ndarray, histories: Histories) -> dict[str, np.ndarray]:
        """The inputs of a model for users with these histories: their latest `window` plays, from the left.

        Args:
          users: int64 [B], ids in the training log, -1 for a user outside it.
          histories: B rows.

        Returns:
          Without a window int32 [B] 'users'. Otherwise int32 [B, T] 'items', 'positions' (counted back from the latest
          play, which has 0), 'segments' (1, and 0 where empty); int32 [B] 'last', the column of the latest play, -1
          without plays; and what `events` returns. A user without plays has empty positions, with their user features.

        Raises:
          ValueError: a user is outside the log, and the model knows users by their ids alone; or an id is beyond the
            log.
        """
        users = np.asarray(users)
        if self.user_features is not None and (users >= len(self.user_features)).any():
            last = len(self.user_features) - 1
            raise ValueError(
                f"users has {users.max()}; the training log has the users 0 to {last:,}, -1 stands for others"
            )
        if self.window is None:
            if (users < 0).any():
                raise ValueError(
                    f"users[{int((users < 0).argmax())}] is outside the training log, and this model knows users by "
                    "their ids alone: ask it for users of the log, not for histories"
                )
            return {"users": users.astype(np.int32)}
        lengths = np.minimum(np.diff(histories.indptr), self.window)
        columns = np.broadcast_to(np.arange(self.window, dtype=np.int32), (len(lengths), self.window))
        filled = columns < lengths[:, None]
        plays = np.where(filled, (histories.indptr[1:] - lengths)[:, None] + columns, 0)
        items = np.zeros(filled.shape, np.int32)
        items[filled] = histories.items[plays[filled]]
        rows = np.broadcast_to(np.arange(len(lengths))[:, None], filled.shape)
        return {
            "items": items,
            "positions": np.where(filled, lengths[:, None] - 1 - columns, 0).astype(np.int32),
            "segments": filled.astype(np.int32),
            "last": (lengths - 1).astype(np.int32),
            **self.events(histories, rows, plays, filled, np.broadcast_to(users[:, None], filled.shape)),
        }

    def events(
        self,
        histories: Histories,
        rows: np.ndarray,
        plays: np.ndarray,
        filled: np.ndarray,
        users: np.ndarray,
        earlier: np.ndarray | None = None,
        known_habits: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Features of plays beside their tracks.

        Args:
          histories: the log.
          rows: int [...], the row of the log of each play.
          plays: int [...], which play of the log it is.
          filled: bool [...], False where there is no play.
          users: int [...], whose user features belong there, -1 for a user without.
          earlier: `earlier_plays` of the log, where they are known already.
          known_habits: `habits` of the log, where they are known already.

        Returns:
          int32, those that the model is told: 'time_deltas' [...] (since the user's play before, `time_deltas`);
          'outcomes' [...]; 'earlier_plays' [...] (`earlier_plays`); 'event_columns' [..., C], 1 + the code of each
          column, 0 where it is not known. A model of users' features also gets these, 'user_features' [..., Q]; another
          'seconds' [...] (`seconds_since`) of histories with times. For heads of intents float32 'habits' [..., 4]
          (`habits`). All 0 where there is no play, user features aside.
        """
        plays = plays[filled]
        first = histories.indptr[rows[filled]]

        def spread(values: np.ndarray) -> np.ndarray:
            everywhere = np.zeros((*filled.shape, *values.shape[1:]), np.int32)
            everywhere[filled] = values
            return everywhere

        unknown = np.zeros(len(plays), np.int32)
        told: dict[str, np.ndarray] = {}
        if self.time_deltas:
            deltas = time_deltas(histories.times, plays, first) if histories.has_times else unknown
            told["time_deltas"] = spread(deltas)
        if self.outcomes:
            told["outcomes"] = spread(unknown if histories.outcomes is None else histories.outcomes[plays])
        if self.earlier_plays:
            if earlier is None:
                earlier = earlier_plays(histories.indptr, histories.items)
            told["earlier_plays"] = spread(earlier[plays])
        if self.habits:
            if known_habits is None:
                known_habits = habits(histories.indptr, histories.items, histories.outcomes)
            told["habits"] = np.zeros((*filled.shape, len(HABITS)), np.float32)
            told["habits"][filled] = known_habits[plays]
        if self.event_columns:
            codes = np.zeros((len(plays), len(self.event_columns)), np.int32)
            for place, name in enumerate(self.event_columns):
                if name in histories.columns:
                    codes[:, place] = histories.columns[name][plays].astype(np.int32) + 1
            told["event_columns"] = spread(codes)
        if self.user_features is not None:
            features = np.where((users >= 0)[..., None], self.user_features[users], -1)
            told["user_features"] = features.astype(np.int32)
        elif histories.has_times:
            told["seconds"] = spread(seconds_since(histories.times, plays, first))
        return told

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes the features to a folder that exists."""
        names = ("window", "event_columns", "time_deltas", "outcomes", "earlier_plays", "habits", "column_sizes")
        card: dict[str, Any] = {name: getattr(self, name) for name in (*names, "hash_size", "neighbours", "n_tracks")}
        if self.item_numbers is not None:
            card["item_numbers"] = {"mean": self.item_numbers.mean.tolist(), "std": self.item_numbers.std.tolist()}
        write_json(Path(folder) / FEATURES, card)
        if self.user_features is not None:
            np.save(Path(folder) / USER_FEATURES, self.user_features)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """The features that `save` wrote; those of users are memory-mapped."""
        card = read_json(Path(folder) / FEATURES)
        # A card without the later entries is of a model of users' features, with all that it is told, or of neither.
        of_users = card["event_columns"] is not None
        file = Path(folder) / USER_FEATURES
        users = np.load(file, mmap_mode="r") if file.is_file() else None
        scale = card.get("item_numbers")
        numbers = scale and Standardizer(np.array(scale["mean"], np.float64), np.array(scale["std"], np.float64))
        return cls(
            window=card["window"],
            event_columns=tuple(card["event_columns"] or ()),
            user_features=users,
            item_numbers=numbers,
            time_deltas=card.get("time_deltas", of_users),
            outcomes=card.get("outcomes", of_users),
            earlier_plays=card.get("earlier_plays", False),
            habits=card.get("habits", False),
            column_sizes=tuple(card.get("column_sizes", ())),
            hash_size=card.get("hash_size", 0),
            neighbours=card.get("neighbours", 0),
            n_tracks=card.get("n_tracks", 0),
        )


def time_deltas(times_ms: np.ndarray, plays: np.ndarray, first: np.ndarray) -> np.ndarray:
    """int32 [n]: time since the user's play before, as 1 + floor(log2(1 + seconds)), at most `TIME_DELTAS` - 1.

    Args:
      times_ms: int64 [E], of all plays.
      plays: int [n], which of them.
      first: int [n], the first play of the same user, which has 0.
    """
    before = np.maximum(plays - 1, 0)
    seconds = (times_ms[plays].astype(np.int64) - times_ms[before]) / 1000
    deltas = np.minimum(1 + np.floor(np.log2(1 + np.maximum(seconds, 0))), TIME_DELTAS - 1)
    return np.where(plays > first, deltas, 0).astype(np.int32)


def earlier_plays(indptr: np.ndarray, items: np.ndarray) -> np.ndarray:
    """int32 [E]: how often the user had played the track before, as floor(log2(1 + n)), at most `EARLIER_PLAYS` - 1.

    Args:
      indptr: int64 [U+1]; user u's plays, oldest first, are `indptr[u]:indptr[u+1]`.
      items: int32 [E], tracks.
    """
    order, same = _by_user_and_track(indptr, items)
    starts = np.flatnonzero(~same)
    counts = np.empty(len(items), np.int64)
    counts[order] = np.arange(len(items)) - np.repeat(starts, np.diff(np.append(starts, len(items))))
    return np.minimum(np.floor(np.log2(1 + counts)), EARLIER_PLAYS - 1).astype(np.int32)


def recent_repeats(indptr: np.ndarray, items: np.ndarray) -> np.ndarray:
    """bool [E]: whether one of the user's `RECENT_PLAYS` plays before was of the same track.

    Args:
      indptr: as of `earlier_plays`.
      items: as of `earlier_plays`.
    """
    since = _plays_since(indptr, items)
    return (since > 0) & (since <= RECENT_PLAYS)


def habits(indptr: np.ndarray, items: np.ndarray, outcomes: np.ndarray | None) -> np.ndarray:
    """float32 [E, 4]: log-odds of each of `HABITS` among the user's plays up to each play, itself among them.

    They are log((n + a) / (m + a)), of n plays that were so, m that were not, and a = `HABIT_PRIOR`. A play whose
    outcome is not known is neither finished nor skipped nor the opposite; a first play can be no repeat.

    Args:
      indptr: as of `earlier_plays`.
      items: as of `earlier_plays`.
      outcomes: uint8 [E], 0 unknown, 1 finished, 2 skipped; None where no outcome is known.
    """
    first = np.repeat(indptr[:-1], np.diff(indptr))
    since = _plays_since(indptr, items)
    ended = np.zeros(len(items), np.uint8) if outcomes is None else outcomes
    later = np.arange(len(items)) > first
    log_odds = np.empty((len(items), len(HABITS)), np.float32)
    was_so = (ended == 1, ended == 2, since > 0, (since > 0) & (since <= RECENT_PLAYS))
    for column, (so, counted) in enumerate(zip(was_so, (ended > 0, ended > 0, later, later), strict=True)):
        signs = np.stack([so, counted & ~so])
        before = np.cumsum(signs, axis=1) - signs
        counts = before + signs - before[:, first] + HABIT_PRIOR
        log_odds[:, column] = np.log(counts[0] / counts[1])
    return log_odds


def _plays_since(indptr: np.ndarray, items: np.ndarray) -> np.ndarray:
    """int64 [E]: how many plays ago the user had played the track last, 1 for the play before; 0 for never."""
    order, same = _by_user_and_track(indptr, items)
    since = np.zeros(len(items), np.int64)
    since[order[same]] = order[same] - order[np.flatnonzero(same) - 1]
    return since


def _by_user_and_track(indptr: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(int64 [E], plays by user, then track, then time; bool [E], whether each is of the same two as that before)."""
    users = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    pairs = users * (int(items.max(initial=0)) + 1) + items
    order = np.argsort(pairs, kind="stable")
    ordered = pairs[order]
    return order, np.append(False, ordered[1:] == ordered[:-1])[: len(ordered)]


def seconds_since(times_ms: np.ndarray, plays: np.ndarray, first: np.ndarray) -> np.ndarray:
    """int32 [n]: whole seconds since the user's first play; after 68 years they count no further.

    Unix milliseconds need 64 bits, which JAX does not have by default, and float32 is off by 16 seconds after eight
    years. Each time is cut to whole seconds before they are subtracted: the difference of two plays is the same
    whatever play of the user was the first.

    Args:
      times_ms: int64 [E], of all plays.
      plays: int [n], which of them.
      first: int [n], the first play of the same user.
    """
    seconds = times_ms[plays] // 1000 - times_ms[first] // 1000
    return np.minimum(seconds, np.iinfo(np.int32).max).astype(np.int32)


def known_features(features: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """int32 [n, P]: the hashed features, -1 for those whose place no row that training learns from has.

    The vector of such a place, as of an artist whose first track comes out after training, keeps its random initial
    value.

    Args:
      features: int32 [n, P], -1 for none.
      trained: int32 [...], the features of the rows that training learns from.
    """
    return np.where(np.isin(features, trained), features, -1).astype(np.int32)
