"""The evaluator: every user's targets ranked among the whole catalogue, block by block."""

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from mu.evals.intervals import bootstrap
from mu.evals.metrics import check_names, expected_metrics
from mu_kernels import CSR, rank_scores

# Scores of so many bytes at once: a thousand users of a catalogue of 16,000, sixteen of one of a million.
BLOCK_BYTES = 64 << 20


class Histories(Protocol):
    """What recommenders are shown of users; `mu.data.logs.interactions.Interactions` is one."""

    @property
    def n_users(self) -> int: ...

    def take(self, users: np.ndarray) -> Any:
        """The rows of `users`, as a log of `len(users)` rows."""
        ...


class Recommender(Protocol):
    """What can be evaluated: baselines and trained models alike."""

    def scores(self, users: np.ndarray, histories: Any) -> np.ndarray:
        """float32 [B, V]: for users int64 [B], whose plays so far are the B rows of `histories`."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class RankingResult:
    """Metrics of each user who has a target.

    Attributes:
      users: int64 [n], ascending.
      values: 'recall@10' and so on -> float64 [n].
      n_without_targets: users left out, because they have nothing to be found.
      n_targets: targets of all users.
      n_cold_targets: of those, tracks that training never saw: counted as misses.
      task_hash: sha256 over what was asked (targets, excluded and known tracks): only results with equal
        hashes can be compared user by user.
    """

    users: np.ndarray
    values: dict[str, np.ndarray]
    n_without_targets: int
    n_targets: int
    n_cold_targets: int
    task_hash: str
    _intervals: dict[tuple[int, int], Any] = dataclasses.field(default_factory=dict, repr=False)

    def means(self) -> dict[str, float]:
        """The mean over users of each metric."""
        return {name: float(values.mean()) for name, values in self.values.items()}

    def summary(self, samples: int = 1000, seed: int = 0) -> Iterator[tuple[str, float, float, float]]:
        """(name, mean, low, high) of each metric: 95 % bootstrap intervals over users."""
        if (samples, seed) not in self._intervals:  # the table and the file ask for the same
            table = np.stack(list(self.values.values()), axis=1)
            self._intervals[samples, seed] = bootstrap(table, samples, seed)
        low, high = self._intervals[samples, seed]
        for column, (name, mean) in enumerate(self.means().items()):
            yield name, mean, float(low[column]), float(high[column])


class RankingEvaluator:
    """Ranks each user's targets among all items but the excluded ones.

    Ties count as their expectation over random order (`mu.evals.metrics`). Users without targets are left out
    and counted. Targets are always candidates, excluded or not.

    Args:
      targets: CSR [U, V], what is to be found of each user.
      histories: log of the same U users: what recommenders are shown of them.
      exclude: CSR [U, V] or None, items that are not ranked: those of training, or of validation too.
      known: bool [V] or None, the items that training has seen. Targets outside are cold: counted, and missed
        whatever their score is, for no recommender can mean it.
      ks: cut-offs.
      metrics: of `mu.evals.metrics.METRICS`.
      users_per_block: users scored at once; None for as many as 64 MiB of scores hold.
      threads: for counting ranks; None for all CPUs. Results do not depend on it.

    Raises:
      ValueError: shapes do not fit each other, nobody has a target, or a metric is unknown.
    """

    def __init__(
        self,
        targets: CSR,
        histories: Histories,
        exclude: CSR | None = None,
        known: np.ndarray | None = None,
        ks: Sequence[int] = (10, 20),
        metrics: Sequence[str] = ("recall", "ndcg"),
        users_per_block: int | None = None,
        threads: int | None = None,
    ):
        check_names(ks, metrics)
        shape = (targets.n_rows, targets.n_columns)
        if histories.n_users != shape[0]:
            raise ValueError(f"histories has {histories.n_users} users; targets has {shape[0]}")
        if exclude is not None and (exclude.n_rows, exclude.n_columns) != shape:
            found = (exclude.n_rows, exclude.n_columns)
            raise ValueError(f"exclude is for {found} users and items; targets is for {shape}")
        if known is not None and (known.shape != shape[1:] or known.dtype != np.bool_):
            raise ValueError(f"known is {known.dtype} {known.shape}; it must be bool ({shape[1]},)")
        if users_per_block is not None and users_per_block < 1:
            raise ValueError(f"users_per_block is {users_per_block}; it must be at least 1, or None")
        self._users = np.flatnonzero(targets.counts() > 0)
        if not len(self._users):
            raise ValueError(f"none of the {shape[0]} users has a target; there is nothing to evaluate")
        self._shape = shape
        self._histories = histories
        self._targets = targets.take(self._users)
        self._exclude = None if exclude is None else exclude.take(self._users)
        self._hittable = None if known is None else known[self._targets.indices]
        self._options = {"ks": tuple(int(k) for k in ks), "metrics": tuple(metrics)}
        self._block = users_per_block or max(BLOCK_BYTES // (4 * max(shape[1], 1)), 1)
        self._threads = threads
        self._task_hash = _digest(targets, exclude, known)

    @property
    def names(self) -> list[str]:
        """The keys of a result's values, in order."""
        return [f"{metric}@{k}" for metric in self._options["metrics"] for k in self._options["ks"]]

    def run(self, recommender: Recommender) -> RankingResult:
        """Scores every user who has a target, in blocks, and measures.

        Raises:
          ValueError: the scores are not float32 [B, V] or hold a NaN; names the user.
        """
        greater = np.empty(len(self._targets.indices), np.int32)
        equal = np.empty_like(greater)
        for start in range(0, len(self._users), self._block):
            users = self._users[start : start + self._block]
            scores = self._scores(recommender, users)
            rows = np.arange(start, start + len(users))
            exclude = None if self._exclude is None else self._exclude.take(rows)
            ranks = rank_scores(scores, self._targets.take(rows), exclude, threads=self._threads)
            where = slice(self._targets.indptr[start], self._targets.indptr[start + len(users)])
            greater[where], equal[where] = ranks.greater, ranks.equal
        values = expected_metrics(greater, equal, self._targets.indptr, hittable=self._hittable, **self._options)
        return RankingResult(
            users=self._users,
            values=values,
            n_without_targets=self._shape[0] - len(self._users),
            n_targets=len(greater),
            n_cold_targets=0 if self._hittable is None else int((~self._hittable).sum()),
            task_hash=self._task_hash,
        )

    def _scores(self, recommender: Recommender, users: np.ndarray) -> np.ndarray:
        scores = np.asarray(recommender.scores(users, self._histories.take(users)))
        expected = (len(users), self._shape[1])
        if scores.shape != expected or scores.dtype != np.float32:
            raise ValueError(
                f"{type(recommender).__name__}.scores gave {scores.dtype} {scores.shape} "
                f"for {len(users)} users; it must give float32 {expected}"
            )
        bad = np.isnan(scores.max(axis=1, initial=-np.inf))  # a maximum passes a NaN on
        if bad.any():
            row = int(np.argmax(bad))
            item = int(np.argmax(np.isnan(scores[row])))
            raise ValueError(
                f"{type(recommender).__name__} scores item {item} NaN for user {users[row]}; "
                "a NaN has no place in an order"
            )
        return scores


def _digest(targets: CSR, exclude: CSR | None, known: np.ndarray | None) -> str:
    digest = hashlib.sha256(f"{targets.n_rows} {targets.n_columns}".encode())
    for rows in (targets, exclude):
        digest.update(b"none" if rows is None else rows.indptr.tobytes() + rows.indices.tobytes())
    digest.update(b"none" if known is None else np.packbits(known).tobytes())
    return digest.hexdigest()
