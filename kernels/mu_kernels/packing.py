"""Which windows of histories share a training row: several short ones are worth one long one."""

import dataclasses
from typing import Any

import numpy as np

from mu_kernels._check import in_range, read_only
from mu_kernels.compile import kernel


@dataclasses.dataclass(frozen=True, eq=False)
class Packing:
    """Which windows share a row: row r holds `windows[indptr[r]:indptr[r + 1]]`, left to right.

    Attributes:
      indptr: int64 [R+1].
      windows: int32 [W], each window once.
    """

    indptr: np.ndarray
    windows: np.ndarray

    @property
    def n_rows(self) -> int:
        return len(self.indptr) - 1


def pack_windows(lengths: Any, capacity: int) -> Packing:
    """Packs windows into as few rows as best-fit decreasing finds, each of at most `capacity` transitions.

    Windows are placed from the longest to the shortest, ties in window order, each into the fullest row that
    still has room (among equally full rows the one last filled) or else into a new row. Deterministic; O(W
    log capacity).

    Args:
      lengths: int32 [W], each in `[1, capacity]`.
      capacity: slots in a row (T).

    Raises:
      ValueError: a window is empty or longer than `capacity`; names the first.
    """
    lengths = read_only(lengths, np.int32, "lengths")
    if not 1 <= capacity < 2**31:
        raise ValueError(f"capacity is {capacity}; it must lie in [1, 2**31)")
    in_range(lengths, 1, capacity + 1, "lengths", f"lengths of windows for rows of capacity {capacity}")
    indptr, windows = _pack(lengths, int(capacity))
    return Packing(indptr, windows)


def one_per_row(n_windows: int) -> Packing:
    """The padded layout: row r holds window r and nothing else."""
    if n_windows < 0:
        raise ValueError(f"n_windows is {n_windows}; it must not be negative")
    return Packing(np.arange(n_windows + 1, dtype=np.int64), np.arange(n_windows, dtype=np.int32))


@kernel
def _pack(lengths, capacity):
    n = len(lengths)
    # Counting sort, longest first, stable.
    at_length = np.zeros(capacity + 2, np.int64)
    for w in range(n):
        at_length[capacity - lengths[w] + 1] += 1
    for i in range(capacity + 1):
        at_length[i + 1] += at_length[i]
    order = np.empty(n, np.int32)
    for w in range(n):
        key = capacity - lengths[w]
        order[at_length[key]] = w
        at_length[key] += 1
    # Rows with the same room left form a stack; a binary tree over the rooms finds the least room that
    # suffices.
    leaves = 1
    while leaves < capacity + 1:
        leaves *= 2
    tree = np.zeros(2 * leaves, np.bool_)  # tree[node]: is there any row below this node
    top_row = np.full(capacity + 1, -1, np.int32)
    row_below = np.empty(n, np.int32)
    row_of = np.empty(n, np.int32)
    n_rows = 0
    for i in range(n):
        length = lengths[order[i]]
        node = leaves + length
        while node > 1 and not tree[node]:
            while node > 1 and node % 2 == 1:
                node //= 2  # nothing to the right of a right child below its parent
            if node > 1:
                node += 1
        if node > 1:
            while node < leaves:
                node *= 2
                if not tree[node]:
                    node += 1
            room = node - leaves
            row = top_row[room]
            top_row[room] = row_below[row]
            if top_row[room] < 0:
                tree[node] = False
                node //= 2
                while node >= 1 and not (tree[2 * node] or tree[2 * node + 1]):
                    tree[node] = False
                    node //= 2
        else:
            room = capacity
            row = n_rows
            n_rows += 1
        row_of[i] = row
        room -= length
        if room > 0:
            row_below[row] = top_row[room]
            top_row[room] = row
            node = leaves + room
            while node >= 1 and not tree[node]:
                tree[node] = True
                node //= 2
    indptr = np.zeros(n_rows + 1, np.int64)
    for i in range(n):
        indptr[row_of[i] + 1] += 1
    for row in range(n_rows):
        indptr[row + 1] += indptr[row]
    fill = indptr[:-1].copy()
    windows = np.empty(n, np.int32)
    for i in range(n):
        windows[fill[row_of[i]]] = order[i]
        fill[row_of[i]] += 1
    return indptr, windows
