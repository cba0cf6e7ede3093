"""Handler of `sample_negatives`: the uniform draws of `NegativeSampler`."""

import numba
import numpy as np

from mu_kernels._ffi_cpu.frame import buffers, float_matrix, floats, int_matrix, ints, row_bounds, uint_matrix
from mu_kernels._sorted import rank_select
from mu_kernels.hashing import GOLDEN, HALF, below, column_word, stream

BLOCK = 512  # draws at a time


@numba.njit
def _stream_of(words):
    """The stream of a row, from the halves of seed and step and the row's number."""
    seed = (np.uint64(words[0]) << HALF) | np.uint64(words[1])
    step = (np.uint64(words[2]) << HALF) | np.uint64(words[3])
    return stream(seed, step, np.uint64(words[4]))


@numba.njit
def _draw(indptr, indices, table_log_q, n_items, users, words, ids, log_q):
    """The draws of `_uniform.draw_uniform`: a rank among what is left, and a binary search for its item."""
    n_draws = ids.shape[1]
    rank, n_below = np.empty(BLOCK, np.int32), np.empty(BLOCK, np.int32)
    for b in range(len(users)):
        user = np.int64(users[b])
        if not 0 <= user < len(table_log_q) or table_log_q[user] == -np.inf:
            empty = user == -1
            ids[b] = 0 if empty else -1
            log_q[b] = 0 if empty else -np.inf
            continue
        log_q[b] = table_log_q[user]
        begin, stop = row_bounds(indptr, indptr[1:], user, len(indices))
        excluded, n_excluded = indices[begin:stop], stop - begin
        wide_left = np.uint64(np.uint32(n_items[0] - n_excluded))
        row_stream = _stream_of(words[b])
        for start in range(0, n_draws, BLOCK):
            n = min(BLOCK, n_draws - start)
            block_stream = row_stream + np.uint64(start) * GOLDEN
            for i in range(n):
                rank[i] = np.int32(below(column_word(block_stream, i), wide_left))
                n_below[i] = 0
            rank_select(excluded, n_excluded, rank, n, n_below)
            out = ids[b, start : start + n]
            for i in range(n):
                out[i] = rank[i] + n_below[i]


def sample_negatives(address):
    arguments, results = buffers(address)
    if arguments != 0:
        indptr, indices = ints(arguments, 0), ints(arguments, 1)
        table_log_q, n_items = floats(arguments, 2), ints(arguments, 3)
        users, words = ints(arguments, 4), uint_matrix(arguments, 5)
        _draw(indptr, indices, table_log_q, n_items, users, words, int_matrix(results, 0), float_matrix(results, 1))
    return 0
