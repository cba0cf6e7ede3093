"""Which items a row of a batch may draw: not what its user has seen, nor versions of it, nor what comes out later."""

import dataclasses
from typing import Any

import numpy as np

from mu_kernels._check import in_range, read_only
from mu_kernels._sorted import first_at_least
from mu_kernels.compile import kernel
from mu_kernels.csr import CSR
from mu_kernels.threads import run_rows


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """What the kernels ask of each row: its items are the positions below `limits` less `n_excluded` excluded ones.

    Attributes:
      users: int64 [B], -1 in empty slots.
      limits: int64 [B], how many positions are out by the time of the row; 0 in empty slots.
      n_excluded: int64 [B], how many of the user's excluded positions lie below the limit.
    """

    users: np.ndarray
    limits: np.ndarray
    n_excluded: np.ndarray


class Exclusions:
    """Excluded items by user, in *positions*: items in the order in which they come out.

    In that order the items out by some time are a prefix, so a later item is excluded by one comparison. Without
    `available_from` positions are item ids and nothing is copied. With `groups` the rows are expanded once, here:
    4 bytes a pair of the result. With `available_from` they are held in positions: 4 bytes a pair and 16 an item.

    Attributes:
      pairs: CSR, users x positions.
      order: int32 [V], the item at each position; [0] where positions are ids.
      position: int32 [V], its inverse; [0] where positions are ids.
      available_from: int64 [V] by position, or None.
    """

    def __init__(self, seen: CSR, n_items: int, groups: Any = None, available_from: Any = None) -> None:
        if seen.n_columns != n_items:
            raise ValueError(f"seen has {seen.n_columns} columns and n_items is {n_items}; they must be equal")
        self.n_items = int(n_items)
        self.pairs = seen if groups is None else _with_versions(seen, groups)
        self.order = self.position = np.empty(0, np.int32)
        self.available_from = None
        if available_from is not None:
            times = _by_item(available_from, n_items, "available_from")
            self.order = np.argsort(times, kind="stable").astype(np.int32)
            self.position = np.empty(n_items, np.int32)
            self.position[self.order] = np.arange(n_items, dtype=np.int32)
            self.available_from = times[self.order]
            self.pairs = self.in_positions(self.pairs)

    def in_positions(self, pairs: CSR) -> CSR:
        """`pairs` (users x items) as users x positions."""
        if len(self.position) == 0:
            return pairs
        return CSR.from_pairs(row_of_pair(pairs), self.position[pairs.indices], pairs.n_rows, self.n_items)

    def rows(self, users: Any, times: Any, threads: int | None) -> Rows:
        """Checks the users and times of a batch and finds what each row may draw."""
        users = read_only(users, np.int64, "users")
        in_range(users, -1, self.pairs.n_rows, "users", "users (-1 is an empty slot)")
        filled = users >= 0
        if (times is None) != (self.available_from is None):
            present, missing = ("available_from", "times") if times is None else ("times", "available_from")
            raise ValueError(f"{present} is given without {missing}: a sampler with available_from draws with times")
        if self.available_from is None:
            n_excluded = np.where(filled, self.pairs.indptr[users + 1] - self.pairs.indptr[users], 0)
            return Rows(users, np.where(filled, self.n_items, 0), n_excluded)
        times = read_only(times, np.int64, "times")
        if len(times) != len(users):
            raise ValueError(f"times has {len(times)} entries and users {len(users)}; a row has one of each")
        limits = np.where(filled, np.searchsorted(self.available_from, times, side="right"), 0)
        return Rows(users, limits, self.count_below(self.pairs, users, limits, threads))

    def count_below(self, pairs: CSR, users: np.ndarray, limits: np.ndarray, threads: int | None) -> np.ndarray:
        """int64 [B]: how many positions in the user's row of `pairs` lie below the limit; 0 in empty slots."""
        counts = np.empty(len(users), np.int64)
        run_rows(_count_below, len(users), threads, users, limits, pairs.indptr, pairs.indices, counts, min_rows=4096)
        return counts


def row_of_pair(pairs: CSR) -> np.ndarray:
    """int32 [E]: the row of each pair."""
    return np.repeat(np.arange(pairs.n_rows, dtype=np.int32), pairs.counts())


def _by_item(values: Any, n_items: int, name: str) -> np.ndarray:
    array = read_only(values, np.int64, name)
    if len(array) != n_items:
        raise ValueError(f"{name} has {len(array)} entries and n_items is {n_items}; every item has one")
    return array


def _with_versions(seen: CSR, groups: Any) -> CSR:
    """Each row with all items of the groups of its items; an item of group -1 is a group of its own."""
    groups = _by_item(groups, seen.n_columns, "groups")
    in_range(groups, -1, 2**63 - 1, "groups", "groups (-1 is an item of no group)")
    names, group = np.unique(groups, return_inverse=True)
    alone = np.flatnonzero(groups == -1)
    group[alone] = len(names) + np.arange(len(alone))
    n_groups = len(names) + len(alone)
    members = CSR.from_pairs(group, np.arange(seen.n_columns), n_groups, seen.n_columns)
    seen_groups = CSR.from_pairs(row_of_pair(seen), group[seen.indices], seen.n_rows, n_groups)
    versions = members.take(seen_groups.indices)  # a row for each pair (user, group)
    user = np.repeat(row_of_pair(seen_groups), versions.counts())
    return CSR.from_pairs(user, versions.indices, seen.n_rows, seen.n_columns)


@kernel
def _count_below(first, stop, users, limits, indptr, indices, counts):
    """How many entries of each user's row lie below the limit."""
    for b in range(first, stop):
        counts[b] = 0
        if users[b] >= 0:
            begin, stop_at = indptr[users[b]], indptr[users[b] + 1]
            counts[b] = first_at_least(indices, begin, stop_at, limits[b]) - begin
