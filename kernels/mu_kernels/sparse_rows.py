"""Sparse rows of columns with values: what items are evidence for, and the weights of such rows in a history."""

import dataclasses
from typing import Any

import numpy as np

from mu_kernels._check import finite, in_range, read_only
from mu_kernels.compile import kernel
from mu_kernels.threads import run_rows


@dataclasses.dataclass(frozen=True, eq=False)
class SparseRows:
    """Rows of columns with values: row r has `indices[starts[r]:stops[r]]` with `values[starts[r]:stops[r]]`.

    Unlike in compressed sparse rows there may be unused entries between two rows, so that a row can be changed in its
    place. Arrays of these types are used where they lie. R rows, N entries.

    Attributes:
      starts: int64 [R].
      stops: int64 [R], each at least its start.
      indices: int32 [N], in `[0, n_columns)` in every row; their order is that in which sums are taken.
      values: float64 [N], finite in every row.
      n_columns: the number of columns.

    Raises:
      TypeError: an array is of another kind.
      ValueError: rows reach outside the entries, or a column or a value is out of range; names where.
    """

    starts: np.ndarray
    stops: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    n_columns: int

    def __post_init__(self) -> None:
        for name, dtype in (("starts", np.int64), ("stops", np.int64), ("indices", np.int32), ("values", np.float64)):
            object.__setattr__(self, name, read_only(getattr(self, name), dtype, name))
        if len(self.starts) != len(self.stops):
            raise ValueError(
                f"starts has {len(self.starts)} entries and stops {len(self.stops)}; a row has one of each"
            )
        if len(self.indices) != len(self.values):
            raise ValueError(f"indices has {len(self.indices)} entries and values {len(self.values)}")
        wrong = (self.starts < 0) | (self.stops < self.starts) | (self.stops > len(self.indices))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"row {row} runs from {self.starts[row]} to {self.stops[row]}; there are {len(self.indices)} entries"
            )
        in_range(self.indices, 0, self.n_columns, "indices", "columns")
        finite(self.values, "values")

    @classmethod
    def from_csr(cls, indptr: Any, indices: Any, values: Any, n_columns: int) -> "SparseRows":
        """Those of compressed sparse rows: `indptr` int64 [R+1], such as of a `scipy.sparse.csr_array`."""
        indptr = np.asarray(indptr, np.int64)
        return cls(indptr[:-1], indptr[1:], indices, values, n_columns)

    @property
    def n_rows(self) -> int:
        return len(self.starts)

    def row(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """(indices int32, values float64) of a row."""
        where = slice(self.starts[row], self.stops[row])
        return self.indices[where], self.values[where]

    def take(self, rows: Any) -> "SparseRows":
        """The rows `rows` (any order, repeats allowed), whose entries are not copied."""
        rows = read_only(rows, np.int64, "rows")
        in_range(rows, 0, self.n_rows, "rows", "rows")
        taken = object.__new__(SparseRows)  # its entries are checked already
        for name, value in vars(self).items():
            object.__setattr__(taken, name, value[rows] if name in ("starts", "stops") else value)
        return taken

    def dense_sums(self, of: "SparseRows", threads: int | None = None) -> np.ndarray:
        """float64 [R, V]: these rows times the rows `of` [n_columns, V], summed in their order.

        Args:
          of: as many rows as there are columns.
          threads: None for all CPUs; the result does not depend on it.

        Raises:
          ValueError: there are fewer rows than columns.
        """
        if of.n_rows < self.n_columns:
            raise ValueError(f"of has {of.n_rows} rows; there are {self.n_columns} columns")
        sums = np.zeros((self.n_rows, of.n_columns))
        rows = [(one.starts, one.stops, one.indices, one.values) for one in (self, of)]
        run_rows(_dense_sums, self.n_rows, threads, *rows[0], *rows[1], sums, min_rows=16)
        return sums


@kernel
def _dense_sums(
    first, stop, starts, stops, indices, weights, source_starts, source_stops, source_indices, values, sums
):
    for row in range(first, stop):
        for entry in range(starts[row], stops[row]):
            source, weight = indices[entry], weights[entry]
            for at in range(source_starts[source], source_stops[source]):
                sums[row, source_indices[at]] += weight * values[at]
