"""Kernels that place plays in the rows of their users and sort the rows by time."""

import numpy as np

from mu_kernels.compile import kernel


@kernel
def take_slots(users, cursor, out):
    """The next free place in the row of each play's user, in input order; advances `cursor`."""
    for at in range(len(users)):
        user = users[at]
        out[at] = cursor[user]
        cursor[user] += 1


@kernel
def count_backwards(users, times, last) -> tuple[int, int]:
    """Counts plays that are earlier than the previous play of the same user, whose time is in `last`; updates `last`.

    Returns:
      (count, position of the first or -1).
    """
    n, first = 0, -1
    for at in range(len(users)):
        user = users[at]
        if times[at] < last[user]:
            n += 1
            if first < 0:
                first = at
        last[user] = times[at]
    return n, first


@kernel
def scatter(values, slots, shift, out):
    """`out[slot + shift[slot]] = value`; an empty `shift` means zeros."""
    if len(shift) == 0:
        for at in range(len(slots)):
            out[slots[at]] = values[at]
    else:
        for at in range(len(slots)):
            out[slots[at] + shift[slots[at]]] = values[at]


@kernel
def any_unsorted(indptr, times):
    """Whether some row is not in order of time."""
    for row in range(len(indptr) - 1):
        for at in range(indptr[row] + 1, indptr[row + 1]):
            if times[at] < times[at - 1]:
                return True
    return False


@kernel
def sort_rows(first_row, stop_row, indptr, times, shift):
    """Sorts each row by time, stable; `shift[old place] = new - old place`."""
    for row in range(first_row, stop_row):
        start, stop = indptr[row], indptr[row + 1]
        ordered = True
        for at in range(start + 1, stop):
            if times[at] < times[at - 1]:
                ordered = False
                break
        if ordered:
            continue
        unsorted = times[start:stop].copy()
        order = stable_order(unsorted)
        for new in range(stop - start):
            old = order[new]
            times[start + new] = unsorted[old]
            shift[start + old] = new - old


@kernel
def stable_order(values):
    """int32: the stable argsort of `values`, by insertion sort in runs of 16 and merging.

    np.argsort(kind="mergesort") gives the same, and takes 3 s to compile.
    """
    n = len(values)
    order = np.arange(n).astype(np.int32)
    for start in range(0, n, 16):
        for at in range(start + 1, min(start + 16, n)):
            moving = order[at]
            place = at
            while place > start and values[order[place - 1]] > values[moving]:
                order[place] = order[place - 1]
                place -= 1
            order[place] = moving
    other = np.empty(n, np.int32)
    width = 16
    while width < n:
        for start in range(0, n, 2 * width):
            middle, stop = min(start + width, n), min(start + 2 * width, n)
            left, right = start, middle
            for at in range(start, stop):
                if left < middle and (right == stop or values[order[left]] <= values[order[right]]):
                    other[at] = order[left]
                    left += 1
                else:
                    other[at] = order[right]
                    right += 1
        order, other = other, order
        width *= 2
    return order
