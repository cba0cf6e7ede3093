"""Rates in cells that lie in one another, each leaning on the one around it."""

from collections.abc import Sequence

import numpy as np


def smoothed_rates(columns: Sequence[np.ndarray], said: np.ndarray, asked: int, strength: float) -> np.ndarray:
    """How often those that are known said it in the cells of those that are asked.

        rate(c_1 ... c_k) = (said + s rate(c_1 ... c_{k-1})) / (responses + s)

    The rate of all is (said + 1/2) / (responses + 1), so that none is 0 or 1.

    Args:
      columns: c_1, c_2, ..., [known + asked] each, the known first; equal values are one cell.
      said: [known, T], 0 or 1.
      asked: how many are asked.
      strength: s, responses that the cell around counts for.

    Returns:
      float64 [asked, T]; all that are not known are asked.
    """
    known = len(said)
    whole = (said.sum(axis=0, dtype=np.float64) + 0.5) / (known + 1.0)
    rates = np.broadcast_to(whole, (asked, said.shape[1]))
    cell = np.zeros(known + asked, np.int64)
    for values in columns:
        _, code = np.unique(values, return_inverse=True)
        _, cell = np.unique(cell * (int(code.max()) + 1) + code, return_inverse=True)
        counts = np.bincount(cell[:known], minlength=int(cell.max()) + 1)[cell[known:], None]
        sums = np.stack([np.bincount(cell[:known], one, int(cell.max()) + 1) for one in said.T], axis=1)
        rates = (sums[cell[known:]] + strength * rates) / (counts + strength)
    return rates
