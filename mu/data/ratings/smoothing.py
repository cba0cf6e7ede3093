"""Empirical-Bayes rates in nested cells: each cell is shrunk towards the one around it."""

from collections.abc import Sequence

import numpy as np


def smoothed_rates(
    columns: Sequence[np.ndarray], labels: np.ndarray, n_queries: int, prior_strength: float
) -> np.ndarray:
    """Smoothed rates of labels in the cells of queries.

        rate(c_1 ... c_k) = (positives + s rate(c_1 ... c_{k-1})) / (ratings + s)

    The rate over all ratings is (positives + 1/2) / (ratings + 1), so that none is 0 or 1.

    Args:
      columns: c_1, c_2, ..., each [n + n_queries], the labelled ratings first; equal values are one cell.
      labels: [n, T], 0 or 1.
      n_queries: Q, rows of the columns without labels.
      prior_strength: s, ratings that the surrounding cell counts for.

    Returns:
      float64 [Q, T].
    """
    n = len(labels)
    overall = (labels.sum(axis=0, dtype=np.float64) + 0.5) / (n + 1.0)
    rates = np.broadcast_to(overall, (n_queries, labels.shape[1]))
    cell = np.zeros(n + n_queries, np.int64)
    for values in columns:
        _, code = np.unique(values, return_inverse=True)
        _, cell = np.unique(cell * (int(code.max()) + 1) + code, return_inverse=True)
        counts = np.bincount(cell[:n], minlength=int(cell.max()) + 1)[cell[n:], None]
        sums = np.stack([np.bincount(cell[:n], label, int(cell.max()) + 1) for label in labels.T], axis=1)
        rates = (sums[cell[n:]] + prior_strength * rates) / (counts + prior_strength)
    return rates
