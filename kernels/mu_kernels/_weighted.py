"""Weighted draws: by classes of like weight and rejection while little mass is excluded, else by inverse CDF."""

import numpy as np

from mu_kernels._sorted import count_up_to, holds
from mu_kernels.compile import kernel
from mu_kernels.hashing import GOLDEN, HALF, LOW, column_word, mix, stream

BLOCK = 512  # draws at a time, in stages: their cache misses overlap
FILTER_WORDS = 1024  # of 64 bits, at most
SPREAD = np.uint64(0x9E3779B1)  # odd, of 32 bits: its product with a position spreads over the lower 32 bits


@kernel
def excluded_mass(first, stop, users, n_excluded, indptr, indices, cumulative, mass):
    """The units of weight of the first `n_excluded` excluded positions of each user."""
    for b in range(first, stop):
        total = np.int64(0)
        if n_excluded[b] > 0:
            begin = indptr[users[b]]
            for at in range(begin, begin + n_excluded[b]):
                position = np.int64(indices[at])
                total += cumulative[position + 1] - cumulative[position]
        mass[b] = total


@kernel
def _propose(word, second, cut, classes, bits):
    """(slot, fraction): a class by its alias table, a slot of the class, and what the slot's number left over.

    The upper bits of `word` say the cell, its others are compared with the cell's cut: below it the cell has one class,
    else another. The slot is the integer part of `second / 2**64 * count` and the upper 32 bits of the
    fractional part are returned beside it.
    """
    cell = word >> (np.uint64(64) - bits)
    chosen = classes[(cell << np.uint64(1)) + np.uint64((word << bits) >= cut[cell])]
    count = chosen & LOW
    product = (second >> HALF) * count + (((second & LOW) * count) >> HALF)
    return np.uint32((chosen >> HALF) + (product >> HALF)), np.uint32(product & LOW)


@kernel
def _set_bits(excluded, n_draws, bits_set):
    """Sets the bit of each excluded position, `(position * SPREAD) mod 2**32 >> shift`; returns the shift.

    128 bits an excluded position or more, as far as there are: less than 1 % of the draws hit one in vain. A row whose
    draws are few beside its excluded positions is spared the work: all of a few bits are set.
    """
    few = len(excluded) > 8 * n_draws
    n_words, shift = 16, 22
    while not few and n_words < min(2 * len(excluded), FILTER_WORDS):
        n_words *= 2
        shift -= 1
    bits_set[:n_words] = ~np.uint64(0) if few else np.uint64(0)
    if not few:
        for position in excluded:
            bit = ((np.uint64(position) * SPREAD) & LOW) >> np.uint64(shift)
            bits_set[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
    return np.uint64(shift)


@kernel
def draw_by_rejection(
    first, stop, users, counts, limits, n_excluded, indptr, indices, order, seed, step, first_row,
    by_cdf, cut, classes, bits, slots, log_weight, log_left, ids, log_q,
):  # fmt: skip
    """Fills the rows that are not `by_cdf`. Word 0 and 1 of a draw are its first try, 2 and 3 its second, and so on.

    `slots` holds position and acceptance of a slot in 8 bytes, heavy slots first: what most draws touch is small
    and stays in cache. Most draws are settled by a small hash table of bits of the excluded; the few that were
    not accepted or hit a set bit are looked at one by one.
    """
    slot = np.empty(BLOCK, np.uint32)
    fraction = np.empty(BLOCK, np.uint32)
    doubtful = np.empty(BLOCK, np.uint8)
    pending = np.empty(BLOCK, np.int32)
    bits_set = np.empty(FILTER_WORDS, np.uint64)
    for b in range(first, stop):
        if counts[b] == 0 or by_cdf[b]:
            continue
        begin = indptr[users[b]]
        excluded = indices[begin : begin + n_excluded[b]]
        limit = np.int32(limits[b])
        shift = _set_bits(excluded, counts[b], bits_set)
        row_stream = stream(seed, step, first_row + np.uint64(b))
        for start in range(0, counts[b], BLOCK):
            n = min(BLOCK, counts[b] - start)
            block_stream = row_stream + np.uint64(start) * GOLDEN
            for i in range(n):
                word = column_word(block_stream, i)
                slot[i], fraction[i] = _propose(word, mix(word + GOLDEN), cut, classes, bits)
            out, out_log_q = ids[b, start : start + n], log_q[b, start : start + n]
            for i in range(n):
                entry = slots[slot[i]]
                out[i] = np.int32(entry & LOW)
                out_log_q[i] = np.float32(np.float64(log_weight[slot[i]]) - log_left[b])
                doubtful[i] = fraction[i] > np.uint32(entry >> HALF)
            for i in range(n):
                bit = ((np.uint64(np.uint32(out[i])) * SPREAD) & LOW) >> shift
                hit = (bits_set[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1)
                doubtful[i] |= np.uint8(hit) | np.uint8(out[i] >= limit)
            n_pending = 0
            for i in range(n):
                pending[n_pending] = i
                n_pending += np.int64(doubtful[i])
            for at in range(n_pending):
                i = pending[at]
                word = column_word(block_stream, i)
                counter = word + GOLDEN
                tried, left_over = slot[i], fraction[i]
                while True:
                    entry = slots[tried]
                    position = np.int32(entry & LOW)
                    if (
                        left_over <= np.uint32(entry >> HALF)
                        and position < limit
                        and not holds(excluded, 0, len(excluded), position)
                    ):
                        break
                    counter += GOLDEN
                    word = mix(counter)
                    counter += GOLDEN
                    tried, left_over = _propose(word, mix(counter), cut, classes, bits)
                out[i] = position
                out_log_q[i] = np.float32(np.float64(log_weight[tried]) - log_left[b])
            if len(order) > 0:
                for i in range(n):
                    out[i] = order[np.uint64(out[i])]


@kernel
def draw_by_cdf(
    first, stop, users, counts, limits, n_excluded, indptr, indices, order, seed, step, first_row,
    by_cdf, cumulative, left, ids, log_q,
):  # fmt: skip
    """Fills the rows that are `by_cdf`, in integers throughout: no rounding can reach an excluded item.

    A draw is a unit x of the `left` ones. Excluded e[j] has `gone[j]` excluded units before it, hence
    `cumulative[e[j]] - gone[j]` others; as many e[j] as have no more than x lie before the item, which is so found
    among all units at `x + gone[j]`.
    """
    longest = 0
    for b in range(first, stop):
        if counts[b] > 0 and by_cdf[b]:
            longest = max(longest, n_excluded[b])
    before = np.empty(longest, np.int64)
    gone = np.empty(longest + 1, np.int64)
    unit = np.empty(BLOCK, np.int64)
    low = np.empty(BLOCK, np.int32)
    for b in range(first, stop):
        if counts[b] == 0 or not by_cdf[b]:
            continue
        begin = indptr[users[b]]
        gone[0] = 0
        for j in range(n_excluded[b]):
            position = np.int64(indices[begin + j])
            before[j] = cumulative[position] - gone[j]
            gone[j + 1] = gone[j] + cumulative[position + 1] - cumulative[position]
        log_left = np.log(np.float64(left[b]))
        upper, lower = np.uint64(left[b]) >> HALF, np.uint64(left[b]) & LOW
        row_stream = stream(seed, step, first_row + np.uint64(b))
        for start in range(0, counts[b], BLOCK):
            n = min(BLOCK, counts[b] - start)
            block_stream = row_stream + np.uint64(start) * GOLDEN
            for i in range(n):
                word = column_word(block_stream, i)
                # Upper half of the product of two numbers of 64 bits, from four products of halves.
                inner = (word & LOW) * upper + (((word & LOW) * lower) >> HALF)
                outer = (word >> HALF) * lower + (inner & LOW)
                unit[i] = np.int64((word >> HALF) * upper + (inner >> HALF) + (outer >> HALF))
            count_up_to(before, n_excluded[b], unit, n, low)
            for i in range(n):
                unit[i] += gone[np.uint64(low[i])]
            # The position is the number of cumulative[1], cumulative[2], ... that are at most the unit.
            count_up_to(cumulative[1:], limits[b], unit, n, low)
            out, out_log_q = ids[b, start : start + n], log_q[b, start : start + n]
            for i in range(n):
                units = cumulative[np.uint64(low[i]) + np.uint64(1)] - cumulative[np.uint64(low[i])]
                out_log_q[i] = np.float32(np.log(np.float64(units)) - log_left)
                out[i] = low[i]
            if len(order) > 0:
                for i in range(n):
                    out[i] = order[np.uint64(out[i])]
