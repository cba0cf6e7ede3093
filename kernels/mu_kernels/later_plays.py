"""How often listeners play items after places of a log."""

from typing import Any

import numpy as np

from mu_kernels._check import in_range, read_only
from mu_kernels.compile import kernel
from mu_kernels.threads import run_rows


def later_plays(
    plays: Any, candidates: Any, indptr: Any, items: Any, n_items: int, *, threads: int | None = None
) -> np.ndarray:
    """int32 [B, T, K]: how often the listener of each place of a log plays each item after it; 0 where no place is.

    Args:
      plays: int64 [B, T], places of `items`; -1 for none.
      candidates: integers [B or 1, T or 1, K], items.
      indptr: int64 [U+1], where the plays of each listener begin.
      items: int32 [E], the log, of items in [0, V).
      n_items: V.
      threads: None for all CPUs; the result does not depend on it.

    Raises:
      ValueError: a play, a candidate or an item is out of range, or shapes differ.
    """
    plays, candidates = read_only(plays, np.int64, "plays", 2), read_only(candidates, np.int32, "candidates", 3)
    indptr, items = read_only(indptr, np.int64, "indptr"), read_only(items, np.int32, "items")
    in_range(candidates, 0, n_items, "candidates", "items")
    in_range(plays, -1, len(items), "plays", "plays of the log, or -1,")
    for axis, name in enumerate("BT"):
        if candidates.shape[axis] not in (1, plays.shape[axis]):
            raise ValueError(f"candidates has shape {candidates.shape}; {name} is {plays.shape[axis]}, or 1 for all")
    later = np.zeros((*plays.shape, candidates.shape[2]), np.int32)
    faults = np.full(len(plays), -1, np.int64)
    run_rows(_later_plays, len(plays), threads, plays, candidates, indptr, items, int(n_items), later, faults)
    if (faults >= 0).any():
        place = faults[faults >= 0][0]
        raise ValueError(f"items[{place}] is {items[place]}; items lie in [0, {n_items})")
    return later


@kernel
def _later_plays(first, stop, plays, candidates, indptr, items, n_items, later, faults):
    counts = np.zeros(n_items, np.int32)
    for b in range(first, stop):
        for t in range(plays.shape[1]):
            play = plays[b, t]
            if play < 0:
                continue
            end = indptr[np.searchsorted(indptr, play, side="right")]
            for at in range(play + 1, end):
                if items[at] < 0 or items[at] >= n_items:
                    faults[b] = at
                    break
            if faults[b] >= 0:
                break
            for at in range(play + 1, end):
                counts[items[at]] += 1
            row, column = b % candidates.shape[0], t % candidates.shape[1]
            for k in range(candidates.shape[2]):
                later[b, t, k] = counts[candidates[row, column, k]]
            for at in range(play + 1, end):
                counts[items[at]] = 0
