"""Rated candidates protocol: for each user only the tracks that they rated in the test are ranked among each other."""

import hashlib
from typing import cast

import numpy as np

from mu.data.logs.interactions import Interactions
from mu.data.logs.splits import Split
from mu.data.logs.weighting import counted
from mu.evals.left_out import left_out
from mu.evals.metrics.graded_ndcg import graded_ndcg
from mu.evals.metrics.loading import check_cutoffs
from mu.evals.metrics.ranks import target_ranks
from mu.evals.metrics.ratings.auc import auc
from mu.evals.protocols.catalogue import BLOCK_BYTES, QUERY_BLOCK, user_queries, user_scores
from mu.evals.result import Result, Statistic
from mu.protocols import DotProductRecommender, RatingRecommender, Recommender, as_sparse
from mu.ranges import Count, Positive
from mu_kernels import CSR, SparseIndex

ERRORS = {"negative_rmse": "squared", "negative_mae": "absolute"}
RATED = "rated tracks"
"""Key of `Result.same` that results of this protocol have alone."""


class RatedCandidates:
    """Measures how a user's rated tracks are ordered, and predicted ratings where a recommender gives them.

    `config.evals.NAME = {'name': 'mu.evals.protocols.rated_candidates:RatedCandidates', 'threshold': 4.0}`.

    For data whose test ratings are of tracks that were drawn at random (Coat, Yahoo! R3): what a user would think of a
    track is known there whether a recommender shows it or not. The weights of the log are the ratings. A unit is a user
    with a rating:

      auc             P(a relevant track scores higher than another), ties by half; of users who have both
      graded_ndcg@k   of all rated tracks with their gains, over every order of ties; of the same users
      negative_rmse   minus the error of predicted ratings, over all ratings; NaN where the recommender predicts none
      negative_mae    likewise (`mu.protocols.RatingRecommender`)

    Ratings of tracks that are in the user's history are left out and counted; of a track rated twice the last counts.

    Args:
      split: with the logs `train`, `valid`, `test` and a `hash`.
      part: 'valid' or 'test'.
      threshold: a track is relevant from this rating on.
      gains: of ratings in NDCG, a name of `mu.data.logs.weighting`.
      ks: cut-offs of NDCG.
      bootstrap_samples: of the intervals.

    Attributes:
      names: 'auc' and so on.

    Raises:
      ValueError: nobody has both a relevant track and another, or an option is wrong.
    """

    def __init__(
        self,
        *,
        split: Split,
        part: str,
        threshold: Positive,
        gains: str = "exponential",
        ks: tuple[Count, ...] = (5, 10),
        bootstrap_samples: Count = 1000,
    ):
        if part not in ("valid", "test"):
            raise ValueError(f"part is {part!r}; it must be 'valid' or 'test'")
        check_cutoffs(ks)
        if bootstrap_samples < 1:
            raise ValueError(f"bootstrap_samples={bootstrap_samples}; it must be at least 1")
        self._histories = split.train.merged(split.valid) if part == "test" else split.train
        rated: Interactions = getattr(split, part)
        kept, ratings_left_out = candidates(rated, self._histories)
        user = np.repeat(np.arange(rated.n_users), rated.lengths)
        self._users, lengths = np.unique(user[kept], return_counts=True)
        self._indptr = np.append(0, np.cumsum(lengths))
        self._items, self._ratings = rated.items[kept], rated.weights[kept].astype(np.float64)
        self._gains = counted(self._ratings, gains)
        self._relevant = self._ratings >= np.float32(threshold)
        n_relevant = np.diff(np.append(0, np.cumsum(self._relevant))[self._indptr])
        without = {"no rating": rated.n_users - len(self._users)}
        unranked = {
            "no relevant track": int((n_relevant == 0).sum()),
            "only relevant tracks": int((n_relevant == lengths).sum()),
        }
        self._both = (n_relevant > 0) & (n_relevant < lengths)
        if not self._both.any():
            reasons = ", ".join(f"{reason} {n:,}" for reason, n in (without | unranked).items())
            raise ValueError(
                f"threshold={threshold}: none of {rated.n_users:,} users has both a relevant track and another in the "
                f"{part} part ({reasons}); the weights of the log must be ratings (`mu import --weight=COLUMN`)"
            )
        self._counts = left_out("ratings", len(rated), ratings_left_out)
        self._counts |= left_out("users", rated.n_users, without)
        self._counts |= left_out("users of auc and graded_ndcg", len(self._users), unranked)
        self._ks = tuple(int(k) for k in ks)
        digest = hashlib.sha256(f"{threshold} {gains}".encode())
        for array in (self._users, self._indptr, self._items, self._ratings):
            digest.update(np.ascontiguousarray(array).data)
        self._same = {"split": split.hash, RATED: digest.hexdigest()}
        self._threshold = float(threshold)
        self.bootstrap_samples = bootstrap_samples
        self.names = ["auc", *(f"graded_ndcg@{k}" for k in self._ks), *ERRORS]

    def run(self, recommender: Recommender) -> Result:
        """Scores the rated tracks of every user.

        Raises:
          ValueError: scores or queries are not float32 of the right shape, or not numbers; names the user.
        """
        scores = self._scores(recommender)
        lengths = np.diff(self._indptr)
        user = np.repeat(np.arange(len(lengths)), lengths)
        order = np.lexsort((-scores, user))
        new = np.append(True, (np.diff(scores[order]) != 0) | (np.diff(user[order]) != 0))
        start = np.flatnonzero(new)
        size = np.diff(np.append(start, len(order)))
        greater, equal = np.empty((2, len(order)), np.int64)
        greater[order] = np.repeat(start - self._indptr[user[order[start]]], size)
        equal[order] = np.repeat(size, size)
        ranks = target_ranks(greater, equal, self._indptr, gains=self._gains)
        columns = {"auc": auc(scores, self._relevant, self._indptr)}
        columns |= {f"graded_ndcg@{k}": np.where(self._both, graded_ndcg(ranks, k), np.nan) for k in self._ks}
        error = np.full(len(scores), np.nan)
        if isinstance(recommender, RatingRecommender) and recommender.predicts_ratings:
            error = scores - self._ratings
        sums = {"squared": np.square(error), "absolute": np.abs(error)}
        return Result(
            unit="user",
            units=self._users,
            columns=columns,
            statistics={
                name: Statistic(f"mu.evals.metrics.ratings.{name}:{name}", (array, "ratings"))
                for name, array in ERRORS.items()
            },
            arrays={name: np.bincount(user, weights=values) for name, values in sums.items()} | {"ratings": lengths},
            counts=self._counts,
            same=self._same,
            card={"relevant_from": self._threshold},
        )

    def _scores(self, recommender: Recommender) -> np.ndarray:
        """float32 [E]: the scores of the rated tracks; of dot products and sparse scores no others are computed."""
        scores = np.empty(len(self._items), np.float32)
        n_items = self._histories.n_items
        sparse = as_sparse(recommender)
        index = None if sparse is None else SparseIndex(sparse.sparse_rows, sparse.background)
        in_parts = recommender.dot_product or sparse is not None
        block = QUERY_BLOCK if in_parts else max(BLOCK_BYTES // (4 * n_items), 1)
        for first in range(0, len(self._users), block):
            users = self._users[first : first + block]
            bounds = self._indptr[first : first + len(users) + 1]
            where = slice(bounds[0], bounds[-1])
            row, items = np.repeat(np.arange(len(users)), np.diff(bounds)), self._items[where]
            if recommender.dot_product:
                model = cast(DotProductRecommender, recommender)
                queries = user_queries(model, users, self._histories)[row].astype(np.float64)
                products, bias = (queries * model.item_vectors[items]).sum(axis=1), model.item_bias()
                scores[where] = products if bias is None else products + bias[items]
            elif sparse is not None and index is not None:
                queries = sparse.sparse_queries(users, self._histories.take(users))
                scores[where] = index.scores_of(queries.take(row), CSR(np.arange(len(row) + 1), items, n_items))
            else:
                scores[where] = user_scores(recommender, users, self._histories.take(users), n_items)[row, items]
        if (bad := np.isnan(scores)).any():
            at = int(np.argmax(bad))
            user = self._users[np.searchsorted(self._indptr, at, side="right") - 1]
            raise ValueError(f"{type(recommender).__name__} scores item {self._items[at]} NaN for user {user}")
        return scores


def candidates(rated: Interactions, histories: Interactions) -> tuple[np.ndarray, dict[str, int]]:
    """The ratings that are measured: of a track rated twice the last, of tracks in the history none.

    Args:
      rated: the ratings of the part that is measured.
      histories: of the same users before it.

    Returns:
      (int64 [E], their places in `rated`, ascending; reason -> how many others there are).
    """
    user = np.repeat(np.arange(rated.n_users), rated.lengths)
    pair = user * rated.n_items + rated.items
    _, last = np.unique(pair[::-1], return_index=True)
    kept = np.sort(len(pair) - 1 - last)
    in_history = histories.seen().contains(user[kept], rated.items[kept])
    others = {"rated again later": len(pair) - len(kept), "track in the history": int(in_history.sum())}
    return kept[~in_history], others
