"""Histories into training rows: cut into windows, filled a batch at a call."""

import dataclasses
from typing import Any

import numpy as np

from mu_kernels._check import in_range, read_only
from mu_kernels.compile import kernel
from mu_kernels.packing import Packing
from mu_kernels.threads import run_rows


@dataclasses.dataclass(frozen=True, eq=False)
class Windows:
    """Pieces of histories. Window w reads `items[start:start + length]`, predicts `items[start + 1:start +
    length + 1]`.

    Attributes:
      user: int32 [W], the row of `indptr` that the window comes from; ascending, a user's oldest window
        first.
      start: int64 [W], the position in `items` of the first input.
      length: int32 [W], the number of transitions (input, next item), at least 1.
    """

    user: np.ndarray
    start: np.ndarray
    length: np.ndarray

    def __len__(self) -> int:
        return len(self.user)


@dataclasses.dataclass(frozen=True, eq=False)
class WindowBatch:
    """Rows of packed windows, int32 [B, T] each.

    Attributes:
      items: the inputs; 0 in empty slots.
      targets: the item that follows each input; 0 in empty slots.
      positions: counted back from the window's latest input, which has 0; 0 in empty slots. So a model that
        learns a vector a position knows how recent a play is, in training and at inference alike.
      segments: 1, 2, ... for the windows of the row, 0 in empty slots: a slot may attend to its own segment
        only.
      users: whose window it is; -1 in empty slots.
    """

    items: np.ndarray
    targets: np.ndarray
    positions: np.ndarray
    segments: np.ndarray
    users: np.ndarray


def cut_windows(indptr: Any, length: int) -> Windows:
    """Cuts each history into windows of up to `length` transitions, tiled from its end.

    A user with m events has m - 1 transitions and gets `ceil((m - 1) / length)` windows, which hold each of
    them once; the most recent window is full and the oldest may be short. A user with m < 2 gets none.

    Args:
      indptr: int64 [U+1]; user u's events are `indptr[u]:indptr[u + 1]`.
      length: transitions in a window, at least 1.

    Raises:
      ValueError: `length` below 1, or `indptr` falls; names the user.
    """
    if length < 1:
        raise ValueError(f"length is {length}; a window holds at least 1 transition")
    indptr = read_only(indptr, np.int64, "indptr")
    events = np.diff(indptr)
    if len(indptr) == 0 or indptr[0] < 0 or (events < 0).any():
        fault = f"falls at user {int(np.argmax(events < 0))}" if (events < 0).any() else "starts below 0 or is empty"
        raise ValueError(f"indptr {fault}; it must rise from 0")
    counts = np.maximum(events - 1 + length - 1, 0) // length
    user, start, lengths = _cut(indptr, int(counts.sum()), int(length))
    return Windows(user, start, lengths)


def fill_windows(
    rows: Any, packing: Packing, windows: Windows, items: Any, capacity: int, threads: int | None = None
) -> WindowBatch:
    """The rows `rows` of a packing as arrays, windows side by side from the left.

    Args:
      rows: int64 [B] in `[0, packing.n_rows)`.
      items: int32 [E], the log that `windows` was cut from (used in place, memory-mapped or not).
      capacity: slots in a row (T); the windows of every row must fit.
      threads: None for all CPUs; the result does not depend on it.

    Raises:
      ValueError: a row is out of range or does not fit, or a window reaches outside `items`; names it.
    """
    rows = read_only(rows, np.int64, "rows")
    in_range(rows, 0, packing.n_rows, "rows", "rows of the packing")
    if capacity < 1:
        raise ValueError(f"capacity is {capacity}; it must be at least 1")
    events = read_only(items, np.int32, "items")
    shape = (len(rows), int(capacity))
    batch = WindowBatch(*(np.empty(shape, np.int32) for _ in range(5)))
    fault = np.full(len(rows), -1, np.int64)
    run_rows(
        _fill,
        len(rows),
        threads,
        rows,
        read_only(packing.indptr, np.int64, "packing.indptr"),
        read_only(packing.windows, np.int32, "packing.windows"),
        read_only(windows.user, np.int32, "windows.user"),
        read_only(windows.start, np.int64, "windows.start"),
        read_only(windows.length, np.int32, "windows.length"),
        events,
        batch.items,
        batch.targets,
        batch.positions,
        batch.segments,
        batch.users,
        fault,
        min_rows=64,
    )
    if (fault >= 0).any():
        at = int(np.argmax(fault >= 0))
        window = int(fault[at])
        if window >= len(windows):
            raise ValueError(f"row {rows[at]} of the packing names window {window}; there are {len(windows)}")
        start, length = int(windows.start[window]), int(windows.length[window])
        if start < 0 or length < 1 or start + length >= len(events):
            raise ValueError(
                f"window {window} (start {start}, length {length}) reaches outside the {len(events)} items; "
                "fill with the log that the windows were cut from"
            )
        raise ValueError(
            f"row {rows[at]} of the packing does not fit a capacity of {capacity} slots; "
            "fill with the capacity that it was packed for"
        )
    return batch


@kernel
def _cut(indptr, n_windows, length):
    user = np.empty(n_windows, np.int32)
    start = np.empty(n_windows, np.int64)
    lengths = np.empty(n_windows, np.int32)
    at = 0
    for u in range(len(indptr) - 1):
        first, transitions = indptr[u], indptr[u + 1] - indptr[u] - 1
        stop = transitions % length  # the oldest window takes what the full ones leave
        if stop == 0:
            stop = length
        begin = 0
        while begin < transitions:
            user[at] = u
            start[at] = first + begin
            lengths[at] = stop - begin
            at += 1
            begin = stop
            stop += length
    return user, start, lengths


@kernel
def _fill(
    first, stop, rows, indptr, row_windows, user, start, length, events,
    items, targets, positions, segments, users, fault,
):  # fmt: skip
    """Fills rows `first <= b < stop`; `fault[b]` names a window that cannot be placed."""
    capacity = items.shape[1]
    for b in range(first, stop):
        row = rows[b]
        slot = 0
        for i in range(indptr[row], indptr[row + 1]):
            w = row_windows[i]
            if w < 0 or w >= len(start):
                fault[b] = w
                break
            n, source = length[w], start[w]
            if n < 1 or source < 0 or source + n >= len(events) or slot + n > capacity:
                fault[b] = w
                break
            segment, owner = i - indptr[row] + 1, user[w]
            for j in range(n):
                items[b, slot + j] = events[source + j]
                targets[b, slot + j] = events[source + j + 1]
                positions[b, slot + j] = n - 1 - j
                segments[b, slot + j] = segment
                users[b, slot + j] = owner
            slot += n
        for j in range(slot, capacity):
            items[b, j] = 0
            targets[b, j] = 0
            positions[b, j] = 0
            segments[b, j] = 0
            users[b, j] = -1
