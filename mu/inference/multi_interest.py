"""A trained model with several queries a listener as a recommender: the best of their scores counts."""

import numpy as np

from mu.inference.recommender import TrainedRecommender
from mu.protocols import Histories


class MultiInterestRecommender(TrainedRecommender):
    """score(u, v) = max_m q_um . v + b_v, of a task such as `mu.tasks.multi_interest`.

    The maximum of products is no product: evaluations and lists are made from the scores of all tracks, which are exact
    and cost M products each.
    """

    dot_product = False
    several_queries = True

    def interests(self, users: np.ndarray, histories: Histories) -> np.ndarray:
        """float32 [B, M, D]: the queries of each listener.

        Args:
          users: int64 [B], ids in the training log; -1 for a user outside it.
          histories: B rows, what these users have played.

        Raises:
          ValueError: the task gives one query a listener.
        """
        interests = self._encoded(users, histories)
        if interests.ndim != 3:
            raise ValueError(
                "the task gives each listener one query: set recommender.name="
                "'mu.inference.recommender:TrainedRecommender', or task.name='mu.tasks.multi_interest:MultiInterest'"
            )
        return interests

    def scores(self, users: np.ndarray, histories: Histories, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]: larger is likelier to be played next; the same at all times."""
        interests = self.interests(users, histories)
        scores = interests[:, 0] @ self.item_vectors.T
        for number in range(1, interests.shape[1]):
            np.maximum(scores, interests[:, number] @ self.item_vectors.T, out=scores)
        bias = self.item_bias(times_ms)
        return scores if bias is None else scores + bias
