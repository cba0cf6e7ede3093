"""Sets of columns by row (which tracks a user has played), in the two arrays of compressed sparse rows."""

import dataclasses
from typing import Any

import numpy as np

from mu_kernels._check import in_range, read_only
from mu_kernels._sorted import holds
from mu_kernels.compile import kernel


@dataclasses.dataclass(frozen=True, eq=False)
class CSR:
    """For each row a set of columns, strictly ascending: `indices[indptr[row]:indptr[row + 1]]`.

    Arrays of these types, memory-mapped ones too, are used in place and seen read-only; any other integer
    type is copied.

    Attributes:
      indptr: int64 [R+1], from 0 to E, never falling.
      indices: int32 [E], each in `[0, n_columns)`.
      n_columns: the number of columns, at most 2**31 - 1.

    Raises:
      TypeError: an array does not hold integers.
      ValueError: an array is malformed, a column is out of range, or a row is not strictly ascending; names
        the row. `CSR.from_pairs` sorts and removes duplicates.
    """

    indptr: np.ndarray
    indices: np.ndarray
    n_columns: int

    def __post_init__(self) -> None:
        if not 0 <= self.n_columns < 2**31:
            raise ValueError(f"n_columns is {self.n_columns}; it must lie in [0, 2**31)")
        indptr = read_only(self.indptr, np.int64, "indptr")
        indices = read_only(self.indices, np.int32, "indices")
        if len(indptr) == 0 or indptr[0] != 0 or indptr[-1] != len(indices):
            ends = "is empty" if len(indptr) == 0 else f"runs from {indptr[0]} to {indptr[-1]}"
            raise ValueError(f"indptr {ends}; it must run from 0 to len(indices) = {len(indices)}")
        row, at = _first_fault(indptr, indices, int(self.n_columns))
        if row >= 0 and at < 0:
            raise ValueError(f"indptr falls from {indptr[row]} to {indptr[row + 1]} at row {row}")
        if row >= 0 and not 0 <= indices[at] < self.n_columns:
            raise ValueError(f"row {row} holds column {indices[at]}; columns lie in [0, {self.n_columns})")
        if row >= 0:
            raise ValueError(
                f"row {row} is not strictly ascending: {indices[at]} follows {indices[at - 1]}; "
                "CSR.from_pairs sorts rows and removes duplicates"
            )
        object.__setattr__(self, "indptr", indptr)
        object.__setattr__(self, "indices", indices)
        object.__setattr__(self, "n_columns", int(self.n_columns))

    @classmethod
    def from_pairs(cls, rows: Any, columns: Any, n_rows: int, n_columns: int) -> "CSR":
        """The set of pairs `(rows[e], columns[e])`, in any order, repeats allowed.

        O(E + n_rows + n_columns): two counting sorts.

        Args:
          rows: integers [E] in `[0, n_rows)`.
          columns: integers [E] in `[0, n_columns)`.

        Raises:
          ValueError: lengths differ, or a pair is out of range; names the first.
        """
        for name, value in (("n_rows", n_rows), ("n_columns", n_columns)):
            if not 0 <= value < 2**31:
                raise ValueError(f"{name} is {value}; it must lie in [0, 2**31)")
        rows = read_only(rows, np.int32, "rows")
        columns = read_only(columns, np.int32, "columns")
        if len(rows) != len(columns):
            raise ValueError(f"rows has {len(rows)} entries and columns {len(columns)}; they must be pairs")
        in_range(rows, 0, n_rows, "rows", "rows")
        in_range(columns, 0, n_columns, "columns", "columns")
        indptr, indices = _sort_pairs(rows, columns, int(n_rows), int(n_columns))
        return cls(indptr, indices, n_columns)

    def __reduce__(self):
        return CSR, (self.indptr, self.indices, self.n_columns)  # arrays come out of a pickle writable

    @property
    def n_rows(self) -> int:
        return len(self.indptr) - 1

    def __len__(self) -> int:
        """The number of pairs E."""
        return len(self.indices)

    def counts(self) -> np.ndarray:
        """int64 [R]: the size of each row."""
        return np.diff(self.indptr)

    def row(self, row: int) -> np.ndarray:
        """int32: the columns of `row`, ascending."""
        if not 0 <= row < self.n_rows:
            raise IndexError(f"row {row} of {self.n_rows}")
        return self.indices[self.indptr[row] : self.indptr[row + 1]]

    def take(self, rows: Any) -> "CSR":
        """The rows `rows` (any order, repeats allowed) as a CSR of `len(rows)` rows."""
        rows = read_only(rows, np.int64, "rows")
        in_range(rows, 0, self.n_rows, "rows", "rows")
        indptr, indices = _take(rows, self.indptr, self.indices)
        return CSR(indptr, indices, self.n_columns)

    def union(self, other: "CSR") -> "CSR":
        """Row by row the columns in either. Both must have the same shape."""
        mine, theirs = (self.n_rows, self.n_columns), (other.n_rows, other.n_columns)
        if mine != theirs:
            raise ValueError(f"union of a CSR of {mine} rows and columns with one of {theirs}")
        indptr, indices = _union(self.indptr, self.indices, other.indptr, other.indices)
        return CSR(indptr, indices, self.n_columns)

    def contains(self, rows: Any, columns: Any) -> np.ndarray:
        """bool, the broadcast shape of `rows` and `columns`: is `columns[e]` in row `rows[e]`?

        Raises:
          ValueError: a row or a column is out of range.
        """
        row_array, column_array = np.broadcast_arrays(np.asarray(rows), np.asarray(columns))
        flat_rows = read_only(row_array.reshape(-1), np.int64, "rows")
        flat_columns = read_only(column_array.reshape(-1), np.int32, "columns")
        in_range(flat_rows, 0, self.n_rows, "rows", "rows")
        in_range(flat_columns, 0, self.n_columns, "columns", "columns")
        return _contains(self.indptr, self.indices, flat_rows, flat_columns).reshape(row_array.shape)


@kernel
def _first_fault(indptr, indices, n_columns):
    """(row, position) of the first malformed entry; (row, -1) where indptr falls; (-1, -1) if all is well."""
    for row in range(len(indptr) - 1):
        if indptr[row + 1] < indptr[row]:
            return row, -1
    for row in range(len(indptr) - 1):
        previous = -1
        for at in range(indptr[row], indptr[row + 1]):
            column = indices[at]
            if column <= previous or column >= n_columns:
                return row, at
            previous = column
    return -1, -1


@kernel
def _sort_pairs(rows, columns, n_rows, n_columns):
    """Two counting sorts: pairs grouped by column, then dealt out to their rows, which so come out sorted."""
    n = len(rows)
    at_column = np.zeros(n_columns + 1, np.int64)
    start = np.zeros(n_rows + 1, np.int64)
    for e in range(n):
        at_column[columns[e] + 1] += 1
        start[rows[e] + 1] += 1
    for column in range(n_columns):
        at_column[column + 1] += at_column[column]
    for row in range(n_rows):
        start[row + 1] += start[row]
    by_column = np.empty(n, np.int32)
    for e in range(n):
        by_column[at_column[columns[e]]] = rows[e]
        at_column[columns[e]] += 1  # ends as the end of the column's group
    indices = np.empty(n, np.int32)
    fill = start[:-1].copy()
    at = 0
    for column in range(n_columns):
        while at < at_column[column]:
            row = by_column[at]
            to = fill[row]
            if to == start[row] or indices[to - 1] != column:
                indices[to] = column
                fill[row] = to + 1
            at += 1
    indptr = np.zeros(n_rows + 1, np.int64)
    for row in range(n_rows):
        indptr[row + 1] = indptr[row] + fill[row] - start[row]
    if indptr[n_rows] == n:
        return indptr, indices
    unique = np.empty(indptr[n_rows], np.int32)
    for row in range(n_rows):
        for i in range(fill[row] - start[row]):
            unique[indptr[row] + i] = indices[start[row] + i]
    return indptr, unique


@kernel
def _take(rows, indptr, indices):
    out_indptr = np.zeros(len(rows) + 1, np.int64)
    for i in range(len(rows)):
        out_indptr[i + 1] = out_indptr[i] + indptr[rows[i] + 1] - indptr[rows[i]]
    out = np.empty(out_indptr[-1], np.int32)
    for i in range(len(rows)):
        source = indptr[rows[i]]
        for at in range(out_indptr[i], out_indptr[i + 1]):
            out[at] = indices[source + at - out_indptr[i]]
    return out_indptr, out


@kernel
def _union(a_indptr, a_indices, b_indptr, b_indices):
    n_rows = len(a_indptr) - 1
    indptr = np.zeros(n_rows + 1, np.int64)
    out = np.empty(len(a_indices) + len(b_indices), np.int32)
    at = 0
    for row in range(n_rows):
        a, b = a_indptr[row], b_indptr[row]
        a_stop, b_stop = a_indptr[row + 1], b_indptr[row + 1]
        while a < a_stop or b < b_stop:
            if b == b_stop or (a < a_stop and a_indices[a] < b_indices[b]):
                out[at] = a_indices[a]
                a += 1
            else:
                out[at] = b_indices[b]
                if a < a_stop and a_indices[a] == b_indices[b]:
                    a += 1
                b += 1
            at += 1
        indptr[row + 1] = at
    return indptr, out[:at].copy()


@kernel
def _contains(indptr, indices, rows, columns):
    out = np.empty(len(rows), np.bool_)
    for i in range(len(rows)):
        out[i] = holds(indices, indptr[rows[i]], indptr[rows[i] + 1], columns[i])
    return out
