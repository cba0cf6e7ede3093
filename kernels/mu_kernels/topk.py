"""The k highest scores of each query, exactly, in one pass that keeps a heap of k."""

import dataclasses
import operator
from typing import Any

import numpy as np

from mu_kernels._heap import sift_down, sift_up, sort_heap
from mu_kernels.compile import kernel
from mu_kernels.csr import CSR
from mu_kernels.ranks import empty_rows, float32_scores, refuse_nan, same_shape
from mu_kernels.threads import run_rows


@dataclasses.dataclass(frozen=True, eq=False)
class Hits:
    """The best items of each query.

    Attributes:
      ids: int32 [B, k], best first, ties by lower id; -1 in slots past `count`.
      scores: float32 [B, k]; -inf in slots past `count`.
      count: int32 [B], how many slots are real: below k where fewer candidates than k are left.
      recall: None where the hits are exact; else their share of the exact hits, in the queries that were checked.
    """

    ids: np.ndarray
    scores: np.ndarray
    count: np.ndarray
    recall: float | None = None


def top_k_scores(scores: Any, k: int, exclude: CSR | None = None, threads: int | None = None) -> Hits:
    """The k highest scores of each row.

    Args:
      scores: float32 [B, V]. Infinities are scores like any other: to leave items out, use `exclude`.
      k: at least 1; may exceed V.
      exclude: one row per query, V columns: items that are never hits.
      threads: None for all CPUs; the result does not depend on it.

    Raises:
      TypeError: scores are not float32.
      ValueError: shapes differ, `k` is below 1, or a score is NaN; names where.
    """
    scores = float32_scores(scores)
    if exclude is None:
        exclude = empty_rows(*scores.shape)
    same_shape(exclude, scores.shape, "exclude")
    hits = no_hits(len(scores), k)
    bad = np.full(len(scores), -1, np.int64)
    arrays = (hits.ids, hits.scores, hits.count)
    run_rows(_select, len(scores), threads, scores, exclude.indptr, exclude.indices, *arrays, bad, min_rows=4)
    refuse_nan(bad)
    run_rows(_sort_heaps, len(hits.ids), threads, *arrays, min_rows=16)
    return hits


def no_hits(n_queries: int, k: int) -> Hits:
    if operator.index(k) < 1:
        raise ValueError(f"k is {k}; it must be at least 1")
    ids = np.full((n_queries, k), -1, np.int32)
    return Hits(ids, np.full((n_queries, k), -np.inf, np.float32), np.zeros(n_queries, np.int32))


@kernel
def _select(first, stop, scores, out_indptr, out_indices, ids, best, count, bad):
    chunk = 256  # 1 KiB of scores: enough for the vector loop, little to look at again after a find
    n_items, k = scores.shape[1], ids.shape[1]
    for b in range(first, stop):
        row, row_ids, row_best = scores[b], ids[b], best[b]
        size = count[b]
        low, out_stop = out_indptr[b], out_indptr[b + 1]
        item = 0
        while item <= n_items and bad[b] < 0:
            # Items come by rising id, in runs between excluded ones.
            run_stop = n_items
            if low < out_stop:
                run_stop = out_indices[low]
            low += 1
            while item < run_stop:
                chunk_stop = min(item + chunk, run_stop)
                if size == k:
                    # "not <=" and not ">", so that a NaN counts too. An equal score has a higher id: no
                    # hit.
                    threshold = row_best[0]
                    n_above = np.int32(0)
                    for i in range(item, chunk_stop):
                        n_above = np.int32(n_above + np.int32(not (row[i] <= threshold)))
                    if n_above == 0:
                        item = chunk_stop
                        continue
                for i in range(item, chunk_stop):
                    score = row[i]
                    if score != score:
                        bad[b] = i
                        break
                    if size < k:
                        sift_up(row_ids, row_best, size, i, score)
                        size += 1
                    elif score > row_best[0]:
                        row_best[0], row_ids[0] = score, i
                        sift_down(row_ids, row_best, k)
                if bad[b] >= 0:
                    break
                item = chunk_stop
            item = run_stop + 1
        count[b] = size


@kernel
def _sort_heaps(first, stop, ids, best, count):
    for b in range(first, stop):
        sort_heap(ids[b], best[b], count[b])
