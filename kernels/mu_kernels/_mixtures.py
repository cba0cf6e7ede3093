"""Kernels of mixtures: which component a column takes, draws from batch and lists, the probability of the whole."""

import numpy as np

from mu_kernels._sorted import count_up_to, first_at_least
from mu_kernels.compile import kernel
from mu_kernels.hashing import below, column_word, fraction, stream

BLOCK = 512  # draws at a time


@kernel
def _rank(row_stream, column, n_left):
    """A rank in [0, n_left), n_left less than 2**31, from the word of a column."""
    return np.int64(below(column_word(row_stream, column), np.uint64(n_left)))


@kernel
def choose(first, stop, counts, shares_up_to, seed, step, first_row, chosen, chosen_counts):
    """`chosen[b, i]`: the first component whose cumulative share exceeds the column's number in [0, 1).

    `chosen_counts[c, b]` is how many columns of the row took component c.
    """
    n_components = len(shares_up_to)
    for b in range(first, stop):
        chosen_counts[:, b] = 0
        if counts[b] > 0:
            row_stream = stream(seed, step, first_row + np.uint64(b))
            for i in range(counts[b]):
                number = fraction(column_word(row_stream, i))
                component = 0
                for c in range(n_components - 1):
                    component += shares_up_to[c, b] <= number
                chosen[b, i] = component
                chosen_counts[component, b] += 1


@kernel
def deal(first, stop, counts, chosen, drawn, ids):
    """Column by column the next draw of the component it took."""
    for b in range(first, stop):
        dealt = np.zeros(len(drawn), np.int64)
        for i in range(counts[b]):
            component = chosen[b, i]
            ids[b, i] = drawn[component, b, dealt[component]]
            dealt[component] += 1


@kernel
def _excluded_runs(excluded, distinct, starts, keys, removed):
    """Where the excluded lie among the occurrences of a batch: (how many runs, how many occurrences).

    Run j begins at occurrence `keys[j] + removed[j]`, with `removed[j]` excluded occurrences before it; so a rank r
    among the others is occurrence `r + removed[m]`, m the number of keys no more than r.
    """
    few = len(excluded) <= len(distinct)
    shorter, longer = (excluded, distinct) if few else (distinct, excluded)
    counts = np.empty(BLOCK, np.int32)
    runs, total = 0, np.int64(0)
    removed[0] = 0
    for start in range(0, len(shorter), BLOCK):
        n = min(BLOCK, len(shorter) - start)
        count_up_to(longer, len(longer), shorter[start:], n, counts)
        for i in range(n):
            place = counts[i] - 1
            if place >= 0 and longer[place] == shorter[start + i]:
                at = place if few else start + i
                keys[runs] = starts[at] - total
                total += starts[at + 1] - starts[at]
                runs += 1
                removed[runs] = total
    return runs, total


@kernel
def count_batch(first, stop, users, limits, n_excluded, indptr, indices, distinct, starts, left):
    """How many occurrences in the batch a row may have."""
    keys, removed = np.empty(len(distinct), np.int64), np.empty(len(distinct) + 1, np.int64)
    for b in range(first, stop):
        left[b] = 0
        if users[b] >= 0:
            excluded = indices[indptr[users[b]] : indptr[users[b]] + n_excluded[b]]
            out = distinct[: first_at_least(distinct, 0, len(distinct), limits[b])]
            _, total = _excluded_runs(excluded, out, starts, keys, removed)
            left[b] = starts[len(out)] - total


@kernel
def draw_batch(
    first, stop, users, counts, limits, n_excluded, indptr, indices, order, seed, step, first_row,
    distinct, starts, batch, left, ids,
):  # fmt: skip
    """Uniform over the occurrences that a row may have; `batch` holds their positions, ascending."""
    keys, removed = np.empty(len(distinct), np.int64), np.empty(len(distinct) + 1, np.int64)
    ranks, before = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int32)
    for b in range(first, stop):
        if counts[b] == 0:
            continue
        excluded = indices[indptr[users[b]] : indptr[users[b]] + n_excluded[b]]
        out = distinct[: first_at_least(distinct, 0, len(distinct), limits[b])]
        runs, _ = _excluded_runs(excluded, out, starts, keys, removed)
        row_stream = stream(seed, step, first_row + np.uint64(b))
        for start in range(0, counts[b], BLOCK):
            n = min(BLOCK, counts[b] - start)
            for i in range(n):
                ranks[i] = _rank(row_stream, start + i, left[b])
            count_up_to(keys, runs, ranks, n, before)
            for i in range(n):
                position = batch[ranks[i] + removed[before[i]]]
                ids[b, start + i] = order[position] if len(order) > 0 else position


@kernel
def draw_listed(first, stop, users, counts, indptr, indices, order, seed, step, first_row, left, ids):
    """Uniform over the first `left` entries of the user's list."""
    for b in range(first, stop):
        if counts[b] > 0:
            begin = indptr[users[b]]
            row_stream = stream(seed, step, first_row + np.uint64(b))
            for i in range(counts[b]):
                position = indices[begin + _rank(row_stream, i, left[b])]
                ids[b, i] = order[position] if len(order) > 0 else position


@kernel
def mixture_log_q(
    first, stop, users, counts, position_of, shares, left, cumulative, distinct, starts,
    list_indptr, list_indices, ids, log_q,
):  # fmt: skip
    """log sum_c share_c q_c(item); components in the order uniform, weighted, in-batch, listed."""
    each = np.empty(4, np.float64)  # the share of one item, unit of weight, occurrence, entry of the list
    position, counted = np.empty(BLOCK, np.int32), np.empty(BLOCK, np.int32)
    q = np.empty(BLOCK, np.float64)
    for b in range(first, stop):
        if counts[b] == 0:
            continue
        for c in range(4):
            each[c] = shares[c, b] / np.float64(max(left[c, b], 1))
        begin = list_indptr[users[b]]
        mine = list_indices[begin : begin + left[3, b]]
        for start in range(0, counts[b], BLOCK):
            n = min(BLOCK, counts[b] - start)
            for i in range(n):
                item = ids[b, start + i]
                position[i] = position_of[np.uint64(item)] if len(position_of) > 0 else item
                q[i] = each[0]
            if each[1] > 0:
                for i in range(n):
                    at = np.uint64(position[i])
                    q[i] += each[1] * np.float64(cumulative[at + np.uint64(1)] - cumulative[at])
            if each[2] > 0:
                count_up_to(distinct, len(distinct), position, n, counted)
                for i in range(n):
                    at = counted[i] - 1
                    if at >= 0 and distinct[at] == position[i]:
                        q[i] += each[2] * np.float64(starts[at + 1] - starts[at])
            if each[3] > 0:
                count_up_to(mine, len(mine), position, n, counted)
                for i in range(n):
                    at = counted[i] - 1
                    if at >= 0 and mine[at] == position[i]:
                        q[i] += each[3]
            for i in range(n):
                log_q[b, start + i] = np.log(q[i])
