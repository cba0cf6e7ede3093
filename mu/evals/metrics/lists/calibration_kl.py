"""Calibration: how far the genres of a list are from those of the listener's plays, as a Kullback-Leibler divergence.

With p(g) the mean over plays, and q(g) the mean over the list, of the share of genre g among an item's labels,

    C_KL = sum_g p(g) ln(p(g) / ((1 - a) q(g) + a p(g))),  a = 0.01

in nats: 0 where the list has the listener's mix of genres, at most -ln a = 4.6. Steck, "Calibrated recommendations",
RecSys 2018, with all plays alike.
"""

import numpy as np

from mu.evals.metrics.lists.context import ListContext, mean_over_history
from mu.evals.metrics.lists.declare import needs

SMOOTHING = 0.01
# Shares of so many bytes at once.
BLOCK_BYTES = 64 << 20


@needs("vectors", "histories")
def calibration_kl(items: np.ndarray, context: ListContext) -> np.ndarray:
    """float64 [n]: the divergence of each list, NaN where no play, or no item of the list, has a label.

    Args:
      items: int [n, k], -1 in slots without an item.
      context: `vectors` (the labels of the items, not negative) and `histories` are needed.

    Raises:
      ValueError: a vector has a negative number, so that it is no mix of labels.
    """
    assert context.histories is not None
    vectors = np.asarray(context.vectors, np.float64)
    if (vectors < 0).any():
        raise ValueError(
            "calibration_kl needs labels of the tracks, such as vectors='tags'; these vectors have negative numbers"
        )
    total = vectors.sum(axis=1, keepdims=True)
    # Items without labels count on neither side: the shares of a list are of its labelled items.
    shares = np.divide(vectors, total, out=np.zeros_like(vectors), where=total > 0)
    played, shown = _normalised(mean_over_history(shares, context.histories)), np.empty((len(items), vectors.shape[1]))
    block = max(BLOCK_BYTES // (8 * items.shape[1] * vectors.shape[1]), 1)
    for start in range(0, len(items), block):
        part = items[start : start + block]
        shown[start : start + block] = np.where((part >= 0)[..., None], shares[part], 0.0).sum(axis=1)
    mixed = (1 - SMOOTHING) * _normalised(shown) + SMOOTHING * played
    with np.errstate(invalid="ignore"):  # NaN where a side has no labels
        ratio = np.divide(played, mixed, out=np.ones_like(mixed), where=played > 0)
    return np.where(np.isfinite(mixed).all(axis=1), (np.nan_to_num(played) * np.log(ratio)).sum(axis=1), np.nan)


def _normalised(shares: np.ndarray) -> np.ndarray:
    """Rows that sum to 1; NaN where a row is 0 or NaN."""
    total = np.nan_to_num(shares.sum(axis=1, keepdims=True))
    return np.divide(shares, total, out=np.full(shares.shape, np.nan), where=total > 0)
