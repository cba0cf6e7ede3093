"""Handler of `neighbour_sums`: for each row of a sparse matrix of ones the sum of the vectors that it names."""

import numba

from mu_kernels._ffi_cpu.bounded_scores import FAST
from mu_kernels._ffi_cpu.frame import buffers, float_matrix, ints, row_bounds


@numba.njit(fastmath=FAST)
def _sums(vectors, indptr, indices, out):
    n_vectors, dim = vectors.shape
    out[:] = 0
    for r in range(out.shape[0]):
        to = out[r]
        begin, end = row_bounds(indptr, indptr[1:], r, len(indices))
        for e in range(begin, end):
            column = indices[e]
            if column < 0 or column >= n_vectors:
                continue
            vector = vectors[column]
            for d in range(dim):
                to[d] += vector[d]


def neighbour_sums(address):
    arguments, results = buffers(address)
    if arguments != 0:
        _sums(float_matrix(arguments, 0), ints(arguments, 1), ints(arguments, 2), float_matrix(results, 0))
    return 0
