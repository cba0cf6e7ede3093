"""External sort of plays by user and time, through flat files, so that the log is never in memory.

Plays are appended in input order, one file a field. When all of them are there, each field is written to its sorted
place in the memory-mapped arrays of the output, one field after the other. At most one field and the moves of the sort
are in memory at a time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mu.data.logs.importing import row_kernels
from mu.data.logs.interactions import OPTIONAL, column_file, number_file
from mu.files import naming, reserve
from mu_kernels.threads import run_rows

CHUNK = 1 << 20
FIELDS = {"times": np.int64, "weights": np.float32} | OPTIONAL


class ExternalSort:
    """The plays so far, in files of a temporary folder.

    Args:
      folder: the temporary folder; it is made here and deleted at the end.
      fields: those of `FIELDS` that the log has, apart from users and items.
      event_columns: names of the event columns.
      event_numbers: names of the numbers of plays.

    Attributes:
      n: number of plays.
    """

    def __init__(
        self, folder: Path, fields: Sequence[str], event_columns: Sequence[str] = (), event_numbers: Sequence[str] = ()
    ):
        folder.mkdir()
        self.n = 0
        self._folder = folder
        self._fields = fields
        self._types = {"users": np.int32, "items": np.int32} | {name: FIELDS[name] for name in fields}
        self._column_files = {name: f"column{place}" for place, name in enumerate(event_columns)}
        self._number_files = {name: f"number{place}" for place, name in enumerate(event_numbers)}
        names = [*self._types, *self._column_files.values(), *self._number_files.values()]
        self._files = {name: open(folder / name, "wb") for name in names}  # noqa: SIM115
        self._per_user = np.zeros(1024, np.int64)

    def append(
        self,
        arrays: Mapping[str, np.ndarray],
        columns: Mapping[str, np.ndarray] | None = None,
        numbers: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Adds plays.

        Args:
          arrays: 'users', 'items' and every field; all of the same length.
          columns: uint16 codes of every event column.
          numbers: float32 values of every number of plays.
        """
        users = arrays["users"]
        for name, dtype in self._types.items():
            if arrays[name].dtype != dtype or len(arrays[name]) != len(users):
                raise TypeError(
                    f"{name} is {arrays[name].dtype} {arrays[name].shape}; it must be {dtype} ({len(users)},)"
                )
            with naming(self._folder / name):
                arrays[name].tofile(self._files[name])
        for column, name in self._column_files.items():
            codes = (columns or {})[column]
            if codes.dtype != np.uint16 or len(codes) != len(users):
                raise TypeError(f"{column} is {codes.dtype} {codes.shape}; it must be uint16 ({len(users)},)")
            with naming(self._folder / name):
                codes.tofile(self._files[name])
        for number, name in self._number_files.items():
            values = (numbers or {})[number]
            if values.dtype != np.float32 or len(values) != len(users):
                raise TypeError(f"{number} is {values.dtype} {values.shape}; it must be float32 ({len(users)},)")
            with naming(self._folder / name):
                values.tofile(self._files[name])
        counts = np.bincount(users)
        if len(counts) > len(self._per_user):
            self._per_user = np.append(self._per_user, np.zeros(max(len(counts), len(self._per_user)), np.int64))
        self._per_user[: len(counts)] += counts
        self.n += len(users)

    def place(
        self, folder: Path, n_users: int, vocabularies: Mapping[str, Sequence[str]], progress: Callable[[float], None]
    ) -> None:
        """Writes indptr, items, times, weights, the optional arrays, event columns and numbers into `folder`; once.

        Rows are in order of time, equal times in input order. The times of a log without times are its input order,
        the weights of a log without weights are 1. Codes of an event column are uint8 where its vocabulary allows.
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
        for name in ("items", *(name for name in self._fields if name != "times")):
            self._place_field(folder / f"{name}.npy", name, self._types[name], slot_type, shift)
        if "weights" not in self._fields:
            _create(folder / "weights.npy", np.float32, self.n)[:] = 1
        progress(0.8)
        for column, name in self._column_files.items():
            path = folder / column_file(column)
            path.parent.mkdir(exist_ok=True)
            dtype = np.uint8 if len(vocabularies[column]) <= 256 else np.uint16
            self._place_field(path, name, np.uint16, slot_type, shift, dtype)
        for number, name in self._number_files.items():
            path = folder / number_file(number)
            path.parent.mkdir(exist_ok=True)
            self._place_field(path, name, np.float32, slot_type, shift)
        progress(1.0)

    def __enter__(self) -> "ExternalSort":
        return self

    def __exit__(self, *_: object) -> None:
        """Closes and deletes the temporary files."""
        for name, file in self._files.items():
            file.close()
            (self._folder / name).unlink(missing_ok=True)
        (self._folder / "slots").unlink(missing_ok=True)
        if self._folder.exists():
            self._folder.rmdir()

    def _chunks(self, name: str, dtype: type) -> Iterator[np.ndarray]:
        with open(self._folder / name, "rb") as file:
            while len(chunk := np.fromfile(file, dtype, CHUNK)):
                yield chunk

    def _place_users(self, indptr: np.ndarray, slot_type: type) -> None:
        """Writes the place of each play before sorting: the next free place in the row of its user."""
        cursor = indptr[:-1].copy()
        with open(self._folder / "slots", "wb") as file:
            for users in self._chunks("users", np.int32):
                slots = np.empty(len(users), slot_type)
                row_kernels.take_slots(users, cursor, slots)
                slots.tofile(file)

    def _place_times(self, folder: Path, indptr: np.ndarray, slot_type: type) -> np.ndarray:
        """Writes the times in order; returns by how much each place moves (int32), empty where none does."""
        no_moves = np.empty(0, np.int32)
        times = _create(folder / "times.npy", np.int64, self.n)
        if "times" not in self._fields:
            at = 0
            for slots in self._chunks("slots", slot_type):
                row_kernels.scatter(np.arange(at, at + len(slots)), slots, no_moves, times)
                at += len(slots)
            return no_moves
        for slots, values in zip(self._chunks("slots", slot_type), self._chunks("times", np.int64), strict=True):
            row_kernels.scatter(values, slots, no_moves, times)
        if not row_kernels.any_unsorted(indptr, times):
            return no_moves
        shift = np.zeros(self.n, np.int32)
        run_rows(row_kernels.sort_rows, len(indptr) - 1, None, indptr, times, shift, min_rows=1024)
        return shift

    def _place_field(
        self, path: Path, name: str, dtype: type, slot_type: type, shift: np.ndarray, stored: type | None = None
    ) -> None:
        """Writes a field, read as `dtype`, to its sorted place; as type `stored` where it differs."""
        stored = stored or dtype
        out = _create(path, stored, self.n)
        for slots, values in zip(self._chunks("slots", slot_type), self._chunks(name, dtype), strict=True):
            row_kernels.scatter(values.astype(stored, copy=False), slots, shift, out)


def _create(path: Path, dtype: type, n: int) -> np.ndarray:
    """A new .npy of `n` entries, memory-mapped for writing where n > 0."""
    if n == 0:
        np.save(path, np.empty(0, dtype))
        return np.empty(0, dtype)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(n,))
    reserve(path)
    return np.asarray(array)
