"""Rows spread evenly over many, where a page has room for some."""

import numpy as np


def evenly_spaced(n: int, most: int) -> np.ndarray:
    """int64 [min(n, most)]: rows of n, from the first to the last; all where they are few."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
