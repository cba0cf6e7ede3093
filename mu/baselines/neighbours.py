"""Products of sparse matrices whose rows are cut to their largest entries, a block of rows at a time."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sparse

from mu.baselines.play_matrix import SparseMatrix

# Products of one block of rows: bounds memory at about 1 GB, whatever the matrices.
BLOCK_PRODUCTS = 20_000_000


def product_rows(
    left: SparseMatrix, right: SparseMatrix, cut: Callable[[SparseMatrix, int], SparseMatrix]
) -> SparseMatrix:
    """The rows of `left @ right`, each block of which is passed through `cut` before the next is made.

    Args:
      left: [n, m].
      right: [m, V].
      cut: (rows of the product, columns ascending; the number of the first) -> the same rows with fewer entries.
    """
    products = np.append(0, np.cumsum(np.diff(right.indptr)[left.indices]))[left.indptr]
    n_rows, blocks, start = len(products) - 1, [], 0
    while start < n_rows:
        stop = int(np.searchsorted(products, products[start] + BLOCK_PRODUCTS, side="right")) - 1
        stop = min(max(stop, start + 1), n_rows)
        rows = sparse.csr_array(left[start:stop] @ right)
        rows.sort_indices()
        blocks.append(cut(rows, start))
        start = stop
    return sparse.csr_array(sparse.vstack(blocks, format="csr")) if blocks else sparse.csr_array((0, right.shape[1]))


def largest_in_rows(rows: SparseMatrix, k: int | None) -> SparseMatrix:
    """The k largest entries of each row, of equal ones those of lower columns; None keeps all.

    Args:
      rows: columns ascending.
      k: at least 1.
    """
    if k is None:
        return rows
    out = np.zeros(len(rows.data), bool)
    for row in np.flatnonzero(np.diff(rows.indptr) > k):
        where = slice(rows.indptr[row], rows.indptr[row + 1])
        values = rows.data[where]
        last = np.partition(values, len(values) - k)[len(values) - k]
        out[where] = values < last
        out[where][np.flatnonzero(values == last)[k - np.count_nonzero(values > last) :]] = True
    return without_entries(rows, out)


def without_entries(rows: SparseMatrix, out: np.ndarray) -> SparseMatrix:
    """The rows without the entries where `out` (bool, one for each) is true."""
    kept = ~out
    indptr = np.append(0, np.cumsum(kept))[rows.indptr]
    return sparse.csr_array((rows.data[kept], rows.indices[kept], indptr), shape=rows.shape)


def entry_rows(rows: SparseMatrix) -> np.ndarray:
    """int64: the row of each entry."""
    return np.repeat(np.arange(rows.shape[0], dtype=np.int64), np.diff(rows.indptr))
