"""Ranks of given items in the full order of the catalogue, by counting: nothing is sorted."""

import dataclasses
from typing import Any

import numpy as np

from mu_kernels._check import read_only
from mu_kernels._jit import kernel
from mu_kernels._threads import run_rows
from mu_kernels.csr import CSR


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
      exclude: one row per query, V columns: items that are not ranked (heard in training).
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
    own = np.empty(len(targets), np.float32)
    gather_block(scores, 0, targets, own, threads)
    count_block(scores, 0, targets, exclude, own, ranks, threads)
    return ranks


def gather_block(scores: np.ndarray, first_item: int, targets: CSR, own: np.ndarray, threads: int | None) -> None:
    """Puts into `own` [E] the scores of the targets among the items `first_item, ...` of `scores` [B, v]."""
    arguments = (scores, first_item, targets.indptr, targets.indices, own)
    run_rows(_gather, len(scores), threads, *arguments, min_rows=256)


def count_block(
    scores: np.ndarray,
    first_item: int,
    targets: CSR,
    exclude: CSR,
    own: np.ndarray,
    ranks: Ranks,
    threads: int | None,
) -> None:
    """Adds to `ranks` what the items `first_item, first_item + 1, ...` of `scores` [B, v] contribute.

    `own` float32 [E] holds the targets' own scores. A target counts itself as equal once, in the block that
    holds it, whatever that block says of its score.

    Raises:
      ValueError: a score is NaN.
    """
    bad = np.full(len(scores), -1, np.int64)
    run_rows(
        _count,
        len(scores),
        threads,
        scores,
        first_item,
        targets.indptr,
        targets.indices,
        exclude.indptr,
        exclude.indices,
        own,
        ranks.greater,
        ranks.equal,
        bad,
        min_rows=4,
    )
    refuse_nan(bad, first_item)


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


def refuse_nan(bad: np.ndarray, first_item: int) -> None:
    """Raises where a kernel left the place of a NaN in `bad` [B]."""
    if (bad >= 0).any():
        row = int(np.argmax(bad >= 0))
        raise ValueError(f"scores[{row}, {first_item + bad[row]}] is NaN; a NaN has no place in an order")


@kernel
def _gather(first, stop, scores, first_item, indptr, indices, own):
    """The scores of those targets that lie in this block of items."""
    last_item = first_item + scores.shape[1]
    for b in range(first, stop):
        for e in range(indptr[b], indptr[b + 1]):
            if first_item <= indices[e] < last_item:
                own[e] = scores[b, indices[e] - first_item]


@kernel
def _count(first, stop, scores, first_item, indptr, indices, out_indptr, out_indices, own, greater, equal, bad):
    n_items = scores.shape[1]
    last_item = first_item + n_items
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
        out_begin, out_end = out_indptr[b], out_indptr[b + 1]
        while out_begin < out_end and out_indices[out_begin] < first_item:
            out_begin += 1
        while out_begin < out_end and out_indices[out_end - 1] >= last_item:
            out_end -= 1
        for e in range(begin, end):
            mine = own[e]
            # Counters of 32 bits, as wide as the scores: then LLVM counts a full vector at a time.
            above, same = np.int32(0), np.int32(0)
            for i in range(n_items):
                above = np.int32(above + np.int32(row[i] > mine))
                same = np.int32(same + np.int32(row[i] == mine))
            target = begin
            for x in range(out_begin, out_end):
                item = out_indices[x]
                while target < end and indices[target] < item:
                    target += 1
                if target < end and indices[target] == item:
                    continue  # a target stays a candidate
                score = row[item - first_item]
                above -= np.int32(score > mine)
                same -= np.int32(score == mine)
            if first_item <= indices[e] < last_item:
                score = row[indices[e] - first_item]
                above -= np.int32(score > mine)
                same += np.int32(1) - np.int32(score == mine)
            greater[e] += above
            equal[e] += same
