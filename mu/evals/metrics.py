"""Ranking metrics at k for each user, as exact expectations where scores tie.

A target with `greater` candidates above it and `equal` candidates at its score (itself included) stands, with
ties in uniformly random order, at a rank that is uniform over `greater + 1 .. greater + equal`. Every metric
below is the mean over all those orders, in closed form (McSherry & Najork, "Computing information retrieval
performance measures efficiently in the presence of tied scores", ECIR 2008). Nothing is drawn, so equal
inputs give equal numbers, and a scorer that says the same of all items is exactly at chance.

With T the targets of a user, hits(r) those among the first r ranks and rel(r) = 1 where rank r is a target:

  recall@k     hits(k) / |T|
  hr@k         1 if hits(k) > 0, else 0
  precision@k  hits(k) / k
  ndcg@k       sum over r <= k of rel(r) / log2(r + 1), divided by the same sum of a ranking that has
               min(|T|, k) targets first: never above 1
  mrr@k        1 / r of the first target, 0 if that is beyond k
  map@k        sum over r <= k of rel(r) * hits(r) / r, divided by min(|T|, k)

A target that cannot be hit (a cold one) counts in |T| and is otherwise an item like any other.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

METRICS = ("recall", "hr", "precision", "ndcg", "mrr", "map")


def expected_metrics(
    greater: np.ndarray,
    equal: np.ndarray,
    indptr: np.ndarray,
    ks: Sequence[int] = (10, 20),
    metrics: Sequence[str] = METRICS,
    hittable: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """The metrics of each user, `{'recall@10': float64 [n], ...}`, ordered by metric, then by k.

    Args:
      greater: int [E], candidates that score strictly more than the target.
      equal: int [E], candidates that score the same, the target included: at least 1.
      indptr: int64 [n+1]; user u's targets are `indptr[u]:indptr[u+1]`, at least one.
      hittable: bool [E] or None; False marks targets that are always misses.

    Raises:
      ValueError: an unknown metric, a k below 1, or a user without a target.
    """
    check_names(ks, metrics)
    if (np.diff(indptr) < 1).any():
        row = int(np.argmax(np.diff(indptr) < 1))
        raise ValueError(f"row {row} has no target; leave such users out, no metric is defined for them")
    groups = _tie_groups(greater, equal, indptr, hittable)
    functions = {
        "recall": _recall,
        "hr": _hit_rate,
        "precision": _precision,
        "ndcg": _ndcg,
        "mrr": _reciprocal_rank,
        "map": _average_precision,
    }
    return {f"{metric}@{k}": functions[metric](groups, k) for metric in metrics for k in ks}


def check_names(ks: Sequence[int], metrics: Sequence[str]) -> None:
    """Refuses metrics that do not exist and cut-offs that are not whole numbers from 1."""
    for metric in metrics:
        if metric not in METRICS:
            raise ValueError(f"metric {metric!r} does not exist; there are {', '.join(METRICS)}")
    for k in ks:
        if int(k) != k or k < 1:
            raise ValueError(f"k is {k}; a cut-off is a whole number from 1")
    if not ks or not metrics or len(set(ks)) < len(ks) or len(set(metrics)) < len(metrics):
        raise ValueError(f"ks {tuple(ks)} and metrics {tuple(metrics)} must be non-empty, without repeats")


@dataclasses.dataclass(frozen=True)
class _Groups:
    """Targets of equal score, ordered by user, then by rank; ranks of different groups do not overlap.

    Attributes:
      user: int64 [G].
      above: int64 [G], candidates before the group.
      size: int64 [G], candidates in the group.
      members: int64 [G], targets in the group.
      before: int64 [G], the user's targets in earlier groups.
      n_targets: int64 [n], |T| by user.
    """

    user: np.ndarray
    above: np.ndarray
    size: np.ndarray
    members: np.ndarray
    before: np.ndarray
    n_targets: np.ndarray

    def within(self, k: int) -> np.ndarray:
        """int64 [G]: how many of the first k ranks lie in the group."""
        return np.clip(k - self.above, 0, self.size)

    def total(self, value: np.ndarray) -> np.ndarray:
        """float64 [n]: `value` [G] summed by user."""
        return np.bincount(self.user, weights=value, minlength=len(self.n_targets))


def _tie_groups(greater: np.ndarray, equal: np.ndarray, indptr: np.ndarray, hittable: np.ndarray | None) -> _Groups:
    n_targets = np.diff(indptr).astype(np.int64)
    user = np.repeat(np.arange(len(n_targets)), n_targets)
    above, size = np.asarray(greater, np.int64), np.asarray(equal, np.int64)
    if hittable is not None:
        user, above, size = user[hittable], above[hittable], size[hittable]
    order = np.lexsort((above, user))
    user, above, size = user[order], above[order], size[order]
    # Items of equal score have equally many above them, and the next lower score has more.
    new_user = np.append(True, user[1:] != user[:-1])[: len(user)]
    start = np.flatnonzero(new_user | np.append(True, above[1:] != above[:-1])[: len(user)])
    first_of_user = np.maximum.accumulate(np.where(new_user, np.arange(len(user)), 0))
    members = np.diff(np.append(start, len(user)))
    return _Groups(user[start], above[start], size[start], members, start - first_of_user[start], n_targets)


def _recall(groups: _Groups, k: int) -> np.ndarray:
    return groups.total(groups.members * groups.within(k) / groups.size) / groups.n_targets


def _precision(groups: _Groups, k: int) -> np.ndarray:
    return groups.total(groups.members * groups.within(k) / groups.size) / k


def _hit_rate(groups: _Groups, k: int) -> np.ndarray:
    # At most one group of a user straddles k; a group wholly inside has a hit for certain.
    missed = _no_member_in(groups, groups.within(k), k)
    hit = np.zeros(len(groups.n_targets))
    np.maximum.at(hit, groups.user, 1 - missed)
    return hit


def _no_member_in(groups: _Groups, places: np.ndarray, k: int) -> np.ndarray:
    """float64 [G]: the chance that the first `places` (at most k) of a group hold none of its members."""
    chance = np.ones(len(groups.user))
    for place in range(min(k, int(groups.size.max(initial=0)))):
        others = np.maximum(groups.size - groups.members - place, 0)
        chance = np.where(place < places, chance * others / np.maximum(groups.size - place, 1), chance)
    return chance


def _ndcg(groups: _Groups, k: int) -> np.ndarray:
    gain = np.append(0.0, np.cumsum(1 / np.log2(np.arange(2, k + 2))))  # gain[r]: of targets at ranks 1..r
    begin = np.minimum(groups.above, k)
    mean = (gain[begin + groups.within(k)] - gain[begin]) / groups.size
    # The minimum takes off what rounding may put above 1.
    return np.minimum(groups.total(groups.members * mean) / gain[np.minimum(groups.n_targets, k)], 1.0)


def _reciprocal_rank(groups: _Groups, k: int) -> np.ndarray:
    value = np.zeros(len(groups.user))
    none_so_far = np.ones(len(groups.user))
    first, places = groups.before == 0, groups.within(k)
    for place in range(min(k, int(groups.size.max(initial=0)))):
        others = np.maximum(groups.size - groups.members - place, 0)
        none_now = none_so_far * others / np.maximum(groups.size - place, 1)
        rank = groups.above + place + 1
        value += np.where(first & (place < places), (none_so_far - none_now) / rank, 0)
        none_so_far = none_now
    return groups.total(value)


def _average_precision(groups: _Groups, k: int) -> np.ndarray:
    # At place j = 1..places of a group rel = 1 with chance members / size; given that, hits(r) is on average
    # before + 1 + (j - 1) * (members - 1) / (size - 1). What is needed are the sums over j of
    # 1 / (above + j), and of (j - 1) / (above + j) = 1 - (above + 1) / (above + j).
    harmonic = np.append(0.0, np.cumsum(1 / np.arange(1, k + 1)))
    places, begin = groups.within(k), np.minimum(groups.above, k)
    inverse_ranks = harmonic[begin + places] - harmonic[begin]
    fellows = (groups.members - 1) / np.maximum(groups.size - 1, 1)
    precisions = (groups.before + 1) * inverse_ranks
    precisions += fellows * (places - (groups.above + 1) * inverse_ranks)
    return groups.total(groups.members / groups.size * precisions) / np.minimum(groups.n_targets, k)
