"""A mixture of recommenders: the weighted sum of their scores."""

from collections.abc import Mapping

import numpy as np

from mu.protocols import Log, Recommender
from mu.topk import TopKRecommender


class Mixture(TopKRecommender):
    """Scores an item by the weighted sum of its scores by several recommenders.

        S(u, v) = sum over the members i of weight_i s_i(u, v)

    Args:
      members: name -> recommender, all of one catalogue.
      weights: name -> weight, for each member; one of weight 0 is not asked.

    Attributes:
      time_aware: whether one of the members is.

    Raises:
      ValueError: there is no member with a weight, or the names differ.
    """

    dot_product = False

    def __init__(self, members: Mapping[str, Recommender], weights: Mapping[str, float]):
        if members.keys() != weights.keys():
            raise ValueError(f"members are {', '.join(members)}, and weights are of {', '.join(weights)}")
        self._parts = [(weights[name], member) for name, member in members.items() if weights[name]]
        if not self._parts:
            raise ValueError(f"no member of {', '.join(members) or 'nobody'} has a weight other than 0")
        self.time_aware = any(member.time_aware for _, member in self._parts)

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        total = np.float32(0)
        for weight, member in self._parts:
            times = times_ms if member.time_aware else None
            total = total + np.float32(weight) * member.scores(users, histories, times)
        return np.asarray(total)
