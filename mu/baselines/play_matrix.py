"""The matrix of listeners and items: what neighbours, linear models and factorisations of logs are made from."""

from typing import Any

import numpy as np
import scipy.sparse as sparse

from mu.data.logs.weighting import counted
from mu.protocols import Log

SparseMatrix = Any
"""A `scipy.sparse.csr_array`, of whose shape and arrays type checkers know too little."""


def play_matrix(plays: Log, n_items: int, weights: str) -> SparseMatrix:
    """float64 [B, V], sparse, columns ascending: how much each item counts that a listener has played.

    Args:
      plays: of B listeners, a log or histories.
      n_items: V.
      weights: a name of `mu.data.logs.weighting`, of the weights of a listener's plays of an item, summed; 'none'
        makes every entry 1. What counts 0 is no entry.
    """
    parts = np.asarray(plays.weights, np.float64), np.array(plays.items), np.array(plays.indptr)
    matrix = sparse.csr_array(parts, shape=(len(plays.indptr) - 1, n_items))
    matrix.sum_duplicates()
    matrix.data = counted(matrix.data, weights)
    matrix.eliminate_zeros()
    return matrix
