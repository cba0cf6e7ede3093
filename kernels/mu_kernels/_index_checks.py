"""What an index refuses: numbers that are not finite, vectors so long that scores overflow, arrays of other lengths."""

from typing import Any

import numpy as np

from mu_kernels._check import finite, in_range, read_only
from mu_kernels.codes import LARGEST_NORM
from mu_kernels.compile import kernel
from mu_kernels.threads import run_rows


def checked_norms(vectors: np.ndarray, name: str, threads: int | None) -> float:
    """The largest norm; refuses what is not finite, and norms whose products a float32 cannot hold."""
    squares = np.empty(len(vectors))
    run_rows(_squares, len(vectors), threads, vectors, squares, min_rows=4096)
    largest = float(squares.max(initial=0))
    if not largest <= LARGEST_NORM**2:
        row = int(np.argmin(squares <= LARGEST_NORM**2))
        finite(vectors[: row + 1], name)
        raise ValueError(
            f"{name}[{row}] has norm {np.sqrt(squares[row]):.3g}; at most {LARGEST_NORM:g}, or scores overflow"
        )
    return float(np.sqrt(largest))


def checked_bias(bias: Any, n_items: int) -> np.ndarray:
    """float32 [N]; refuses what is not finite, and sizes with which scores overflow."""
    bias = read_only(bias, np.float32, "bias")
    finite(bias, "bias")
    if len(bias) != n_items:
        raise ValueError(f"bias has {len(bias)} entries; there are {n_items} vectors")
    if np.abs(bias).max(initial=0) > LARGEST_NORM**2:
        raise ValueError(f"bias holds {bias[np.abs(bias).argmax()]}; at most {LARGEST_NORM**2:g}, or scores overflow")
    return bias


def checked_groups(groups: Any, n_items: int) -> np.ndarray:
    """int64 [N]."""
    groups = read_only(groups, np.int64, "groups")
    if len(groups) != n_items:
        raise ValueError(f"groups has {len(groups)} entries; there are {n_items} vectors")
    return groups


def checked_ids(ids: Any, n_items: int) -> np.ndarray:
    """int64; refuses ids that are no item's or occur twice."""
    ids = read_only(ids, np.int64, "ids")
    in_range(ids, 0, n_items, "ids", "ids")
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"ids names item {values[counts > 1][0]} more than once")
    return ids


@kernel
def _squares(first, stop, vectors, out):
    for row in range(first, stop):
        total = 0.0
        for d in range(vectors.shape[1]):
            value = np.float64(vectors[row, d])
            total += value * value
        out[row] = total
