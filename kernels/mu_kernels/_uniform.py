"""Uniform draws from what is left: a rank among it and a search for its item, in stages over a block of draws."""

import numpy as np

from mu_kernels._jit import kernel

BLOCK = 512  # draws at a time: their ranks and places stay in the first-level cache
PARTS = 8  # of the excluded that are told apart without a search
MOST = 2**31 - 1
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


@kernel
def _mix(word):
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014; Stafford's variant 13): uint64 to uint64."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@kernel
def _stream(seed, step, row):
    """Where the words of a row begin: column i has `_mix(stream + (i + 1) * GOLDEN)`."""
    key = _mix(_mix(seed + GOLDEN) ^ (step * GOLDEN + GOLDEN))
    return _mix(key ^ (row * GOLDEN + GOLDEN))


@kernel
def draw_uniform(first, stop, users, counts, limits, heard, indptr, indices, order, seed, step, first_row, ids, log_q):
    """Fills `ids[b, :counts[b]]` and `log_q` alike, for rows with something left.

    The item of rank r is r + m, m the number of excluded e[j] with e[j] - j <= r. Eight parts of the excluded are told
    apart by comparing with the seven keys between them; then all draws take the same number of steps of a binary
    search, so that each step is one loop without branches.
    """
    rank = np.empty(BLOCK, np.int32)
    below = np.empty(BLOCK, np.int32)
    between = np.empty(PARTS - 1, np.int32)
    for b in range(first, stop):
        if counts[b] == 0:
            continue
        begin = indptr[users[b]]
        excluded = indices[begin : begin + heard[b]]
        left = limits[b] - heard[b]
        wide_left = np.uint64(np.uint32(left))  # 32 bits that LLVM knows of: the product is one instruction
        log_q[b, : counts[b]] = -np.log(np.float64(left))
        stream = _stream(seed, step, first_row + np.uint64(b))
        part = heard[b] // (PARTS - 1)
        for k in range(PARTS - 1):
            at = (k + 1) * part - 1
            between[k] = excluded[at] - at if part > 0 else MOST
        k1, k2, k3, k4, k5, k6, k7 = (
            between[0], between[1], between[2], between[3], between[4], between[5], between[6],
        )  # fmt: skip
        # What is sought lies in [below, below + width]; the last part may be longer or shorter than the others.
        width = max(part - 1, heard[b] - (PARTS - 1) * part)
        highest = np.int32(heard[b] - width)
        for start in range(0, counts[b], BLOCK):
            n = min(BLOCK, counts[b] - start)
            word_before = stream + np.uint64(start) * GOLDEN
            for i in range(n):
                word = _mix(word_before + (np.uint64(i) + np.uint64(1)) * GOLDEN)
                # Upper half of the product; left < 2**31, so no partial sum overflows.
                carry = ((word & LOW) * wide_left) >> HALF
                rank[i] = np.int32(((word >> HALF) * wide_left + carry) >> HALF)
            for i in range(n):
                r = rank[i]
                parts = 0 + (k1 <= r) + (k2 <= r) + (k3 <= r) + (k4 <= r) + (k5 <= r) + (k6 <= r) + (k7 <= r)
                below[i] = min(np.int32(parts * part), highest)
            size = width
            while size > 0:
                half = max(size >> 1, 1)
                for i in range(n):
                    probe = below[i] + half
                    found = excluded[np.uint64(probe - 1)] - (probe - 1) <= rank[i]
                    below[i] = np.int32(probe) if found else below[i]
                size -= half
            out = ids[b, start : start + n]
            for i in range(n):
                out[i] = rank[i] + below[i]
            if len(order) > 0:
                for i in range(n):
                    out[i] = order[np.uint64(out[i])]
