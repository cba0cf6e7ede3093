"""A log of plays as CSR arrays: the user, track, time and weight of each play; in memory or memory-mapped.

The folder of an imported log holds `indptr.npy` (int64), `items.npy` (int32), `times.npy` (int64) and `weights.npy`
(float32); `parts.npy` and `outcomes.npy` (uint8) where the log has them; `columns/NAME.npy` (uint8 or uint16) for each
event column, `numbers/NAME.npy` (float32) for each number of plays; the tables `users.parquet` and `tracks.parquet`;
and `card.json`.
"""

import dataclasses
import functools
import hashlib
import json
import os
import urllib.parse
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from mu.checksums import check_hashes
from mu.data import tables
from mu.files import read_json
from mu_kernels import CSR

ARRAYS = {"indptr": np.int64, "items": np.int32, "times": np.int64, "weights": np.float32}
EVENTS = ("items", "times", "weights")
# One entry a play, in logs that have them.
OPTIONAL = {"parts": np.uint8, "outcomes": np.uint8}
COLUMN_TYPES = (np.uint8, np.uint16)
NUMBER_TYPES = (np.float32,)
PARTS = ("train", "valid", "test")
OUTCOMES = ("unknown", "finished", "skipped")
UNKNOWN, FINISHED, SKIPPED = range(3)
REMEDY = "bring it back, or import the log again"


@dataclasses.dataclass(frozen=True, eq=False)
class Interactions:
    """Plays grouped by user; each user's plays in order of time, ties in input order; repeats allowed.

    Attributes:
      indptr: int64 [U+1]; the plays of user u are `indptr[u]:indptr[u+1]`.
      items: int32 [E], dense track ids in `[0, n_items)`.
      times: int64 [E], unix milliseconds; or the input order where `card['time_unit'] == 'order'`.
      weights: float32 [E], the weight of a play (count, rating, seconds); 1 in logs without weights.
      n_items: size V of the catalogue.
      parts: uint8 [E] or None: 0 train, 1 valid, 2 test, in logs that came with a split.
      outcomes: uint8 [E] or None: 0 unknown, 1 finished, 2 skipped.
      columns: event columns by name (device, platform, context, ...): uint8 or uint16 [E], index into
        `vocabulary(name)`. The value '' stands for unknown.
      numbers: numbers of plays by name (seconds played, volume, ...): float32 [E], NaN where one is not known.
      folder: the folder of the import, which holds the tables of users and tracks; None for logs made in memory.
      user_rows: int64 [U] or None: the rows of users.parquet that these users are; None for all, in order.
      card: counts, options and provenance of the log (see `mu import`).
    """

    indptr: np.ndarray
    items: np.ndarray
    times: np.ndarray
    weights: np.ndarray
    n_items: int
    parts: np.ndarray | None = None
    outcomes: np.ndarray | None = None
    columns: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    numbers: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    folder: Path | None = None
    user_rows: np.ndarray | None = None
    card: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __repr__(self) -> str:
        """The counts, the period, and which optional arrays and event columns there are."""
        counts = f"{len(self):,} plays of {self.n_items:,} tracks by {self.n_users:,} listeners"
        optional = (name for name in OPTIONAL if getattr(self, name) is not None)
        parts = (counts, self.period, *optional, *self.columns, *self.numbers)
        return f"{type(self).__name__}({', '.join(filter(None, parts))})"

    @property
    def period(self) -> str:
        """The days of the first and the last play, '2024-01-05 to 2024-12-31'; '' without plays or times."""
        if not len(self) or not self.has_times:
            return ""
        active = self.lengths > 0  # histories are in order of time: only their ends are read
        ends = self.times[self.indptr[:-1][active]].min(), self.times[self.indptr[1:][active] - 1].max()
        first, last = (np.datetime64(int(end), "ms").astype("datetime64[D]") for end in ends)
        return f"{first} to {last}"

    @property
    def n_users(self) -> int:
        return len(self.indptr) - 1

    def __len__(self) -> int:
        return len(self.items)

    @property
    def has_times(self) -> bool:
        """Whether `times` are moments, and not an order alone."""
        return self.card.get("time_unit") != "order"

    @property
    def lengths(self) -> np.ndarray:
        """int64 [U]: the number of plays of each user."""
        return np.diff(self.indptr)

    def vocabulary(self, column: str) -> list[str]:
        """The values of an event column; its codes are places in this list."""
        return self.card["event_columns"][column]

    def row(self, user: int) -> np.ndarray:
        """int32: the tracks that `user` played, in order of time."""
        return self.items[self.indptr[user] : self.indptr[user + 1]]

    def take(self, users: np.ndarray) -> Self:
        """The rows of `users` (any order, repeats allowed) as a log of `len(users)` rows; arrays are copied.

        Raises:
          ValueError: a user is outside the log.
        """
        users = np.asarray(users)
        if ((users < 0) | (users >= self.n_users)).any():
            outside = users[(users < 0) | (users >= self.n_users)][0]
            raise ValueError(f"users has {outside}; the log has the users 0 to {self.n_users - 1:,}")
        user_rows = users.astype(np.int64) if self.user_rows is None else self.user_rows[users]
        starts, lengths = self.indptr[users], self.lengths[users]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        index = np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
        return dataclasses.replace(self, indptr=indptr, user_rows=user_rows, **self._events(index))

    def where(self, keep: np.ndarray) -> Self:
        """The plays where `keep` (bool [E]) is true; users and catalogue stay as they are."""
        indptr = np.concatenate([[0], np.cumsum(keep)])[self.indptr].astype(np.int64)
        return dataclasses.replace(self, indptr=indptr, **self._events(np.flatnonzero(keep)))

    def _events(self, index: np.ndarray) -> dict[str, Any]:
        """The plays `index` of every array with one entry a play, by attribute."""
        arrays = {name: getattr(self, name) for name in (*EVENTS, *OPTIONAL)}
        columns = {name: codes[index] for name, codes in self.columns.items()}
        numbers = {name: values[index] for name, values in self.numbers.items()}
        return {name: None if array is None else array[index] for name, array in arrays.items()} | {
            "columns": columns,
            "numbers": numbers,
        }

    @property
    def sizes(self) -> dict[str, int]:
        """The number of ids in each id space."""
        return {"users": self.n_users, "items": self.n_items}

    def track_rows(self) -> dict[str, np.ndarray]:
        """Features of every track, as tables that are not learnt; a log of plays alone has none."""
        return {}

    def merged(self, other: Self) -> Self:
        """The plays of both logs; see `merged_with_order`."""
        return self.merged_with_order(other)[0]

    def merged_with_order(self, other: Self) -> tuple[Self, np.ndarray]:
        """The plays of both logs (same users and catalogue) in order of time; at equal times those of `self` first.

        Returns:
          the log; int64 [E], where each of its plays is in the plays of `self` followed by those of `other`.

        Raises:
          ValueError: outcomes, an event column or a number of plays is in one of the two only, or a vocabulary differs.
        """
        if (self.outcomes is None) != (other.outcomes is None):
            raise ValueError("one of the two logs has outcomes, the other has none; import both alike")
        kinds = {"event column": (self.columns, other.columns), "number of plays": (self.numbers, other.numbers)}
        for kind, (mine, others) in kinds.items():
            if different := sorted(mine.keys() ^ others.keys()):
                raise ValueError(f"one of the two logs has the {kind} {different[0]!r}, the other has not")
        for name in self.columns:
            mine, others = self.vocabulary(name), other.vocabulary(name)
            if mine != others:
                raise ValueError(
                    f"the two logs have different vocabularies of {name!r}, {mine} and {others}; import both at once"
                )
        users = np.concatenate([np.repeat(np.arange(log.n_users), log.lengths) for log in (self, other)])
        order = np.lexsort((np.arange(len(users)), np.concatenate([self.times, other.times]), users))

        def join(mine: np.ndarray, others: np.ndarray) -> np.ndarray:
            return np.concatenate([mine, others])[order]

        merged = dataclasses.replace(
            self,
            indptr=self.indptr + other.indptr,
            parts=None,
            outcomes=None if self.outcomes is None or other.outcomes is None else join(self.outcomes, other.outcomes),
            columns={name: join(codes, other.columns[name]) for name, codes in self.columns.items()},
            numbers={name: join(values, other.numbers[name]) for name, values in self.numbers.items()},
            **{name: join(getattr(self, name), getattr(other, name)) for name in EVENTS},
        )
        return merged, order

    def seen(self) -> CSR:
        """Which tracks each user has played, rows sorted and unique."""
        rows = np.repeat(np.arange(self.n_users, dtype=np.int64), self.lengths)
        return CSR.from_pairs(rows, self.items, self.n_users, self.n_items)

    def counts(self) -> np.ndarray:
        """int64 [V]: how often each track was played."""
        return np.bincount(self.items, minlength=self.n_items)

    @functools.cached_property
    def users(self) -> pl.DataFrame:
        """The table of users (column `user`: the id in the log; then attributes), row = dense id."""
        if self.folder is None:
            return pl.DataFrame({"user": np.arange(self.n_users) if self.user_rows is None else self.user_rows})
        if self.user_rows is None:
            return _read_table(self.folder / "users.parquet", self.n_users)
        return tables.read_parquet(self.folder / "users.parquet")[self.user_rows]

    @functools.cached_property
    def tracks(self) -> pl.DataFrame:
        """The table of tracks (column `track`: the id in the log; then attributes), row = dense id."""
        if self.folder is None:
            return pl.DataFrame({"track": np.arange(self.n_items)})
        return _read_table(self.folder / "tracks.parquet", self.n_items)

    def hash(self) -> str:
        """sha256 over the arrays: equal logs have equal hashes, wherever they are stored.

        Outcomes and event columns (with their vocabularies) count where a log has them. Parts never do: the hash of a
        split covers them (`mu.data.logs.splits.Split.hash`).

        Raises:
          mu.checksums.Damaged: a file of the folder is not the one that the import wrote.
        """
        if self.folder is not None and isinstance(self.items, np.memmap):  # the files are read whole in any case
            check_hashes(self.folder, REMEDY)
        digest = hashlib.sha256(f"{self.n_items}".encode())
        for name in ARRAYS:
            digest.update(np.ascontiguousarray(getattr(self, name)).data)
        if self.outcomes is not None:
            digest.update(b"outcomes")
            digest.update(np.ascontiguousarray(self.outcomes).data)
        for name in sorted(self.columns):
            # The plural is historical: logs with a `context` column keep the hash they had as "contexts".
            digest.update(f"{name}s{json.dumps(self.vocabulary(name))}".encode())
            digest.update(np.ascontiguousarray(self.columns[name]).data)
        for name in sorted(self.numbers):
            digest.update(f"numbers {json.dumps(name)}".encode())
            digest.update(np.ascontiguousarray(self.numbers[name]).data)
        return digest.hexdigest()


def column_file(name: str) -> str:
    """The file of an event column, relative to the folder of the log."""
    return f"columns/{urllib.parse.quote(name, safe='')}.npy"


def number_file(name: str) -> str:
    """The file of a number of plays, relative to the folder of the log."""
    return f"numbers/{urllib.parse.quote(name, safe='')}.npy"


def _read_table(path: Path, rows: int) -> pl.DataFrame:
    table = tables.read_parquet(path)
    if len(table) != rows:
        raise ValueError(f"{path} has {len(table)} rows; the arrays need {rows}")
    return table


def load(path: str | os.PathLike[str]) -> Interactions:
    """Opens a folder that `mu import` wrote; the arrays are memory-mapped, read-only.

    Raises:
      FileNotFoundError: `path` is no such folder, or a file is missing from it.
      ValueError: an array has the wrong type or length, or a file is not the one that the import wrote (of files above
        1 MiB the beginning, the end and the size are looked at); names the file.
    """
    folder = Path(path)
    if not (folder / "card.json").is_file():
        raise FileNotFoundError(f"no log at {folder} (card.json is missing); make one with `mu import`")
    check_hashes(folder, REMEDY, whole=False)
    card = read_json(folder / "card.json")
    indptr = _open(folder / "indptr.npy", (np.int64,))
    if not len(indptr) or indptr[0] != 0 or (np.diff(indptr) < 0).any():
        raise ValueError(f"{folder / 'indptr.npy'} does not count up from 0: it is damaged; {REMEDY}")
    n_events = int(indptr[-1])
    arrays = {
        name: _open(folder / f"{name}.npy", (dtype,), n_events)
        for name, dtype in (ARRAYS | OPTIONAL).items()
        if name != "indptr" and (name in ARRAYS or (folder / f"{name}.npy").exists())
    }
    names = card.get("event_columns", {})
    columns = {name: _open(folder / column_file(name), COLUMN_TYPES, n_events) for name in names}
    if unlisted := sorted({*folder.glob("columns/*.npy")} - {folder / column_file(name) for name in names}):
        raise ValueError(f"{folder / 'card.json'} has no vocabulary for {unlisted[0]}; import the log again")
    numbers = {
        name: _open(folder / number_file(name), NUMBER_TYPES, n_events) for name in card.get("event_numbers", ())
    }
    return Interactions(
        indptr, **arrays, columns=columns, numbers=numbers, n_items=int(card["tracks"]), folder=folder, card=card
    )


def _open(path: Path, dtypes: tuple[type, ...], length: int | None = None) -> np.ndarray:
    """The array, memory-mapped; checks its type and length."""
    try:
        array = np.load(path, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is damaged: it holds no array ({error}); {REMEDY}") from None
    if array.ndim != 1:
        raise ValueError(f"{path} has {array.ndim} dimensions; it must have one; {REMEDY}")
    if array.dtype not in dtypes:
        raise ValueError(f"{path} is {array.dtype}; it must be {' or '.join(str(np.dtype(one)) for one in dtypes)}")
    if length is not None and len(array) != length:
        raise ValueError(f"{path} has {len(array)} entries; indptr.npy says {length}")
    return array
