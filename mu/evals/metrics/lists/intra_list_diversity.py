"""Intra-list diversity: the mean of 1 - cos(v_i, v_j) over the pairs of a list.

Ziegler et al., "Improving recommendation lists through topic diversification", WWW 2005 (there its complement, the
intra-list similarity). The sum over pairs is (|sum_i u_i|^2 - sum_i |u_i|^2) / 2, u_i of length 1.
"""

import numpy as np

from mu.evals.metrics.lists.context import ListContext
from mu.evals.metrics.lists.declare import needs

# Vectors of so many bytes at once.
BLOCK_BYTES = 64 << 20


@needs("vectors")
def intra_list_diversity(items: np.ndarray, context: ListContext) -> np.ndarray:
    """float64 [n]: the diversity of each list, NaN for one of fewer than two items.

    Args:
      items: int [n, k], -1 in slots without an item.
      context: `vectors` are needed; an item with a vector of zeros is unlike all others.
    """
    vectors = np.asarray(context.vectors, np.float64)
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    similarity = np.empty(len(items))
    block = max(BLOCK_BYTES // (8 * items.shape[1] * vectors.shape[1]), 1)
    for start in range(0, len(items), block):
        part = items[start : start + block]
        shown = np.where((part >= 0)[..., None], vectors[part], 0.0)
        total = shown.sum(axis=1)
        similarity[start : start + block] = ((total**2).sum(axis=1) - (shown**2).sum(axis=(1, 2))) / 2
    length = (items >= 0).sum(axis=1)
    pairs = length * (length - 1) / 2
    mean = np.divide(similarity, pairs, out=np.full(len(items), np.nan), where=pairs > 0)
    return 1.0 - mean
