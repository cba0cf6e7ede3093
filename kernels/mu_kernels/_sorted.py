"""Searches in sorted arrays: one value at a time, and many values in steps that LLVM vectorises."""

import numpy as np

from mu_kernels.compile import kernel


@kernel
def first_at_least(ascending, low, stop, value):
    """The first position in [low, stop) whose entry is at least `value`; `stop` where there is none."""
    high = stop
    while low < high:
        middle = (low + high) >> 1
        if ascending[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def first_above(ascending, low, stop, value):
    """The first position in [low, stop) whose entry is above `value`; `stop` where there is none."""
    high = stop
    while low < high:
        middle = (low + high) >> 1
        if ascending[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def holds(ascending, low, stop, value):
    """Whether `value` is one of `ascending[low:stop]`."""
    at = first_at_least(ascending, low, stop, value)
    return at < stop and ascending[at] == value


@kernel
def count_up_to(ascending, size, values, n, counts):
    """counts[i]: how many of the first `size` entries are at most `values[i]`, for i < n.

    All searches take the same steps, each one loop over the values without branches.
    """
    for i in range(n):
        counts[i] = 0
    while size > 0:
        half = max(size >> 1, 1)
        for i in range(n):
            probe = counts[i] + half
            counts[i] = np.int32(probe) if ascending[np.uint64(probe - 1)] <= values[i] else counts[i]
        size -= half


@kernel
def rank_select(excluded, size, ranks, n, below):
    """Adds to below[i] how many of the next `size` excluded entries e[j] have e[j] - j <= ranks[i], for i < n.

    From `below` 0 and with all entries, `ranks[i] + below[i]` is the item of that rank among those not excluded.
    """
    while size > 0:
        half = max(size >> 1, 1)
        for i in range(n):
            probe = below[i] + half
            is_below = excluded[np.uint64(probe - 1)] - (probe - 1) <= ranks[i]
            below[i] = np.int32(probe) if is_below else below[i]
        size -= half
