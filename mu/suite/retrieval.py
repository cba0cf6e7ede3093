"""Retrieval of versions: average precision of each track's other versions in the order of similarity."""

import numpy as np

from mu.evals.intervals import clustered_bootstrap


def average_precisions(similarity: np.ndarray, works: np.ndarray) -> np.ndarray:
    """float64 [n]: of each track as a query: the mean of precision at each of its versions; NaN where there is none.

    Equal similarities count as if the others came first.

    Args:
      similarity: float [n, n]; the diagonal is not read.
      works: [n], what tracks are versions of.
    """
    out = np.full(len(works), np.nan)
    for query in range(len(works)):
        others = np.flatnonzero(np.arange(len(works)) != query)
        relevant = works[others] == works[query]
        if not relevant.any():
            continue
        order = np.lexsort((relevant, -similarity[query, others]))
        hits = relevant[order]
        places = np.flatnonzero(hits) + 1
        out[query] = np.mean(np.arange(1, len(places) + 1) / places)
    return out


def cosine_similarities(vectors: np.ndarray) -> np.ndarray:
    """float64 [n, n]: cosines of vectors [n, D] whose columns are first brought to mean 0 and deviation 1."""
    x = vectors.astype(np.float64)
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
    return x @ x.T


def mean_with_interval(values: np.ndarray, works: np.ndarray, samples: int) -> tuple[float, float, float]:
    """(mean, low, high): 95 % bootstrap interval over works; tracks without a value are left out. NaN for none."""
    known = np.isfinite(values)
    if not known.any():
        return float("nan"), float("nan"), float("nan")
    low, high = clustered_bootstrap(values[known, None], works[known], samples)
    return float(values[known].mean()), float(low[0]), float(high[0])
