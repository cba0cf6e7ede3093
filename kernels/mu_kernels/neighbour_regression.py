"""Ridge regression of every item on its neighbours alone, from a sparse Gram matrix."""

from typing import Any

import numpy as np

from mu_kernels._cholesky import factorise, solve_factorised
from mu_kernels.compile import kernel
from mu_kernels.csr import CSR
from mu_kernels.threads import run_rows


def regress_on_neighbours(
    gram: CSR, values: Any, neighbours: CSR, l2: float, *, threads: int | None = None
) -> np.ndarray:
    """float32, for each entry (j, i) of `neighbours` the weight of i in w_j = argmin |x_j - X w|^2 + l2 |w|^2.

    w_j = (G[N, N] + l2 I)^-1 G[N, j] for the neighbours N of j: n of them take n^3 / 6 multiplications, n^2 numbers and
    a look at the entries of their rows.

    Args:
      gram: CSR [V, V], where X'X has entries.
      values: float32, of each entry.
      neighbours: CSR [V, V], without the diagonal.
      l2: above 0.
      threads: None for all CPUs; the result does not depend on it.

    Raises:
      ValueError: shapes differ, or a system is singular in float32; names the item.
    """
    values, n_items = np.ascontiguousarray(values, np.float32), gram.n_rows
    if values.shape != (len(gram),):
        raise ValueError(f"values are {values.shape}; there are {len(gram)} entries")
    if not n_items == gram.n_columns == neighbours.n_rows == neighbours.n_columns:
        raise ValueError(
            f"the Gram matrix has {n_items} rows; it and the neighbours must have as many rows and columns"
        )
    weights, failed = np.zeros(len(neighbours), np.float32), np.zeros(n_items, np.bool_)
    arrays = (gram.indptr, gram.indices, values, neighbours.indptr, neighbours.indices, np.float32(l2))
    run_rows(_regress, n_items, threads, *arrays, weights, failed)
    if failed.any():
        raise ValueError(f"l2={l2} is too small for float32: the system of item {int(np.argmax(failed))} is singular")
    return weights


@kernel
def _regress(first, stop, indptr, indices, values, of_item, neighbours, l2, weights, failed):
    place = np.full(len(indptr), -1, np.int32)
    largest = 0
    for item in range(first, stop):
        largest = max(largest, of_item[item + 1] - of_item[item])
    matrix = np.empty((largest, largest), np.float32)
    for item in range(first, stop):
        chosen = neighbours[of_item[item] : of_item[item + 1]]
        right = weights[of_item[item] : of_item[item + 1]]
        n = len(chosen)
        for i in range(n):
            place[chosen[i]] = i
        for i in range(n):
            row = matrix[i]
            row[: i + 1] = 0
            for at in range(indptr[chosen[i]], indptr[chosen[i] + 1]):
                column = indices[at]
                if column == item:
                    right[i] = values[at]
                elif 0 <= place[column] <= i:
                    row[place[column]] = values[at]
            row[i] += l2
        for i in range(n):
            place[chosen[i]] = -1
        if factorise(matrix, n):
            solve_factorised(matrix, n, right)
        else:
            failed[item] = True
