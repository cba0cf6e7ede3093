"""The best tracks of a few listeners, of any recommender."""

import numpy as np

from mu.protocols import Recommender
from mu.report.split_log import SplitLog
from mu.topk import recommend


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
    out = np.flatnonzero(log.released)
    hits = recommend(recommender, users, log.histories.take(users), k, candidates=out, time_ms=log.now_ms)
    return [ids[:count] for ids, count in zip(hits.ids, hits.count, strict=True)]
