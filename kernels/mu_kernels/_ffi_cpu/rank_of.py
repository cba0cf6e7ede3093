"""Handler of `rank_of`: how many items score more than a query's target, and how many the same."""

import numba
import numpy as np

from mu_kernels._ffi_cpu.bounded_scores import CHUNK, LANES, compare, error_bounds, products, score_of, side_by_side
from mu_kernels._ffi_cpu.frame import buffers, float_matrix, floats, ints, row_bounds


@numba.njit
def _rank_of(queries, vectors, targets, bias, starts, stops, indices, greater, equal):
    """Counts by approximate scores; those too close to the target's to tell are scored exactly."""
    n_queries, n_items = len(queries), len(vectors)
    turned, lengths = side_by_side(queries)
    # Below infinity everything is certain: so a target that is none, or whose score is NaN, costs nothing.
    own = np.full(len(lengths), np.inf, np.float32)
    valid = np.zeros(len(lengths), np.bool_)
    for q in range(n_queries):
        if 0 <= targets[q] < n_items:
            score = score_of(queries, q, vectors, np.int64(targets[q]), bias)
            if score == score:
                own[q], valid[q] = score, True
    above, same = np.zeros(len(lengths), np.int32), np.zeros(len(lengths), np.int32)
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
                    out, i, offsets[i], slacks[i], errors[i], lengths, own, base, above
                )
                mask &= ~(mask >> 16) & 0xFFFF
                if mask == 0:
                    continue
                for lane in range(lanes):
                    q = base + lane
                    if (mask >> lane) & 1 and valid[q]:
                        score = score_of(queries, q, vectors, first + i, bias)
                        above[q] += np.int32(score > own[q])
                        same[q] += np.int32(score == own[q])
    for q in range(n_queries):
        greater[q] = equal[q] = 0
        if not valid[q]:
            continue
        greater[q], equal[q] = above[q], same[q]
        begin, stop = row_bounds(starts, stops, q, len(indices))
        before = -1
        for at in range(begin, stop):
            item = np.int64(indices[at])
            if before < item < n_items and item != targets[q]:
                score = score_of(queries, q, vectors, item, bias)
                greater[q] -= np.int32(score > own[q])
                equal[q] -= np.int32(score == own[q])
            before = max(before, item)


def rank_of(address):
    arguments, results = buffers(address)
    if arguments != 0:
        queries, vectors, bias = float_matrix(arguments, 0), float_matrix(arguments, 1), floats(arguments, 2)
        starts, stops, indices = ints(arguments, 3), ints(arguments, 4), ints(arguments, 5)
        targets, greater, equal = ints(arguments, 6), ints(results, 0), ints(results, 1)
        _rank_of(queries, vectors, targets, bias, starts, stops, indices, greater, equal)
    return 0
