"""Ranks in the order of exact scores: matrix products decide most, exact scores what lies within their rounding."""

import numpy as np

from mu_kernels._sorted import holds
from mu_kernels._vector.exact_dot import dot
from mu_kernels.compile import kernel
from mu_kernels.csr import CSR
from mu_kernels.ranks import Ranks, empty_rows
from mu_kernels.threads import run_rows

# A block of scores is 4 MiB: many queries, so that BLAS packs each block of items once for all of them, and
# few items, so that the scores are still in the cache when the counting reads them. Best of eight shapes
# tried at D = 128 (512 x 2048: 0.75 s of one core for 1,024 queries x 262,144 items, 128 x 4096: 0.97 s; the
# products alone 0.55 s).
QUERIES_PER_BLOCK = 512
ITEMS_PER_BLOCK = 2048


def exact_ranks(
    vectors: np.ndarray,
    bias: np.ndarray,
    absent: np.ndarray,
    largest_norm: float,
    queries: np.ndarray,
    targets: CSR,
    exclude: CSR | None,
    threads: int | None,
) -> Ranks:
    """`absent` (int64, ascending): items that are not ranked. The rest as in `ItemIndex.rank_of`."""
    n_items, dim = vectors.shape
    exclude = empty_rows(len(queries), n_items) if exclude is None else exclude
    ranks = Ranks(np.zeros(len(targets), np.int32), np.zeros(len(targets), np.int32))
    own = np.empty(len(targets), np.float32)
    run_rows(_own_scores, len(queries), threads, vectors, bias, queries, targets.indptr, targets.indices, own)
    # Of any order of a float32 sum (Higham 2002, 3.5): |fl(q.x) - q.x| <= D u |q| |x|, u = 2**-24; twice that, for the
    # bias and for the rounding of the bound.
    lengths = np.sqrt(np.square(queries, dtype=np.float64).sum(1))
    error = (dim + 8) * 2.0**-23 * lengths * largest_norm
    error += (dim + 8) * 2.0**-149  # where float32 has no smaller numbers
    if len(bias):
        error += 2.0**-22 * np.abs(bias).max(initial=0)
    for first in range(0, len(queries), QUERIES_PER_BLOCK):
        stop = min(first + QUERIES_PER_BLOCK, len(queries))
        rows = np.arange(first, stop)
        part_targets, part_exclude = targets.take(rows), exclude.take(rows)
        entries = slice(targets.indptr[first], targets.indptr[stop])
        out = (own[entries], ranks.greater[entries], ranks.equal[entries])
        for first_item in range(0, n_items, ITEMS_PER_BLOCK):
            stop_item = min(first_item + ITEMS_PER_BLOCK, n_items)
            scores = queries[first:stop] @ vectors[first_item:stop_item].T
            if len(bias):
                scores += bias[first_item:stop_item]
            low, high = np.searchsorted(absent, (first_item, stop_item))
            scores[:, absent[low:high] - first_item] = -np.inf
            lists = (part_targets.indptr, part_targets.indices, part_exclude.indptr, part_exclude.indices)
            arrays = (scores, first_item, error[first:stop], vectors, bias, queries[first:stop], *lists, *out)
            run_rows(_count, stop - first, threads, *arrays, min_rows=4)
    return ranks


@kernel
def _own_scores(first, stop, vectors, bias, queries, indptr, indices, own):
    for b in range(first, stop):
        for e in range(indptr[b], indptr[b + 1]):
            value = dot(queries, b, vectors, indices[e], vectors.shape[1])
            if len(bias):
                value += bias[indices[e]]
            own[e] = np.float32(value)


@kernel
def _count(
    first,
    stop,
    scores,
    first_item,
    error,
    vectors,
    bias,
    queries,
    indptr,
    indices,
    out_indptr,
    out_indices,
    own,
    greater,
    equal,
):
    n_items = scores.shape[1]
    for b in range(first, stop):
        row = scores[b]
        begin, end = indptr[b], indptr[b + 1]
        out_begin, out_end = out_indptr[b], out_indptr[b + 1]
        for e in range(begin, end):
            mine = own[e]
            slack = error[b] + 1e-6 * abs(np.float64(mine))
            high, low = np.float32(mine + slack), np.float32(mine - slack)
            # Counters of 32 bits, as wide as the scores: then LLVM counts a full vector at a time.
            above, reaching = np.int32(0), np.int32(0)
            for i in range(n_items):
                above = np.int32(above + np.int32(row[i] > high))
                reaching = np.int32(reaching + np.int32(row[i] >= low))
            if above < reaching:
                for i in range(n_items):
                    if row[i] < low or row[i] > high:
                        continue
                    item = first_item + i
                    if holds(out_indices, out_begin, out_end, item) and not holds(indices, begin, end, item):
                        continue
                    score = mine
                    if item != indices[e]:
                        value = dot(queries, b, vectors, item, vectors.shape[1])
                        if len(bias):
                            value += bias[item]
                        score = np.float32(value)
                    greater[e] += np.int32(score > mine)
                    equal[e] += np.int32(score == mine)
            for x in range(out_begin, out_end):
                item = out_indices[x]
                if item < first_item or item >= first_item + n_items:
                    continue
                if row[item - first_item] > high and not holds(indices, begin, end, item):
                    above -= 1
            greater[e] += above
