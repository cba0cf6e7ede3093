"""The distinct ids of a batch: the rows of a table that a step touches, and where each id finds its row."""

from typing import Any

import numpy as np

from mu_kernels._check import in_range, read_only
from mu_kernels.compile import kernel


def distinct(*id_arrays: Any, n: int) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """The ids that occur in any of the arrays, and every array as positions among them.

    O(total + n / 64): ids are marked in a bitmap of n bits, and an id's position is the number of marks
    before it.

    Args:
      id_arrays: integers of any shape, each in `[0, n)`.
      n: the size of the id space (rows of the table).

    Returns:
      unique: int32 [L], ascending, and a tuple of int32 arrays `local` of the shapes of `id_arrays`, such
        that
      `unique[local] == ids`.

    Raises:
      ValueError: an id is out of range; names the array, the place and the id.
    """
    if not 0 <= n < 2**31:
        raise ValueError(f"n is {n}; it must lie in [0, 2**31)")
    flat = []
    for number, ids in enumerate(id_arrays):
        ids = np.asarray(ids)
        name = f"id_arrays[{number}]"
        ids = read_only(ids, np.int32, name, ids.ndim)
        in_range(ids, 0, n, name, "ids")
        flat.append((ids.reshape(-1), ids.shape))
    marks = np.zeros(n // 64 + 1, np.uint64)
    for ids, _ in flat:
        _mark(ids, marks)
    before = np.empty(len(marks), np.int32)
    local = []
    with np.errstate(over="ignore"):  # words of bits wrap around; NumPy minds where the JIT is off
        unique = np.empty(_count(marks, before), np.int32)
        _list(marks, unique)
        for ids, shape in flat:
            out = np.empty(len(ids), np.int32)
            _find(ids, marks, before, out)
            local.append(out.reshape(shape))
    return unique, tuple(local)


@kernel
def _mark(ids, marks):
    for i in range(len(ids)):
        marks[ids[i] >> 6] |= np.uint64(1) << np.uint64(ids[i] & 63)


@kernel
def _ones(word):
    """The number of bits set in a uint64, as LLVM knows it: one instruction where the CPU has one."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int32((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@kernel
def _count(marks, before):
    """Fills `before` with the number of marks in earlier words; returns the number of all marks."""
    total = 0
    for w in range(len(marks)):
        before[w] = total
        total += _ones(marks[w])
    return total


@kernel
def _list(marks, unique):
    at = 0
    for w in range(len(marks)):
        word = marks[w]
        while word != np.uint64(0):
            lowest = word & (~word + np.uint64(1))
            unique[at] = w * 64 + _ones(lowest - np.uint64(1))
            at += 1
            word ^= lowest


@kernel
def _find(ids, marks, before, out):
    for i in range(len(ids)):
        word = ids[i] >> 6
        lower = (np.uint64(1) << np.uint64(ids[i] & 63)) - np.uint64(1)
        out[i] = before[word] + _ones(marks[word] & lower)
