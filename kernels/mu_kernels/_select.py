"""From candidates to answers: thresholds from the candidates so far, exact scores, and the best of them in order."""

import numpy as np

from mu_kernels._order import best, fill_keys, name_of, part_largest
from mu_kernels._vector.bits import prefetch
from mu_kernels._vector.exact_dot import dot
from mu_kernels.codes import BLOCK_ITEMS, BLOCK_PANELS
from mu_kernels.compile import kernel

# What `answer` returns for a query in place of a threshold for its next scan.
DONE, OVERFLOWED = np.inf, np.nan
AHEAD = 8  # vectors that are on their way from memory while one is scored


@kernel
def tighten(first, stop, rank, candidates, thresholds):
    """Raises each query's threshold to the `rank`-th best value so far (a guess, verified later); drops the rest."""
    parts, _, room = candidates.ids.shape
    keys = np.empty(parts * room, np.uint64)
    names = np.zeros(room, np.int32)
    for q in range(first, stop):
        n = 0
        for part in range(parts):
            count = candidates.counts[part, q]
            if count > room:
                n = 0
                break
            fill_keys(candidates.values[part, q], names, count, keys[n:])
            n += count
        if n < rank:
            continue
        part_largest(keys, n, rank)
        lowest = keys[0]
        for i in range(rank):
            lowest = min(lowest, keys[i])
        word = np.int64(lowest >> np.uint64(32))
        word = word - 0x80000000 if word >= 0x80000000 else 0xFFFFFFFF - word
        bits = np.empty(1, np.uint32)
        bits[0] = word
        guess = np.float64(bits.view(np.float32)[0])
        if not guess > thresholds[q]:
            continue
        thresholds[q] = guess
        for part in range(parts):
            n_kept = 0
            for i in range(candidates.counts[part, q]):
                if candidates.limits[part, q, i] >= guess:
                    candidates.ids[part, q, n_kept] = candidates.ids[part, q, i]
                    candidates.values[part, q, n_kept] = candidates.values[part, q, i]
                    candidates.limits[part, q, n_kept] = candidates.limits[part, q, i]
                    n_kept += 1
            candidates.counts[part, q] = n_kept


@kernel
def _reached(score, step, with_mean, rounding):
    """A float32 score in units of thresholds, lowered by what rounding may have added."""
    value = (score - with_mean) / step
    return value - 1e-6 * (abs(value) + (abs(score) + abs(with_mean)) / step) - rounding


@kernel
def answer(
    first,
    stop,
    vectors,
    bias,
    queries,
    candidates,
    thresholds,
    groups,
    n_groups,
    per_group,
    ids,
    scores,
    counts,
    verdicts,
):
    """Rescores the candidates of each query, writes the best, and says whether they are certain.

    `verdicts` [B]: DONE; or OVERFLOWED, if there was no room for all candidates; or the score that a new scan must
    let through, -inf where fewer than k items are above a threshold.
    """
    parts, _, room = candidates.ids.shape
    k, dim = ids.shape[1], vectors.shape[1]
    names = np.empty(parts * room, np.int32)
    limits = np.empty(parts * room, np.float32)
    values = np.empty(parts * room, np.float32)
    keys = np.empty(parts * room, np.uint64)
    places = np.empty(parts * room, np.int32)
    for i in range(parts * room):
        places[i] = i
    taken = np.zeros(n_groups, np.int32)
    for q in range(first, stop):
        n = 0
        for part in range(parts):
            count = candidates.counts[part, q]
            if count > room:
                n = -1
                break
            for i in range(count):
                names[n] = candidates.ids[part, q, i]
                limits[n] = candidates.limits[part, q, i]
                n += 1
        if n < 0:
            verdicts[q] = OVERFLOWED
            continue
        step, with_mean, rounding = queries.numbers[q, 0], queries.numbers[q, 1], queries.numbers[q, 4]
        # The k best by their limits first; of the others only those that the worst of these k does not rule out.
        sure = n if per_group else min(n, k)
        if sure < n:
            fill_keys(limits, places, n, keys)
            part_largest(keys, n, sure)
        else:
            for i in range(n):
                keys[i] = np.uint64(0xFFFFFFFF - i)
        worst = np.inf
        for i in range(sure):
            if i + AHEAD < n:
                prefetch(vectors, dim * names[name_of(keys[i + AHEAD])], 4 * dim)
            item = names[name_of(keys[i])]
            value = dot(queries.vectors, q, vectors, item, dim)
            if len(bias):
                value += bias[item]
            values[i] = np.float32(value)
            worst = min(worst, np.float64(values[i]))
            keys[i] = np.uint64(item)
        enough = _reached(worst, step, with_mean, rounding) if sure < n else 0.0
        rescored = sure
        for i in range(sure, n):
            if i + AHEAD < n:
                place = name_of(keys[i + AHEAD])
                if limits[place] >= enough:
                    prefetch(vectors, dim * names[place], 4 * dim)
            place = name_of(keys[i])
            if limits[place] < enough:
                continue
            item = names[place]
            value = dot(queries.vectors, q, vectors, item, dim)
            if len(bias):
                value += bias[item]
            values[rescored] = np.float32(value)
            keys[rescored] = np.uint64(item)
            rescored += 1
        for i in range(rescored):
            names[i] = np.int64(keys[i])
        count = best(values, names, rescored, k, groups, per_group, taken, keys, ids[q], scores[q])
        counts[q] = count
        if thresholds[q] == -np.inf:
            verdicts[q] = DONE
        elif count < k:
            verdicts[q] = -np.inf
        else:
            worst = np.float64(scores[q, k - 1])
            verdicts[q] = DONE if _reached(worst, step, with_mean, rounding) >= thresholds[q] else worst


@kernel
def best_of_lists(
    first,
    stop,
    vectors,
    bias,
    queries,
    starts,
    stops,
    indices,
    out_rows,
    allowed,
    groups,
    n_groups,
    per_group,
    ids,
    scores,
    counts,
):
    """The best of `indices[starts[q]:stops[q]]`, every allowed one scored, but for those the query excludes.

    Rows with an empty list are left as they are.
    """
    out_indptr, out_indices = out_rows
    dim, k = vectors.shape[1], ids.shape[1]
    longest = 0
    for q in range(first, stop):
        longest = max(longest, stops[q] - starts[q])
    names = np.empty(longest, np.int32)
    values = np.empty(longest, np.float32)
    keys = np.empty(longest, np.uint64)
    taken = np.zeros(n_groups, np.int32)
    for q in range(first, stop):
        if starts[q] == stops[q]:
            continue
        n = 0
        out, out_stop = out_indptr[q], out_indptr[q + 1]
        for e in range(starts[q], stops[q]):
            item = indices[e]
            while out < out_stop and out_indices[out] < item:
                out += 1
            if out < out_stop and out_indices[out] == item:
                continue
            rest = item % BLOCK_ITEMS
            panel = item // BLOCK_ITEMS * BLOCK_PANELS + rest % BLOCK_PANELS
            if not (allowed[panel] >> (rest // BLOCK_PANELS)) & 1:
                continue
            value = dot(queries, q, vectors, item, dim)
            if len(bias):
                value += bias[item]
            names[n] = item
            values[n] = np.float32(value)
            n += 1
        counts[q] = best(values, names, n, k, groups, per_group, taken, keys, ids[q], scores[q])
