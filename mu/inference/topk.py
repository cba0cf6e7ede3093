"""The best items of users, exactly: top-k search over item vectors, without a matrix of users by items."""

import numpy as np

from mu.protocols import DotProductRecommender, Histories
from mu_kernels import CSR, Hits, ItemIndex


def recommend(
    recommender: DotProductRecommender,
    users: np.ndarray,
    histories: Histories,
    k: int,
    *,
    time_ms: int | None = None,
    allow: np.ndarray | None = None,
    repeats: bool = False,
) -> Hits:
    """The k best items of each user, best first, ties by lower id.

    Args:
      recommender: whose scores are dot products.
      users: int64 [B], ids in the training log; -1 for a user outside it.
      histories: B rows, what these users have played.
      k: how many, at most.
      time_ms: the moment for which a time-aware recommender is asked, unix milliseconds; None for the end of training.
      allow: bool [V], the items that may be recommended, such as those that are out; None for all.
      repeats: whether items of the history may come again.
    """
    vectors = recommender.item_vectors
    exclude = None
    if not repeats:
        rows = np.repeat(np.arange(len(users), dtype=np.int64), np.diff(histories.indptr))
        exclude = CSR.from_pairs(rows, histories.items, len(users), len(vectors))
    queries = recommender.queries(users, histories)
    return ItemIndex(vectors, bias=bias_at(recommender, time_ms)).top_k(queries, k, exclude=exclude, allow=allow)


def bias_at(recommender: DotProductRecommender, time_ms: int | None) -> np.ndarray | None:
    """float32 [V], or None: what is added to the scores of all items at a time; None for the end of training."""
    if time_ms is None or not recommender.time_aware:
        return recommender.item_bias()
    bias = recommender.item_bias(np.array([time_ms]))
    return None if bias is None else bias[0]
