"""BPR-MF: factors learnt from pairs of an item that a listener has played and one that they have not."""

from typing import Literal, Self

import numpy as np

from mu.baselines.fitting import check_options, fitted
from mu.baselines.play_matrix import play_matrix
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import weighting
from mu.protocols import Histories, Log
from mu.ranges import Count, NonNegative, Positive, Seed, Size
from mu.topk import TopKRecommender
from mu_kernels import CSR
from mu_kernels.pairwise_sgd import descend


class BPR(TopKRecommender):
    """Scores by x_u . y_i + b_i, learnt by stochastic gradient descent from pairs of a played item i and another j:

        'bpr'   -log sigmoid(s_ui - s_uj), j drawn evenly from what u has not played (Rendle, Freudenthaler, Gantner &
                Schmidt-Thieme, "BPR: Bayesian personalized ranking from implicit feedback", UAI 2009)
        'warp'  log(rank) max(0, 1 - s_ui + s_uj), j the first of some draws with a loss, and the rank of i estimated
                from how many it took (Weston, Bengio & Usunier, "WSABIE", IJCAI 2011); over log(V)

    It knows users by their ids alone and has no scores for those outside the log. Steps are taken in one thread, by
    counted draws: on one kind of CPU the result depends on the seed alone.

    Args:
      dim: numbers of a factor.
      epochs: each draws as many pairs as there are.
      learning_rate: of the steps.
      l2: penalty of what a step touches.
      loss: see above.
      tries: of 'warp', the draws of an example.
      weights: how much the plays of a user of an item count by their weights, summed: a name of
        `mu.data.logs.weighting`; the loss of a pair is multiplied by it, over the mean. 'none' for all alike.
      seed: of the factors at the start, normal of deviation 0.1, and of all draws.
    """

    dot_product = True
    time_aware = False

    def __init__(
        self,
        dim: Size = 64,
        epochs: Count = 100,
        learning_rate: Positive = 0.05,
        l2: NonNegative = 0.01,
        loss: Literal["bpr", "warp"] = "bpr",
        tries: Count = 20,
        weights: str = "none",
        seed: Seed = 0,
    ):
        check_options(BPR, locals())
        if l2 * learning_rate >= 1:
            raise ValueError(f"l2={l2}; it must be below 1 / learning_rate, which is {1 / learning_rate:g}")
        weighting(weights)
        self._dim, self._epochs, self._rate, self._l2 = dim, epochs, learning_rate, l2
        self._loss: Literal["bpr", "warp"] = loss
        self._tries, self._weights, self._seed = tries, weights, seed
        self._factors: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def fit(self, log: Interactions) -> Self:
        """Learns the factors.

        Raises:
          ValueError: they grew beyond all bounds.
        """
        played = play_matrix(log, log.n_items, self._weights)
        seen = CSR(played.indptr, played.indices, log.n_items)
        weights = (played.data / played.data.mean() if len(seen) else played.data).astype(np.float32)
        random = np.random.default_rng(self._seed)
        users, items = (0.1 * random.standard_normal((n, self._dim), np.float32) for n in (log.n_users, log.n_items))
        users, items = users.astype(np.float32), items.astype(np.float32)
        bias = np.zeros(log.n_items, np.float32)
        for epoch in range(self._epochs):
            descend(
                seen,
                weights,
                users,
                items,
                bias,
                loss=self._loss,
                learning_rate=self._rate,
                l2=self._l2,
                tries=self._tries,
                seed=self._seed,
                epoch=epoch,
            )
        if not all(np.isfinite(array).all() for array in (users, items, bias)):
            raise ValueError(f"learning_rate={self._rate} is too large: factors are no longer finite; take less")
        items.flags.writeable = False
        self._factors = users, items, bias
        return self

    @property
    def item_vectors(self) -> np.ndarray:
        """float32 [V, dim]."""
        return fitted(self._factors, "BPR")[1]

    def item_bias(self, times_ms: np.ndarray | None = None) -> np.ndarray | None:
        """float32 [V]; the same at all times."""
        del times_ms
        return fitted(self._factors, "BPR")[2]

    def queries(self, users: np.ndarray, histories: Histories, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, dim]: the factors of these users.

        Raises:
          ValueError: a user is outside the training log.
        """
        del histories, times_ms
        users = np.asarray(users)
        if (users < 0).any():
            raise ValueError(
                f"users[{int((users < 0).argmax())}] is outside the training log, and BPR knows users by their ids "
                "alone: ask it for users of the log, or use mu.baselines.ials:IALS, which solves for histories"
            )
        return fitted(self._factors, "BPR")[0][users]

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        return self.queries(users, histories, times_ms) @ self.item_vectors.T + self.item_bias()
