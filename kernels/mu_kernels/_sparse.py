"""What `sparse_index.py` runs for a range of queries: sums of sparse rows, the best items, ranks, scores of items.

The arguments of all: the queries (starts, stops, rows, weights), the rows (starts, stops, indices, values), and the
background, as `SparseIndex` has them.
"""

import numpy as np

from mu_kernels._heap import sift_down, sift_up, sort_heap, worse
from mu_kernels._sorted import first_above, first_at_least
from mu_kernels.compile import kernel

# Marks of items while a query is answered.
_REACHED, _EXCLUDED = 1, 2


@kernel
def sum_rows(b, q_starts, q_stops, q_rows, q_weights, starts, stops, indices, values, marks, sums, reached):
    """Sums the rows of query b; returns how many items `reached` lists. Items that are marked already are left out."""
    n = 0
    for at in range(q_starts[b], q_stops[b]):
        weight = q_weights[at]
        for entry in range(starts[q_rows[at]], stops[q_rows[at]]):
            item = indices[entry]
            if marks[item] == 0:
                marks[item] = _REACHED
                sums[item] = 0.0
                reached[n] = item
                n += 1
            if marks[item] == _REACHED:
                sums[item] += weight * values[entry]
    return n


@kernel
def _offer(ids, scores, size, item, score):
    """Adds an item to the heap of the best; returns its new size."""
    if size < len(ids):
        sift_up(ids, scores, size, item, score)
        return size + 1
    if worse(scores[0], ids[0], score, item):
        ids[0], scores[0] = item, score
        sift_down(ids, scores, size)
    return size


@kernel
def top_k_rows(
    first,
    stop,
    q_starts,
    q_stops,
    q_rows,
    q_weights,
    starts,
    stops,
    indices,
    values,
    background,
    order,
    out_indptr,
    out_items,
    has_candidates,
    among_indptr,
    among_items,
    allowed,
    ids,
    best,
    count,
):
    n_items, k, all_allowed = len(background), ids.shape[1], len(allowed) == 0
    marks, sums = np.zeros(n_items, np.uint8), np.empty(n_items, np.float64)
    reached = np.empty(n_items, np.int32)
    for b in range(first, stop):
        row_ids, row_best, size = ids[b], best[b], 0
        for at in range(out_indptr[b], out_indptr[b + 1]):
            marks[out_items[at]] = _EXCLUDED
        n = sum_rows(b, q_starts, q_stops, q_rows, q_weights, starts, stops, indices, values, marks, sums, reached)
        if has_candidates:
            for at in range(among_indptr[b], among_indptr[b + 1]):
                item = among_items[at]
                if marks[item] != _EXCLUDED and (all_allowed or allowed[item]):
                    score = background[item] + (sums[item] if marks[item] == _REACHED else 0.0)
                    size = _offer(row_ids, row_best, size, item, np.float32(score))
        else:
            for at in range(n):
                item = reached[at]
                if all_allowed or allowed[item]:
                    size = _offer(row_ids, row_best, size, item, np.float32(background[item] + sums[item]))
            for item in order:
                score = np.float32(background[item])
                if size == k and not worse(row_best[0], row_ids[0], score, item):
                    break  # and so are all that follow
                if marks[item] == 0 and (all_allowed or allowed[item]):
                    size = _offer(row_ids, row_best, size, item, score)
        sort_heap(row_ids, row_best, size)
        count[b] = size
        _clear(marks, reached, n, out_items, out_indptr[b], out_indptr[b + 1])


@kernel
def _clear(marks, reached, n, out_items, begin, end):
    for at in range(n):
        marks[reached[at]] = 0
    for at in range(begin, end):
        marks[out_items[at]] = 0


@kernel
def rank_rows(
    first,
    stop,
    q_starts,
    q_stops,
    q_rows,
    q_weights,
    starts,
    stops,
    indices,
    values,
    background,
    ascending,
    indptr,
    targets,
    out_indptr,
    out_items,
    greater,
    equal,
):
    n_items = len(background)
    marks, sums = np.zeros(n_items, np.uint8), np.empty(n_items, np.float64)
    reached = np.empty(n_items, np.int32)
    for b in range(first, stop):
        if indptr[b] == indptr[b + 1]:
            continue
        for at in range(out_indptr[b], out_indptr[b + 1]):
            marks[out_items[at]] = _EXCLUDED
        for e in range(indptr[b], indptr[b + 1]):
            marks[targets[e]] = 0  # a target stays a candidate
        n = sum_rows(b, q_starts, q_stops, q_rows, q_weights, starts, stops, indices, values, marks, sums, reached)
        for e in range(indptr[b], indptr[b + 1]):
            own = background[targets[e]]
            mine = np.float32(own + sums[targets[e]] if marks[targets[e]] == _REACHED else own)
            low = first_at_least(ascending, 0, n_items, mine)
            high = first_above(ascending, low, n_items, mine)
            above, same = n_items - high, high - low
            for at in range(n):
                item = reached[at]
                without, score = np.float32(background[item]), np.float32(background[item] + sums[item])
                above += np.int64(score > mine) - np.int64(without > mine)
                same += np.int64(score == mine) - np.int64(without == mine)
            for at in range(out_indptr[b], out_indptr[b + 1]):
                if marks[out_items[at]] == _EXCLUDED:
                    without = np.float32(background[out_items[at]])
                    above -= np.int64(without > mine)
                    same -= np.int64(without == mine)
            greater[e], equal[e] = above, same
        _clear(marks, reached, n, out_items, out_indptr[b], out_indptr[b + 1])


@kernel
def score_rows(
    first,
    stop,
    q_starts,
    q_stops,
    q_rows,
    q_weights,
    starts,
    stops,
    indices,
    values,
    background,
    indptr,
    items,
    scores,
):
    n_items = len(background)
    marks, sums = np.zeros(n_items, np.uint8), np.empty(n_items, np.float64)
    reached = np.empty(n_items, np.int32)
    for b in range(first, stop):
        n = sum_rows(b, q_starts, q_stops, q_rows, q_weights, starts, stops, indices, values, marks, sums, reached)
        for e in range(indptr[b], indptr[b + 1]):
            scores[e] = np.float32(background[items[e]] + (sums[items[e]] if marks[items[e]] == _REACHED else 0.0))
        _clear(marks, reached, n, items, 0, 0)


@kernel
def rank_rows_at_times(
    first,
    stop,
    q_starts,
    q_stops,
    q_rows,
    q_weights,
    starts,
    stops,
    indices,
    values,
    background,
    ascending,
    targets,
    times,
    available_from,
    by_release,
    n_out,
    out_indptr,
    out_items,
    greater,
    equal,
):
    """`by_release` is the background in the order of release: its first `n_out[b]` are those of items that are out."""
    n_items = len(background)
    marks, sums = np.zeros(n_items, np.uint8), np.empty(n_items, np.float64)
    reached = np.empty(n_items, np.int32)
    for b in range(first, stop):
        for at in range(out_indptr[b], out_indptr[b + 1]):
            marks[out_items[at]] = _EXCLUDED
        target = targets[b]
        marks[target] = 0  # it stays a candidate
        n = sum_rows(b, q_starts, q_stops, q_rows, q_weights, starts, stops, indices, values, marks, sums, reached)
        mine = np.float32(background[target] + (sums[target] if marks[target] == _REACHED else 0.0))
        above, same = np.int64(0), np.int64(available_from[target] > times[b])  # the target itself, where it is not out
        if 2 * n_out[b] <= n_items:  # the smaller part is counted
            for at in range(n_out[b]):
                above += np.int64(by_release[at] > mine)
                same += np.int64(by_release[at] == mine)
        else:
            low = first_at_least(ascending, 0, n_items, mine)
            high = first_above(ascending, low, n_items, mine)
            above += n_items - high
            same += high - low
            for at in range(n_out[b], n_items):
                above -= np.int64(by_release[at] > mine)
                same -= np.int64(by_release[at] == mine)
        for at in range(n):
            item = reached[at]
            if available_from[item] <= times[b]:
                without, score = np.float32(background[item]), np.float32(background[item] + sums[item])
                above += np.int64(score > mine) - np.int64(without > mine)
                same += np.int64(score == mine) - np.int64(without == mine)
        for at in range(out_indptr[b], out_indptr[b + 1]):
            item = out_items[at]
            if marks[item] == _EXCLUDED and available_from[item] <= times[b]:
                without = np.float32(background[item])
                above -= np.int64(without > mine)
                same -= np.int64(without == mine)
        greater[b], equal[b] = above, same
        _clear(marks, reached, n, out_items, out_indptr[b], out_indptr[b + 1])
