"""Uniform draws from what is not excluded: a rank, and a search for the item of that rank, a block at a time."""

import numpy as np

from mu_kernels._sorted import rank_select
from mu_kernels.compile import kernel
from mu_kernels.hashing import GOLDEN, below, column_word, stream

BLOCK = 512  # draws at a time: their ranks and places stay in the first-level cache
PARTS = 8  # of the excluded that are told apart without a search
MOST = 2**31 - 1


@kernel
def draw_uniform(
    first, stop, users, counts, limits, n_excluded, indptr, indices, order, seed, step, first_row, ids, log_q
):
    """Fills `ids[b, :counts[b]]` and `log_q` alike, for rows with something left.

    The item of rank r is r + m, m the number of excluded e[j] with e[j] - j <= r. Eight parts of the excluded are told
    apart by comparing with the seven keys between them; then all draws take the same number of steps of a binary
    search, so that each step is one loop without branches.
    """
    rank = np.empty(BLOCK, np.int32)
    n_below = np.empty(BLOCK, np.int32)
    between = np.empty(PARTS - 1, np.int32)
    for b in range(first, stop):
        if counts[b] == 0:
            continue
        begin = indptr[users[b]]
        excluded = indices[begin : begin + n_excluded[b]]
        left = limits[b] - n_excluded[b]
        wide_left = np.uint64(np.uint32(left))  # 32 bits that LLVM knows of: the product is one instruction
        log_q[b, : counts[b]] = -np.log(np.float64(left))
        row_stream = stream(seed, step, first_row + np.uint64(b))
        part = n_excluded[b] // (PARTS - 1)
        for k in range(PARTS - 1):
            at = (k + 1) * part - 1
            between[k] = excluded[at] - at if part > 0 else MOST
        k1, k2, k3, k4, k5, k6, k7 = (
            between[0], between[1], between[2], between[3], between[4], between[5], between[6],
        )  # fmt: skip
        # What is sought lies in [n_below, n_below + width]; the last part may be longer or shorter than the others.
        width = max(part - 1, n_excluded[b] - (PARTS - 1) * part)
        highest = np.int32(n_excluded[b] - width)
        for start in range(0, counts[b], BLOCK):
            n = min(BLOCK, counts[b] - start)
            block_stream = row_stream + np.uint64(start) * GOLDEN
            for i in range(n):
                rank[i] = np.int32(below(column_word(block_stream, i), wide_left))
            for i in range(n):
                r = rank[i]
                parts = 0 + (k1 <= r) + (k2 <= r) + (k3 <= r) + (k4 <= r) + (k5 <= r) + (k6 <= r) + (k7 <= r)
                n_below[i] = min(np.int32(parts * part), highest)
            rank_select(excluded, width, rank, n, n_below)
            out = ids[b, start : start + n]
            for i in range(n):
                out[i] = rank[i] + n_below[i]
            if len(order) > 0:
                for i in range(n):
                    out[i] = order[np.uint64(out[i])]
