"""A log of plays as CSR arrays: who played what, when, how much; in memory or memory-mapped from a folder.

A folder holds `indptr.npy` (int64), `items.npy` (int32), `times.npy` (int64), `weights.npy` (float32), where the log
told them `parts.npy`, `outcomes.npy` and `contexts.npy` (uint8), the tables `users.parquet` and `tracks.parquet`, and
`card.json`.
"""

import dataclasses
import functools
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from mu_kernels import CSR

ARRAYS = {"indptr": np.int64, "items": np.int32, "times": np.int64, "weights": np.float32}
EVENTS = ("items", "times", "weights")
# One entry a play, in logs that have them.
OPTIONAL = {"parts": np.uint8, "outcomes": np.uint8, "contexts": np.uint8}
PARTS = ("train", "valid", "test")
OUTCOMES = ("unknown", "finished", "skipped")
UNKNOWN, FINISHED, SKIPPED = range(3)


@dataclasses.dataclass(frozen=True, eq=False)
class Interactions:
    """Plays grouped by user; each user's plays in order of time, ties in input order; repeats allowed.

    Attributes:
      indptr: int64 [U+1]; user u's plays are `indptr[u]:indptr[u+1]`.
      items: int32 [E], dense track ids in `[0, n_items)`.
      times: int64 [E], unix milliseconds; or the input order where `card['time_unit'] == 'order'`.
      weights: float32 [E], what the log says of a play (count, rating, seconds); 1 where it says nothing.
      n_items: size V of the catalogue.
      parts: uint8 [E] or None: 0 train, 1 valid, 2 test, where the log came with a split.
      outcomes: uint8 [E] or None: 0 unknown, 1 finished, 2 skipped, where the log tells.
      contexts: uint8 [E] or None: index into the words `card['contexts']`, where the log tells in what situation
        a play was ('' stands for plays of which it does not).
      folder: of the import, where `users` and `tracks` are told of; None for logs made in memory.
      user_rows: int64 [U] or None: the rows of users.parquet that these users are; None for all, in order.
      card: what is known of the log (see `mu import`).
    """

    indptr: np.ndarray
    items: np.ndarray
    times: np.ndarray
    weights: np.ndarray
    n_items: int
    parts: np.ndarray | None = None
    outcomes: np.ndarray | None = None
    contexts: np.ndarray | None = None
    folder: Path | None = None
    user_rows: np.ndarray | None = None
    card: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __repr__(self) -> str:
        """How large it is, from when to when, and what it tells of a play."""
        counts = f"{len(self):,} plays of {self.n_items:,} tracks by {self.n_users:,} listeners"
        told = (name for name in OPTIONAL if getattr(self, name) is not None)
        return f"{type(self).__name__}({', '.join(filter(None, (counts, self.period, *told)))})"

    @property
    def period(self) -> str:
        """'2024-01-05 to 2024-12-31', the days of the first and of the last play; '' without plays or times."""
        if not len(self) or self.card.get("time_unit") == "order":
            return ""
        heard = self.lengths > 0  # a listener's plays are in order of time: those in between are not read
        ends = self.times[self.indptr[:-1][heard]].min(), self.times[self.indptr[1:][heard] - 1].max()
        first, last = (np.datetime64(int(end), "ms").astype("datetime64[D]") for end in ends)
        return f"{first} to {last}"

    @property
    def n_users(self) -> int:
        return len(self.indptr) - 1

    def __len__(self) -> int:
        return len(self.items)

    @property
    def lengths(self) -> np.ndarray:
        """int64 [U]: the number of plays of each user."""
        return np.diff(self.indptr)

    def row(self, user: int) -> np.ndarray:
        """int32: the tracks that `user` played, in order."""
        return self.items[self.indptr[user] : self.indptr[user + 1]]

    def take(self, users: np.ndarray) -> Self:
        """The rows of `users` (any order, repeats allowed) as a log of `len(users)` rows; arrays are copied."""
        users = np.asarray(users)
        user_rows = users.astype(np.int64) if self.user_rows is None else self.user_rows[users]
        starts, lengths = self.indptr[users], self.lengths[users]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        index = np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
        return dataclasses.replace(self, indptr=indptr, user_rows=user_rows, **self._events(index))

    def where(self, keep: np.ndarray) -> Self:
        """The plays where `keep` (bool [E]) is true; users and catalogue stay as they are."""
        indptr = np.concatenate([[0], np.cumsum(keep)])[self.indptr].astype(np.int64)
        return dataclasses.replace(self, indptr=indptr, **self._events(np.flatnonzero(keep)))

    def nameless(self, items: np.ndarray) -> Self:
        """A log of one row over this catalogue: somebody whom the log does not know, and who has played `items`, oldest
        first; when and how nobody knows. It has no tables."""
        items = np.asarray(items, np.int32)
        return dataclasses.replace(
            self,
            indptr=np.array([0, len(items)], np.int64),
            items=items,
            times=np.arange(len(items), dtype=np.int64),
            weights=np.ones(len(items), np.float32),
            **dict.fromkeys(OPTIONAL),
            folder=None,
            user_rows=np.array([-1]),
            card={**self.card, "time_unit": "order"},
        )

    def _events(self, index: np.ndarray) -> dict[str, Any]:
        """What is known of the plays `index`, under the names of the attributes."""
        arrays = {name: getattr(self, name) for name in (*EVENTS, *OPTIONAL)}
        return {name: None if array is None else array[index] for name, array in arrays.items()}

    @property
    def sizes(self) -> dict[str, int]:
        """The id spaces: what tables have rows for."""
        return {"n_users": self.n_users, "n_items": self.n_items}

    def merged(self, other: "Interactions") -> "Interactions":
        """The plays of both (same users and catalogue), each listener's in order of time, ours before ties.

        Raises:
          ValueError: outcomes or contexts are told by one of the two alone, or the words of the contexts differ.
        """
        names: list[str] = [*EVENTS]
        for name in ("outcomes", "contexts"):
            mine, others = getattr(self, name), getattr(other, name)
            if (mine is None) != (others is None):
                raise ValueError(f"one of the two logs tells {name}, the other does not; import both alike")
            if mine is not None:
                names.append(name)
        words = [log.card.get("contexts") for log in (self, other)]
        if "contexts" in names and words[0] != words[1]:
            raise ValueError(
                f"the two logs number contexts of their own, {words[0]} and {words[1]}; import both at once"
            )
        users = np.concatenate([np.repeat(np.arange(log.n_users), log.lengths) for log in (self, other)])
        times = np.concatenate([self.times, other.times])
        order = np.lexsort((np.arange(len(users)), times, users))
        arrays = {name: np.concatenate([getattr(self, name), getattr(other, name)])[order] for name in names}
        return dataclasses.replace(self, indptr=self.indptr + other.indptr, parts=None, **arrays)

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
        return pl.read_parquet(self.folder / "users.parquet")[self.user_rows]

    @functools.cached_property
    def tracks(self) -> pl.DataFrame:
        """The table of tracks (column `track`: the id in the log; then attributes), row = dense id."""
        if self.folder is None:
            return pl.DataFrame({"track": np.arange(self.n_items)})
        return _read_table(self.folder / "tracks.parquet", self.n_items)

    def hash(self) -> str:
        """sha256 over the arrays: equal logs have equal hashes, wherever they lie.

        Outcomes and contexts (with their words) count where a log has them; parts never do: what a split makes of
        a log says more (`mu.data.logs.splits.Split.hash`).
        """
        digest = hashlib.sha256(f"{self.n_items}".encode())
        for name in ARRAYS:
            digest.update(np.ascontiguousarray(getattr(self, name)).data)
        if self.outcomes is not None:
            digest.update(b"outcomes")
            digest.update(np.ascontiguousarray(self.outcomes).data)
        if self.contexts is not None:
            digest.update(b"contexts" + json.dumps(self.card.get("contexts")).encode())
            digest.update(np.ascontiguousarray(self.contexts).data)
        return digest.hexdigest()


def _read_table(path: Path, rows: int) -> pl.DataFrame:
    table = pl.read_parquet(path)
    if len(table) != rows:
        raise ValueError(f"{path} has {len(table)} rows; the arrays need {rows}")
    return table


def load(path: str | os.PathLike[str]) -> Interactions:
    """Opens the folder that `mu import` wrote; the arrays are memory-mapped, read-only.

    Raises:
      FileNotFoundError: `path` is no such folder; says how to make one.
      ValueError: an array has the wrong type or length; names the file.
    """
    folder = Path(path)
    if not (folder / "card.json").is_file():
        raise FileNotFoundError(f"no log at {folder} (card.json is missing); make one with `mu import`")
    card = json.loads((folder / "card.json").read_text())
    arrays: dict[str, Any] = {}
    for name, dtype in (ARRAYS | OPTIONAL).items():
        path = folder / f"{name}.npy"
        if name in OPTIONAL and not path.exists():
            continue
        arrays[name] = np.load(path, mmap_mode="r")
        if arrays[name].dtype != dtype:
            raise ValueError(f"{path} is {arrays[name].dtype}; it must be {np.dtype(dtype)}")
    n_events = int(arrays["indptr"][-1])
    for name in (*EVENTS, *OPTIONAL):
        if name in arrays and len(arrays[name]) != n_events:
            raise ValueError(f"{folder / name}.npy has {len(arrays[name])} entries; indptr.npy says {n_events}")
    if "contexts" in arrays and "contexts" not in card:
        raise ValueError(
            f"{folder / 'card.json'} lacks the words 'contexts' that contexts.npy numbers; import it again"
        )
    return Interactions(**arrays, n_items=int(card["tracks"]), folder=folder, card=card)
