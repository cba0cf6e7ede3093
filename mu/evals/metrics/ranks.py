"""Ranks of every user's targets with their ties, as the ranking metrics take them.

A target with `greater` candidates above it and `equal` candidates at its score (itself included) stands, with ties in
uniformly random order, at a rank that is uniform over `greater + 1 .. greater + equal`. A ranking metric is the mean
over all those orders, in closed form (McSherry & Najork, "Computing information retrieval performance measures
efficiently in the presence of tied scores", ECIR 2008). Nothing is drawn: equal inputs give equal numbers, and a
constant scorer is exactly at chance.

In the equations of the metrics T are the targets of a user, rel(r) is 1 where rank r is a target, else 0, and hits(r)
counts the targets among the first r ranks.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class TargetRanks:
    """Targets in groups of equal score, ordered by user, then by rank; ranks of different groups do not overlap.

    G groups, n users.

    Attributes:
      user: int64 [G].
      above: int64 [G], candidates before the group.
      size: int64 [G], candidates in the group.
      members: int64 [G], targets in the group.
      before: int64 [G], the user's targets in earlier groups.
      n_targets: int64 [n], |T| of each user.
      gains: float64 [E], what each target is worth, by user; None where all are worth the same.
      member_gains: float64 [G], the sum of the gains of the group's targets; None likewise.
    """

    user: np.ndarray
    above: np.ndarray
    size: np.ndarray
    members: np.ndarray
    before: np.ndarray
    n_targets: np.ndarray
    gains: np.ndarray | None = None
    member_gains: np.ndarray | None = None

    def graded(self) -> tuple[np.ndarray, np.ndarray]:
        """(gains, member_gains), for metrics that need them.

        Raises:
          ValueError: the gains are not known.
        """
        if self.gains is None or self.member_gains is None:
            raise ValueError(
                "a graded metric needs what each target is worth: set gains='linear', 'log' or 'exponential' of the "
                "weights in the evaluation"
            )
        return self.gains, self.member_gains

    def within(self, k: int) -> np.ndarray:
        """int64 [G]: how many of the first k ranks lie in the group."""
        return np.clip(k - self.above, 0, self.size)

    def total(self, value: np.ndarray) -> np.ndarray:
        """float64 [n]: `value` [G] summed by user."""
        return np.bincount(self.user, weights=value, minlength=len(self.n_targets))


def target_ranks(
    greater: np.ndarray,
    equal: np.ndarray,
    indptr: np.ndarray,
    hittable: np.ndarray | None = None,
    gains: np.ndarray | None = None,
) -> TargetRanks:
    """Groups the targets of each user by score.

    Args:
      greater: int [E], candidates that score strictly more than the target.
      equal: int [E], candidates that score the same, the target included: at least 1.
      indptr: int64 [n+1]; user u's targets are `indptr[u]:indptr[u+1]`, at least one.
      hittable: bool [E] or None; False marks targets that are always misses: they count in |T| and are otherwise
        items like any other.
      gains: float [E] or None, not negative: what each target is worth in graded metrics.

    Raises:
      ValueError: a user without a target.
    """
    n_targets = np.diff(indptr).astype(np.int64)
    if (n_targets < 1).any():
        row = int(np.argmax(n_targets < 1))
        raise ValueError(f"row {row} has no target; leave such users out, no metric is defined for them")
    user = np.repeat(np.arange(len(n_targets)), n_targets)
    above, size = np.asarray(greater, np.int64), np.asarray(equal, np.int64)
    own_gains = gains = None if gains is None else np.asarray(gains, np.float64)
    if hittable is not None:
        user, above, size = user[hittable], above[hittable], size[hittable]
        own_gains = None if own_gains is None else own_gains[hittable]
    order = np.lexsort((above, user))
    user, above, size = user[order], above[order], size[order]
    # Items of equal score have equally many above them, and the next lower score has more.
    new_user = np.append(True, user[1:] != user[:-1])[: len(user)]
    start = np.flatnonzero(new_user | np.append(True, above[1:] != above[:-1])[: len(user)])
    first_of_user = np.maximum.accumulate(np.where(new_user, np.arange(len(user)), 0))
    members = np.diff(np.append(start, len(user)))
    sums = None
    if own_gains is not None:
        group = np.repeat(np.arange(len(start)), members)
        sums = np.bincount(group, weights=own_gains[order], minlength=len(start))
    before = start - first_of_user[start]
    return TargetRanks(user[start], above[start], size[start], members, before, n_targets, gains, sums)
