"""Ranking protocol: every user's targets ranked among the whole catalogue, and the lists of the best items."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from mu.data.logs.interactions import Interactions
from mu.data.logs.splits import Split
from mu.data.logs.weighting import NONE, pair_weights
from mu.evals.left_out import left_out
from mu.evals.metrics.lists.context import ListContext
from mu.evals.metrics.loading import at_cutoffs, check_cutoffs, metric_paths
from mu.evals.metrics.ranks import target_ranks
from mu.evals.protocols.catalogue import Histories, of_dot_products, of_scores, of_sparse_rows
from mu.evals.protocols.list_context import list_context, same_vectors
from mu.evals.protocols.lists import SHORT_LISTS, ListMetrics, short_lists_notes
from mu.evals.result import Result
from mu.protocols import DotProductRecommender, Recommender, as_sparse
from mu.ranges import Count, Threads
from mu_kernels import CSR

EXCLUDED_TARGETS = "excluded targets"


class RankingEvaluator:
    """Ranks each user's targets among all items but the excluded ones.

    Ties count as their expectation over random order (`mu.evals.metrics.ranks`). Users without targets are left out
    and counted. Targets are always candidates, excluded or not; those that are excluded for others, plays of what was
    played before, are counted too: among unplayed items alone they are easy to find.

    Args:
      targets: CSR [U, V], the items that each user should be recommended.
      histories: log of the same U users: the plays of theirs that recommenders see.
      exclude: CSR [U, V] or None, items that are not ranked: those of training, or of validation too.
      known: bool [V] or None, the items that training has seen. Targets outside are cold: counted, and always missed,
        for no recommender can mean its score of them.
      gains: float64 or None, what each entry of `targets` is worth in graded metrics; not negative.
      ks: cut-offs.
      metrics: names or paths of ranking metrics (`mu.evals.metrics`): metric(ranks, k).
      list_metrics: names or paths of metrics of the best k items of each user (`mu.evals.metrics.lists`).
      context: what list metrics know of the items; needed for them. What they need of listeners is added here.
      same: what results must agree in to be compared, beside targets and masks.
      users_per_block: users scored at once; None for a default.
      bootstrap_samples: of the intervals.
      threads: of the kernels; None for all CPUs. Results do not depend on it.

    Attributes:
      names: 'recall@10' and so on.
      descriptive: those of lists.

    Raises:
      ValueError: shapes do not fit each other, nobody has a target, a metric is unknown, or one needs what is not known
        of the items.
    """

    def __init__(
        self,
        targets: CSR,
        histories: Histories,
        exclude: CSR | None = None,
        known: np.ndarray | None = None,
        *,
        gains: np.ndarray | None = None,
        ks: Sequence[int] = (10, 20),
        metrics: Sequence[str] = ("recall", "ndcg"),
        list_metrics: Sequence[str] = (),
        context: ListContext | None = None,
        same: Mapping[str, str] | None = None,
        users_per_block: Count | None = None,
        bootstrap_samples: Count = 1000,
        threads: Threads | None = None,
    ):
        check_cutoffs(ks, targets.n_columns)
        self._check(targets, histories, exclude, known, users_per_block, bootstrap_samples)
        self._users = np.flatnonzero(targets.counts() > 0)
        if not len(self._users):
            raise ValueError(f"none of the {targets.n_rows} users has a target; there is nothing to evaluate")
        self._shape = targets.n_rows, targets.n_columns
        self._histories = histories
        self._targets = targets.take(self._users)
        self._exclude = None if exclude is None else exclude.take(self._users)
        rows = np.repeat(np.arange(len(self._users)), self._targets.counts())
        again = self._exclude is not None and self._exclude.contains(rows, self._targets.indices)
        self._n_excluded_targets = int(np.sum(again))
        self._hittable = None if known is None else known[self._targets.indices]
        self._gains = gains  # users without targets have no entries
        self._ks, self._metrics = tuple(int(k) for k in ks), metric_paths(metrics)
        self._lists = ListMetrics(list_metrics, self._ks, context, histories, self._users, self._targets)
        if not (self._metrics or self._lists.names):
            raise ValueError("there is no metric to measure: name one in `metrics` or `list_metrics`")
        one, whole = np.ones(1, np.int64), np.array([0, 1])
        trial = target_ranks(0 * one, one, whole, gains=None if gains is None else np.ones(1))
        at_cutoffs(trial, self._metrics, self._ks)  # a metric that lacks what it needs is refused now
        self._block, self._threads = users_per_block, threads
        self._same = {**(same or {}), "targets and masks": _digest(targets, exclude, known, gains)}
        self.bootstrap_samples = bootstrap_samples
        self.names = [*(f"{name}@{k}" for name in self._metrics for k in self._ks), *self._lists.names]
        self.descriptive = tuple(self._lists.names)

    def run(self, recommender: Recommender) -> Result:
        """Ranks the targets of every user who has any.

        Args:
          recommender: `mu.protocols.Recommender`; of dot products and sparse rows the exact kernels rank, others
            score in blocks.

        Raises:
          ValueError: scores or queries are not float32 of the right shape, or not numbers; names the user.
        """
        task = (self._users, self._histories, self._targets, self._exclude, self._lists.length)
        how = {"users_per_block": self._block, "threads": self._threads}
        if recommender.dot_product:
            greater, equal, items = of_dot_products(cast(DotProductRecommender, recommender), *task, **how)
        elif (sparse := as_sparse(recommender)) is not None:
            greater, equal, items = of_sparse_rows(sparse, *task, **how)
        else:
            greater, equal, items = of_scores(recommender, *task, **how)
        ranks = target_ranks(greater, equal, self._targets.indptr, self._hittable, self._gains)
        statistics, arrays = self._lists.statistics(items)
        n_users = self._shape[0]
        counts = left_out("users", n_users, {"no target": n_users - len(self._users)}) | {
            "targets": len(greater),
            "cold targets": 0 if self._hittable is None else int((~self._hittable).sum()),
        }
        if self._n_excluded_targets:
            counts[EXCLUDED_TARGETS] = self._n_excluded_targets
        if self._lists.length:
            counts[SHORT_LISTS] = int((items[:, -1] < 0).sum())
        return Result(
            unit="user",
            units=self._users,
            columns=at_cutoffs(ranks, self._metrics, self._ks) | self._lists.columns(items),
            statistics=statistics,
            arrays=arrays,
            counts=counts,
            same=self._same,
            notes=_notes(counts),
            descriptive=self.descriptive,
        )

    @staticmethod
    def _check(
        targets: CSR,
        histories: Histories,
        exclude: CSR | None,
        known: np.ndarray | None,
        users_per_block: Count | None,
        bootstrap_samples: int,
    ) -> None:
        shape = (targets.n_rows, targets.n_columns)
        if histories.n_users != shape[0]:
            raise ValueError(f"histories has {histories.n_users} users; targets has {shape[0]}")
        if exclude is not None and (exclude.n_rows, exclude.n_columns) != shape:
            theirs = (exclude.n_rows, exclude.n_columns)
            raise ValueError(f"exclude is for {theirs} users and items; targets is for {shape}")
        if known is not None and (known.shape != shape[1:] or known.dtype != np.bool_):
            raise ValueError(f"known is {known.dtype} {known.shape}; it must be bool ({shape[1]},)")
        if users_per_block is not None and users_per_block < 1:
            raise ValueError(f"users_per_block is {users_per_block}; it must be at least 1, or None")
        if bootstrap_samples < 1:
            raise ValueError(f"bootstrap_samples={bootstrap_samples}; it must be at least 1")


class Ranking(RankingEvaluator):
    """Ranks the held-out plays of a split.

    `config.evals.NAME = {'name': 'mu.evals.protocols.ranking:Ranking'}`.

    Validation gives recommenders the training plays and masks them; test may give and mask the validation plays too.

    Args:
      split: with the logs `train`, `valid`, `test` and a `hash`.
      train: the log that was learnt from; with the validation plays in a refit.
      part: 'valid' or 'test'.
      metrics: of ranks, see `RankingEvaluator`.
      list_metrics: of lists, see `RankingEvaluator`.
      ks: cut-offs.
      test_sees_valid: in the test, histories hold the validation plays.
      test_masks_valid: in the test, tracks of the validation plays are not ranked.
      groups: column of the tracks whose values are the groups of list metrics ('artist'); None for none.
      gains: what a held-out track is worth to graded metrics (graded_ndcg) by the weights of its plays, summed: a name
        of `mu.data.logs.weighting`; 'none' for no such metric.
      vectors: what tracks are like, for list metrics: a column of the tracks with labels separated by '|' ('tags'), or
        a file 'PATH.npy' of a vector for each track, such as the track_content.npy of a run; None for nothing.
      bootstrap_samples: of the intervals.
    """

    def __init__(
        self,
        *,
        split: Split,
        train: Interactions,
        part: str,
        metrics: tuple[str, ...] = ("recall", "ndcg"),
        list_metrics: tuple[str, ...] = (),
        ks: tuple[Count, ...] = (10, 20),
        test_sees_valid: bool = True,
        test_masks_valid: bool = True,
        groups: str | None = None,
        vectors: str | None = None,
        gains: str = "none",
        bootstrap_samples: Count = 1000,
    ):
        if part not in ("valid", "test"):
            raise ValueError(f"part is {part!r}; it must be 'valid' or 'test'")
        histories, exclude = split.train, split.train.seen()
        if part == "test" and test_sees_valid:
            histories = split.train.merged(split.valid)
        if part == "test" and test_masks_valid:
            exclude = exclude.union(split.valid.seen())
        context = list_context(train, groups, vectors)
        targets, values = pair_weights(getattr(split, part), gains)
        super().__init__(
            targets,
            histories,
            exclude,
            context.popularity > 0,
            gains=None if gains == NONE else values,
            ks=ks,
            metrics=metrics,
            list_metrics=list_metrics,
            context=context,
            same={"split": split.hash, **same_vectors(context)},
            bootstrap_samples=bootstrap_samples,
        )


def _notes(counts: Mapping[str, int]) -> tuple[str, ...]:
    notes = []
    if counts["cold targets"]:
        cold = f"{counts['cold targets']:,} of {counts['targets']:,} targets"
        notes.append(f"{cold} unseen in training, counted as misses")
    if counts.get(EXCLUDED_TARGETS):
        again = f"{counts[EXCLUDED_TARGETS]:,} of {counts['targets']:,} targets had been played before"
        notes.append(f"{again}: each is ranked among unplayed items alone, which is easy")
    return (*notes, *short_lists_notes(counts))


def _digest(targets: CSR, exclude: CSR | None, known: np.ndarray | None, gains: np.ndarray | None) -> str:
    digest = hashlib.sha256(f"{targets.n_rows} {targets.n_columns}".encode())
    for rows in (targets, exclude):
        digest.update(b"none" if rows is None else rows.indptr.tobytes() + rows.indices.tobytes())
    digest.update(b"none" if known is None else np.packbits(known).tobytes())
    if gains is not None:
        digest.update(gains.tobytes())
    return digest.hexdigest()
