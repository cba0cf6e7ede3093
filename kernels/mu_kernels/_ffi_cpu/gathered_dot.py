"""Handlers of `gathered_dot`: scores of listed items, and the gradients of queries and vectors."""

import numba
import numpy as np

from mu_kernels._ffi_cpu.bounded_scores import FAST
from mu_kernels._ffi_cpu.frame import buffers, float_matrix, int_matrix


@numba.njit(fastmath=FAST)
def _scores(queries, vectors, ids, out):
    n_queries, dim = queries.shape
    n_ids = ids.shape[1]
    for n in range(n_queries):
        query = queries[n]
        for k in range(n_ids):
            vector = vectors[ids[n, k]]
            total = np.float32(0)
            for d in range(dim):
                total += query[d] * vector[d]
            out[n, k] = total


@numba.njit(fastmath=FAST)
def _gradients(gradient, queries, vectors, ids, query_gradient, vector_gradient):
    n_queries, dim = queries.shape
    n_ids = ids.shape[1]
    vector_gradient[:] = 0
    for n in range(n_queries):
        query, to_query = queries[n], query_gradient[n]
        to_query[:] = 0
        for k in range(n_ids):
            weight = gradient[n, k]
            if weight == 0:  # empty positions
                continue
            vector, to_vector = vectors[ids[n, k]], vector_gradient[ids[n, k]]
            for d in range(dim):
                to_query[d] += weight * vector[d]
                to_vector[d] += weight * query[d]


def gathered_dot_scores(address):
    arguments, results = buffers(address)
    if arguments != 0:
        queries, vectors, ids = float_matrix(arguments, 0), float_matrix(arguments, 1), int_matrix(arguments, 2)
        _scores(queries, vectors, ids, float_matrix(results, 0))
    return 0


def gathered_dot_gradients(address):
    arguments, results = buffers(address)
    if arguments != 0:
        gradient, queries, vectors = float_matrix(arguments, 0), float_matrix(arguments, 1), float_matrix(arguments, 2)
        ids = int_matrix(arguments, 3)
        _gradients(gradient, queries, vectors, ids, float_matrix(results, 0), float_matrix(results, 1))
    return 0
