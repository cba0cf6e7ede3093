"""Handler of `top_k`: the k best items of each query."""

import numba
import numpy as np

from mu_kernels._ffi_cpu.bounded_scores import CHUNK, LANES, compare, error_bounds, products, score_of, side_by_side
from mu_kernels._ffi_cpu.frame import buffers, float_matrix, floats, int_matrix, ints, row_bounds
from mu_kernels._heap import sift_down, sift_up, sort_heap


@numba.njit
def _top_k(queries, vectors, bias, starts, stops, indices, ids, scores, count):
    """Approximate scores of a chunk of items; those that may beat the worst of the k best so far are scored exactly."""
    n_queries, n_items, k = len(queries), len(vectors), ids.shape[1]
    turned, lengths = side_by_side(queries)
    # What a score must exceed: NaN, than which nothing is certainly less, until k are found; past the last, infinity.
    thresholds = np.full(len(lengths), np.inf, np.float32)
    thresholds[:n_queries] = np.nan
    cursors = np.empty(n_queries, np.int64)
    for q in range(n_queries):
        cursors[q] = row_bounds(starts, stops, q, len(indices))[0]
    unused = np.zeros(len(lengths), np.int32)
    ids[:] = -1
    scores[:] = -np.inf
    count[:] = 0
    out = np.zeros((CHUNK, LANES), np.float32)
    errors, offsets, slacks = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32)
    for first in range(0, n_items, CHUNK):
        n = min(CHUNK, n_items - first)
        error_bounds(vectors, bias, first, n, errors, offsets, slacks)
        for group in range(len(turned)):
            base = group * LANES
            lanes = min(LANES, n_queries - base)
            products(queries, turned[group], base, vectors, first, n, out)
            for i in range(n):
                mask = compare(  # pyright: ignore
                    out, i, offsets[i], slacks[i], errors[i], lengths, thresholds, base, unused
                )
                if mask == 0:
                    continue
                item = first + i
                for lane in range(lanes):
                    if not (mask >> lane) & 1:
                        continue
                    q = base + lane
                    at, stop = cursors[q], row_bounds(starts, stops, q, len(indices))[1]
                    while at < stop and indices[at] < item:
                        at += 1
                    cursors[q] = at
                    if at < stop and indices[at] == item:
                        continue
                    score = score_of(queries, q, vectors, item, bias)
                    if score != score:  # NaN is no score
                        continue
                    size = count[q]
                    if size < k:
                        sift_up(ids[q], scores[q], size, item, score)
                        count[q] = size + 1
                    elif score > scores[q, 0]:
                        ids[q, 0], scores[q, 0] = item, score
                        sift_down(ids[q], scores[q], k)
                    if count[q] == k:
                        thresholds[q] = scores[q, 0]
    for q in range(n_queries):
        sort_heap(ids[q], scores[q], count[q])


def top_k(address):
    arguments, results = buffers(address)
    if arguments != 0:
        queries, vectors, bias = float_matrix(arguments, 0), float_matrix(arguments, 1), floats(arguments, 2)
        starts, stops, indices = ints(arguments, 3), ints(arguments, 4), ints(arguments, 5)
        ids, scores, count = int_matrix(results, 1), float_matrix(results, 0), ints(results, 2)
        _top_k(queries, vectors, bias, starts, stops, indices, ids, scores, count)
    return 0
