"""Queries as a scan reads them: a step, small integers, and bounds on what these leave out."""

from typing import NamedTuple

import numpy as np

from mu_kernels._vector.tiles import TILE_QUERIES
from mu_kernels.codes import aligned
from mu_kernels.compile import kernel


class Queries(NamedTuple):
    """Queries as the scan sees them, q = t (p + e); rows past the last query are zeros.

    Attributes:
      vectors: float32 [B, D].
      words: int32 [B', words], p, four signed bytes each.
      numbers: float64 [B', 5]: t, the product with the mean, |e|, |q| / t, and how far a score (a sum in float64,
        rounded to float32) may lie from the true product, over t.
      sums: int64 [B']: the sum of p.
    """

    vectors: np.ndarray
    words: np.ndarray
    numbers: np.ndarray
    sums: np.ndarray


def allocate_queries(queries: np.ndarray, n_words: int) -> Queries:
    """Room for these queries, not yet encoded."""
    rows = -(-len(queries) // TILE_QUERIES) * TILE_QUERIES
    words = aligned((rows, n_words), np.int32)
    return Queries(queries, words, np.zeros((rows, 5)), np.zeros(rows, np.int64))


@kernel
def encode_queries(first, stop, queries, mean, largest_norm, bound_share):
    """Fills `queries` from its vectors; bounds on scores are taken by `bound_share`."""
    dim = queries.vectors.shape[1]
    mean_squares = 0.0
    for d in range(dim):
        mean_squares += mean[d] * mean[d]
    # Of the sum in float64 (Higham 2002, 3.1), and where float32 has no smaller numbers.
    relative = (dim + 8) * 2.0**-52 * (largest_norm + np.sqrt(mean_squares))
    for q in range(first, stop):
        integers = queries.words[q].view(np.int8)
        largest, with_mean, squares = 0.0, 0.0, 0.0
        for d in range(dim):
            value = np.float64(queries.vectors[q, d])
            largest = max(largest, abs(value))
            with_mean += value * mean[d]
            squares += value * value
        step = largest / 127 if largest > 1e-30 else 1.0
        total, errors = 0, 0.0
        for d in range(dim):
            value = np.float64(queries.vectors[q, d]) / step
            code = np.rint(value)
            integers[d] = np.int64(code)
            total += np.int64(code)
            errors += (value - code) * (value - code)
        queries.numbers[q, 0] = step
        queries.numbers[q, 1] = with_mean
        queries.numbers[q, 2] = bound_share * np.sqrt(errors)
        queries.numbers[q, 3] = bound_share * np.sqrt(squares) / step
        queries.numbers[q, 4] = (relative * np.sqrt(squares) + 2.0**-148) / step
        queries.sums[q] = total
