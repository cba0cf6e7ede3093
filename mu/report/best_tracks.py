"""The best tracks of a few listeners, of any recommender."""

from typing import cast

import numpy as np

from mu.inference.topk import recommend
from mu.protocols import DotProductRecommender, Recommender
from mu.report.split_log import SplitLog
from mu_kernels import top_k_scores


def best_tracks(log: SplitLog, recommender: Recommender, users: np.ndarray, k: int) -> list[np.ndarray]:
    """For each listener the k best tracks that are out and that they have not played before the test, best first.

    Args:
      log: of the run.
      recommender: of it.
      users: int64 [B].
      k: how many, at most.

    Returns:
      int32 [up to k] of each listener; ties by lower id.
    """
    histories = log.histories.take(users)
    if recommender.dot_product:
        hits = recommend(
            cast(DotProductRecommender, recommender), users, histories, k, time_ms=log.now_ms, allow=log.released
        )
    else:
        times = np.full(len(users), log.now_ms) if recommender.time_aware else None
        scores = recommender.scores(users, histories, times)
        # What is not out has the lowest score of all, and is cut off below.
        hits = top_k_scores(np.where(log.released, scores, -np.inf).astype(np.float32), k, histories.seen())
    lists = []
    for ids, count in zip(hits.ids, hits.count, strict=True):
        ids = ids[:count]
        lists.append(ids[log.released[ids]])
    return lists
