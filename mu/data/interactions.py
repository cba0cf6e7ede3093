"""A log of plays as CSR arrays: who played what, when, how much; in memory or memory-mapped from a folder.

A folder holds `indptr.npy` (int64), `items.npy` (int32), `times.npy` (int64), `weights.npy` (float32), by option
`parts.npy` (uint8), the tables `users.parquet` and `tracks.parquet`, and `card.json`.
"""

import dataclasses
import functools
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu_kernels import CSR

ARRAYS = {"indptr": np.int64, "items": np.int32, "times": np.int64, "weights": np.float32}
PARTS = ("train", "valid", "test")


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
      folder: where the arrays lie, or None for arrays in memory.
      card: what is known of the log (see `mu import`).
    """

    indptr: np.ndarray
    items: np.ndarray
    times: np.ndarray
    weights: np.ndarray
    n_items: int
    parts: np.ndarray | None = None
    folder: Path | None = None
    card: dict[str, Any] = dataclasses.field(default_factory=dict)

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

    def take(self, users: np.ndarray) -> "Interactions":
        """The rows of `users` (any order, repeats allowed) as a log of `len(users)` rows; arrays are copied."""
        users = np.asarray(users)
        starts, lengths = self.indptr[users], self.lengths[users]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        index = np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
        return dataclasses.replace(self, indptr=indptr, folder=None, **self._events(index))

    def where(self, keep: np.ndarray) -> "Interactions":
        """The plays where `keep` (bool [E]) is true; users and catalogue stay as they are."""
        indptr = np.concatenate([[0], np.cumsum(keep)])[self.indptr].astype(np.int64)
        return dataclasses.replace(self, indptr=indptr, folder=None, **self._events(np.flatnonzero(keep)))

    def _events(self, index: np.ndarray) -> dict[str, Any]:
        parts = None if self.parts is None else self.parts[index]
        return {
            "items": self.items[index],
            "times": self.times[index],
            "weights": self.weights[index],
            "parts": parts,
        }

    @property
    def sizes(self) -> dict[str, int]:
        """The id spaces: what tables have rows for."""
        return {"n_users": self.n_users, "n_items": self.n_items}

    def merged(self, other: "Interactions") -> "Interactions":
        """The plays of both (same users and catalogue), each listener's in order of time, ours before ties."""
        users = np.concatenate([np.repeat(np.arange(log.n_users), log.lengths) for log in (self, other)])
        times = np.concatenate([self.times, other.times])
        order = np.lexsort((np.arange(len(users)), times, users))
        return dataclasses.replace(
            self,
            indptr=self.indptr + other.indptr,
            items=np.concatenate([self.items, other.items])[order],
            times=times[order],
            weights=np.concatenate([self.weights, other.weights])[order],
            parts=None,
            folder=None,
        )

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
        return self._table("users", "user", self.n_users)

    @functools.cached_property
    def tracks(self) -> pl.DataFrame:
        """The table of tracks (column `track`: the id in the log; then attributes), row = dense id."""
        return self._table("tracks", "track", self.n_items)

    def _table(self, name: str, key: str, rows: int) -> pl.DataFrame:
        if self.folder is None:
            return pl.DataFrame({key: np.arange(rows)})
        table = pl.read_parquet(self.folder / f"{name}.parquet")
        if len(table) != rows:
            raise ValueError(f"{self.folder / name}.parquet has {len(table)} rows; the arrays need {rows}")
        return table

    def hash(self) -> str:
        """sha256 over the arrays: equal logs have equal hashes, wherever they lie."""
        digest = hashlib.sha256(f"{self.n_items}".encode())
        for name in ARRAYS:
            digest.update(np.ascontiguousarray(getattr(self, name)).data)
        return digest.hexdigest()


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
    for name, dtype in ARRAYS.items():
        arrays[name] = np.load(folder / f"{name}.npy", mmap_mode="r")
        if arrays[name].dtype != dtype:
            raise ValueError(f"{folder / name}.npy is {arrays[name].dtype}; it must be {np.dtype(dtype)}")
    parts = folder / "parts.npy"
    if parts.exists():
        arrays["parts"] = np.load(parts, mmap_mode="r")
    n_events = int(arrays["indptr"][-1])
    for name in ("items", "times", "weights", "parts"):
        if name in arrays and len(arrays[name]) != n_events:
            raise ValueError(f"{folder / name}.npy has {len(arrays[name])} entries; indptr.npy says {n_events}")
    return Interactions(**arrays, n_items=int(card["tracks"]), folder=folder, card=card)
