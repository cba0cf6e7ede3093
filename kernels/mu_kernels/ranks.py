"""Ranks of given items in the full order of the catalogue, by counting: nothing is sorted."""

import dataclasses
from typing import Any

import numpy as np

from mu_kernels._check import read_only
from mu_kernels.compile import kernel
from mu_kernels.csr import CSR
from mu_kernels.threads import run_rows


@dataclasses.dataclass(frozen=True, eq=False)
class Ranks:
    """Where targets stand among the candidates, in the order of the targets' CSR.

    With ties in random order, a target's rank from 0 is uniform over `greater, ..., greater + equal - 1`.

    Attributes:
      greater: int32 [E], candidates that score strictly more.
      equal: int32 [E], candidates that score exactly the same, the target itself included: at least 1.
    """

    greater: np.ndarray
    equal: np.ndarray


def rank_scores(scores: Any, targets: CSR, exclude: CSR | None = None, threads: int | None = None) -> Ranks:
    """For each target of each row, how many candidates score more, and how many the same.

    Candidates are all items but the excluded ones; a target is always a candidate, for every target of its
    row, even where `exclude` names it.

    Args:
      scores: float32 [B, V]. Infinities are scores like any other.
      targets: one row per query, V columns.
      exclude: one row per query, V columns: items that are not ranked (played in training).
      threads: None for all CPUs; the result does not depend on it.

    Raises:
      ValueError: shapes differ, or a row with targets holds a NaN; names where.
    """
    scores = float32_scores(scores)
    same_shape(targets, scores.shape, "targets")
    if exclude is None:
        exclude = empty_rows(*scores.shape)
    same_shape(exclude, scores.shape, "exclude")
    ranks = Ranks(np.zeros(len(targets), np.int32), np.zeros(len(targets), np.int32))
    lists = (targets.indptr, targets.indices, exclude.indptr, exclude.indices)
    bad = np.full(len(scores), -1, np.int64)
    run_rows(_count, len(scores), threads, scores, *lists, ranks.greater, ranks.equal, bad, min_rows=4)
    refuse_nan(bad)
    return ranks


def float32_scores(scores: Any) -> np.ndarray:
    """Scores [B, V], read-only; refuses other types, whose rounding would make ties of differences."""
    scores = np.asarray(scores)
    if scores.dtype != np.float32:
        raise TypeError(f"scores is of type {scores.dtype}; it must be float32")
    if scores.ndim != 2 or scores.shape[1] >= 2**31:
        raise ValueError(f"scores has shape {scores.shape}; it must be [queries, items]")
    return read_only(scores, np.float32, "scores", 2)


def same_shape(rows: CSR, shape: tuple[int, ...], name: str) -> None:
    """Refuses a CSR that is not one row per query and one column per item."""
    if (rows.n_rows, rows.n_columns) != shape:
        raise ValueError(
            f"{name} has {rows.n_rows} rows and {rows.n_columns} columns; "
            f"there are {shape[0]} queries and {shape[1]} items (one row per query)"
        )


def empty_rows(n_rows: int, n_columns: int) -> CSR:
    """The CSR that excludes nothing."""
    return CSR(np.zeros(n_rows + 1, np.int64), np.zeros(0, np.int32), n_columns)


def refuse_nan(bad: np.ndarray) -> None:
    """Raises where a kernel left the place of a NaN in `bad` [B]."""
    if (bad >= 0).any():
        row = int(np.argmax(bad >= 0))
        raise ValueError(f"scores[{row}, {bad[row]}] is NaN; a NaN has no place in an order")


@kernel
def _count(first, stop, scores, indptr, indices, out_indptr, out_indices, greater, equal, bad):
    n_items = scores.shape[1]
    for b in range(first, stop):
        row = scores[b]
        begin, end = indptr[b], indptr[b + 1]
        if begin == end:
            continue
        n_nan = np.int32(0)
        for i in range(n_items):
            n_nan = np.int32(n_nan + np.int32(row[i] != row[i]))
        if n_nan > 0:
            for i in range(n_items):
                if row[i] != row[i]:
                    bad[b] = i
                    break
            continue
        for e in range(begin, end):
            mine = row[indices[e]]
            # Counters of 32 bits, as wide as the scores: then LLVM counts a full vector at a time.
            above, same = np.int32(0), np.int32(0)
            for i in range(n_items):
                above = np.int32(above + np.int32(row[i] > mine))
                same = np.int32(same + np.int32(row[i] == mine))
            target = begin
            for x in range(out_indptr[b], out_indptr[b + 1]):
                item = out_indices[x]
                while target < end and indices[target] < item:
                    target += 1
                if target < end and indices[target] == item:
                    continue  # a target stays a candidate
                score = row[item]
                above -= np.int32(score > mine)
                same -= np.int32(score == mine)
            greater[e] = above
            equal[e] = same
