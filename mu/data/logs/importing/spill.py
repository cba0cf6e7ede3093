"""Plays as they come, a file per field, and from there each play to its place.

An import never holds the log: plays are appended to flat files in input order, and when all are known they
  are placed
into the memory-mapped arrays of the output one field after the other, so that at most one field and the
moves of the sort are in memory at a time.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mu.data.logs.importing import kernels
from mu.data.logs.interactions import OPTIONAL
from mu_kernels._threads import run_rows

CHUNK = 1 << 20
FIELDS = {"times": np.int64, "weights": np.float32} | OPTIONAL


class Spill:
    """The plays so far, in files of `folder`.

    Attributes:
      n: number of plays.
      fields: those of `FIELDS` that the log has, apart from users and items.
    """

    def __init__(self, folder: Path, fields: Sequence[str]):
        folder.mkdir()
        self.n = 0
        self.fields = fields
        self._folder = folder
        self._types = {"users": np.int32, "items": np.int32} | {name: FIELDS[name] for name in fields}
        self._files = {name: open(folder / name, "wb") for name in self._types}  # noqa: SIM115
        self._per_user = np.zeros(1024, np.int64)

    def append(self, **arrays: np.ndarray) -> None:
        """One array for each field, all of the same length."""
        for name, dtype in self._types.items():
            array = arrays[name]
            assert array.dtype == dtype and len(array) == len(arrays["users"])
            array.tofile(self._files[name])
        counts = np.bincount(arrays["users"])
        if len(counts) > len(self._per_user):
            self._per_user = np.append(self._per_user, np.zeros(max(len(counts), len(self._per_user)), np.int64))
        self._per_user[: len(counts)] += counts
        self.n += len(arrays["users"])

    def place(self, folder: Path, n_users: int, progress: Callable[[float], None]) -> np.ndarray:
        """Writes indptr, items, times, weights (and what else there is) into `folder`; once.

        Rows are in order of time, equal times in input order. A log without times gets its input order for
        times, one without weights gets ones.

        Returns:
          int64 [U+1] indptr.
        """
        for file in self._files.values():
            file.close()
        indptr = np.zeros(n_users + 1, np.int64)
        np.cumsum(self._per_user[:n_users], out=indptr[1:])
        np.save(folder / "indptr.npy", indptr)
        slot_type = np.int32 if self.n < 2**31 else np.int64
        self._place_users(indptr, slot_type)
        shift = self._place_times(folder, indptr, slot_type)
        progress(0.6)
        for name in ("items", "weights", *OPTIONAL):
            dtype = np.int32 if name == "items" else FIELDS[name]
            if name == "items" or name in self.fields:
                self._place_field(folder / f"{name}.npy", name, dtype, slot_type, shift)
            elif name == "weights":
                _create(folder / "weights.npy", np.float32, self.n)[:] = 1
            progress(0.8)
        progress(1.0)
        return indptr

    def __enter__(self) -> "Spill":
        return self

    def __exit__(self, *_: object) -> None:
        """Closes and deletes what was spilled."""
        for name, file in self._files.items():
            file.close()
            (self._folder / name).unlink(missing_ok=True)
        (self._folder / "slots").unlink(missing_ok=True)
        if self._folder.exists():
            self._folder.rmdir()

    def _chunks(self, name: str, dtype: type):
        with open(self._folder / name, "rb") as file:
            while len(chunk := np.fromfile(file, dtype, CHUNK)):
                yield chunk

    def _place_users(self, indptr: np.ndarray, slot_type: type) -> None:
        """Where each play goes before sorting: the next free place of its user's row."""
        cursor = indptr[:-1].copy()
        with open(self._folder / "slots", "wb") as file:
            for users in self._chunks("users", np.int32):
                slots = np.empty(len(users), slot_type)
                kernels.take_slots(users, cursor, slots)
                slots.tofile(file)

    def _place_times(self, folder: Path, indptr: np.ndarray, slot_type: type) -> np.ndarray:
        """Times in order; returns by how much each place moves (int32), empty where none does."""
        still = np.empty(0, np.int32)
        times = _create(folder / "times.npy", np.int64, self.n)
        if "times" not in self.fields:
            at = 0
            for slots in self._chunks("slots", slot_type):
                kernels.scatter(np.arange(at, at + len(slots)), slots, still, times)
                at += len(slots)
            return still
        for slots, values in zip(self._chunks("slots", slot_type), self._chunks("times", np.int64), strict=True):
            kernels.scatter(values, slots, still, times)
        if not kernels.any_unsorted(indptr, times):
            return still
        shift = np.zeros(self.n, np.int32)
        run_rows(kernels.sort_rows, len(indptr) - 1, None, indptr, times, shift, min_rows=1024)
        return shift

    def _place_field(self, path: Path, name: str, dtype: type, slot_type: type, shift: np.ndarray) -> None:
        out = _create(path, dtype, self.n)
        for slots, values in zip(self._chunks("slots", slot_type), self._chunks(name, dtype), strict=True):
            kernels.scatter(values, slots, shift, out)


def _create(path: Path, dtype: type, n: int) -> np.ndarray:
    """A new .npy of `n` entries, memory-mapped for writing where there is something to map."""
    if n == 0:
        np.save(path, np.empty(0, dtype))
        return np.empty(0, dtype)
    return np.asarray(np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(n,)))
