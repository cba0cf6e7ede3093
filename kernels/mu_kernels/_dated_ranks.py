"""Kernels of `rank_at_times`: items lie in the order of release, so an age step of a query is a range of them."""

import numpy as np

from mu_kernels._sorted import holds
from mu_kernels._vector.exact_dot import dot
from mu_kernels.compile import kernel


@kernel
def _score(queries, b, vectors, item, bias, age_value):
    """The score that decides: in float64, rounded to float32."""
    value = dot(queries, b, vectors, item, vectors.shape[1])
    if len(bias):
        value += bias[item]
    return np.float32(value + age_value)


@kernel
def own_scores(first, stop, queries, vectors, bias, targets, age_values, own):
    """own[b]: the score of the target."""
    for b in range(first, stop):
        own[b] = _score(queries, b, vectors, targets[b], bias, age_values[b])


@kernel
def count_block(
    first, stop, scores, first_item, error, vectors, bias, queries, bounds, age_values,
    out_indptr, out_indices, targets, own, greater, equal,
):  # fmt: skip
    """Adds to `greater` and `equal` the candidates of a block of items; `scores` [rows, items] lack the age's value."""
    stop_item = first_item + scores.shape[1]
    for b in range(first, stop):
        row, mine = scores[b], own[b]
        out_begin, out_end = out_indptr[b], out_indptr[b + 1]
        for step in range(len(age_values)):
            low, high = max(bounds[b, step + 1], first_item), min(bounds[b, step], stop_item)
            if low >= high:
                continue
            value = np.float64(age_values[step])
            slack = error[b] + 1e-6 * (abs(np.float64(mine)) + abs(value))
            ceiling, floor = np.float32(mine - value + slack), np.float32(mine - value - slack)
            # Counters of 32 bits, as wide as the scores: then LLVM counts a full vector at a time.
            above, reaching = np.int32(0), np.int32(0)
            for i in range(low - first_item, high - first_item):
                above = np.int32(above + np.int32(row[i] > ceiling))
                reaching = np.int32(reaching + np.int32(row[i] >= floor))
            if above < reaching:
                for i in range(low - first_item, high - first_item):
                    item = first_item + i
                    if row[i] < floor or row[i] > ceiling or item == targets[b]:
                        continue
                    if holds(out_indices, out_begin, out_end, item):
                        continue
                    score = _score(queries, b, vectors, item, bias, value)
                    greater[b] += np.int32(score > mine)
                    equal[b] += np.int32(score == mine)
            for x in range(out_begin, out_end):
                item = out_indices[x]
                if low <= item < high and item != targets[b] and row[item - first_item] > ceiling:
                    above -= 1
            greater[b] += above
