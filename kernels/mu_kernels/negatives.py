"""Negatives for training: items a user has not seen, each with its exact log-probability."""

import dataclasses
import operator
from typing import Any

import numpy as np

from mu_kernels._check import in_range, read_only
from mu_kernels._jit import kernel
from mu_kernels._threads import run_rows
from mu_kernels.csr import CSR


@dataclasses.dataclass(frozen=True, eq=False)
class Draw:
    """What was drawn.

    Attributes:
      ids: int32 [B, n], items the user of the row has not seen; 0 in rows of user -1.
      log_q: float32 [B, n], the log-probability of each draw given the user; 0 in rows of user -1.
    """

    ids: np.ndarray
    log_q: np.ndarray


class NegativeSampler:
    """Draws uniformly, with replacement, from the items that a user has *not* seen.

    Exact, without rejection: draw a rank r among the `n_items - |seen|` items left; the item is `r + c`,
    where c is the number of seen items `p[j]` (ascending) with `p[j] - j <= r`, found by binary search. A
    user who has seen all but one item costs no more than a light one.

    Randomness is counted, not stored: a draw is a hash (SplitMix64) of seed, step, row and column. It is the
    same for any number of threads, for a batch drawn in pieces (`first_row`), and after a resumed run. The
    hash h of 64 bits becomes a rank as the upper half of the 128-bit product `h * left`, which gives every
    rank a probability within a factor `1 +- left / 2**64 < 1 +- 2**-33` of uniform.

    Args:
      seen: which items each user has seen; one row per user, `n_items` columns.
      n_items: size V of the catalogue.

    Raises:
      ValueError: `seen` has another number of columns.
    """

    def __init__(self, seen: CSR, n_items: int) -> None:
        if seen.n_columns != n_items:
            raise ValueError(f"seen has {seen.n_columns} columns and n_items is {n_items}; they must be equal")
        self.seen = seen
        self.n_items = int(n_items)

    def sample(
        self,
        users: Any,
        n: int,
        seed: int = 0,
        step: int = 0,
        threads: int | None = None,
        first_row: int = 0,
    ) -> Draw:
        """Draws `n` items for each row.

        Args:
          users: integers [B], rows of `seen`; repeats allowed, each row draws its own. -1 marks an empty
            slot.
          n: draws in a row.
          seed: any integer of up to 64 bits.
          step: number of the training step, not negative.
          threads: None for all CPUs; the result does not depend on it.
          first_row: number of the first row, so that rows `[a, b)` of a batch drawn with `first_row=a` equal
            rows `[a, b)` of the batch drawn whole.

        Raises:
          ValueError: a user is out of range, or has seen every item; names the user.
        """
        users = read_only(users, np.int64, "users")
        in_range(users, -1, self.seen.n_rows, "users", "users (-1 is an empty slot)")
        for name, value in (("n", n), ("step", step), ("first_row", first_row)):
            if operator.index(value) < 0:
                raise ValueError(f"{name} is {value}; it must not be negative")
        left = self.n_items - (self.seen.indptr[users + 1] - self.seen.indptr[users])
        saturated = (users >= 0) & (left == 0)
        if saturated.any():
            row = int(np.argmax(saturated))
            raise ValueError(
                f"user {users[row]} (users[{row}]) has seen all {self.n_items} items: nothing is left to "
                "draw; leave such users out"
            )
        ids = np.empty((len(users), n), np.int32)
        log_q = np.empty((len(users), n), np.float32)
        words = (np.uint64(operator.index(value) % 2**64) for value in (seed, step, first_row))
        run_rows(
            _sample,
            len(users),
            threads,
            users,
            self.seen.indptr,
            self.seen.indices,
            self.n_items,
            *words,
            ids,
            log_q,
            min_rows=max(1, 8192 // max(n, 1)),
        )
        return Draw(ids, log_q)


@kernel
def _mix(word):
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014; Stafford's variant 13): uint64 to uint64."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@kernel
def _sample(first, stop, users, indptr, indices, n_items, seed, step, first_row, ids, log_q):
    golden = np.uint64(0x9E3779B97F4A7C15)
    half, low_half = np.uint64(32), np.uint64(0xFFFFFFFF)
    key = _mix(_mix(seed + golden) ^ (step * golden + golden))
    for b in range(first, stop):
        user = users[b]
        if user < 0:
            ids[b] = 0
            log_q[b] = 0
            continue
        begin, end = indptr[user], indptr[user + 1]
        n_left = n_items - (end - begin)
        left = np.uint64(n_left)
        log_q[b] = -np.log(np.float64(n_left))
        stream = _mix(key ^ ((first_row + np.uint64(b)) * golden + golden))
        for i in range(ids.shape[1]):
            word = _mix(stream + (np.uint64(i) + np.uint64(1)) * golden)
            # Upper half of the product; left < 2**31, so no partial sum overflows.
            carry = ((word & low_half) * left) >> half
            rank = np.int64(((word >> half) * left + carry) >> half)
            low, high = begin, end
            while low < high:
                middle = (low + high) >> 1
                if indices[middle] - (middle - begin) <= rank:
                    low = middle + 1
                else:
                    high = middle
            ids[b, i] = rank + (low - begin)
