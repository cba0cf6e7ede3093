"""Negatives for training: items a user has not seen, each with its exact log-probability."""

import dataclasses
from typing import Any

import numpy as np

from mu_kernels._draws import WhenEmpty, clear, counters, counts_or_raise, run_draws
from mu_kernels._exclusions import Exclusions, Rows
from mu_kernels._uniform import draw_uniform
from mu_kernels._weighted import draw_by_cdf, draw_by_rejection, excluded_mass
from mu_kernels._weights import Weights
from mu_kernels.csr import CSR
from mu_kernels.threads import run_rows

# The share of all weight that a row must have left to be drawn by rejection, where that was measured to be the faster
# way: for rows of few excluded items, and of many, whose inverse CDF takes long to set up. The choice depends on
# nothing but the row, so more columns only extend it.
REJECTION_FROM, REJECTION_FROM_MANY, MANY = 0.8, 0.25, 1000


@dataclasses.dataclass(frozen=True, eq=False)
class Draw:
    """What was drawn.

    Attributes:
      ids: int32 [B, n], items the row may have; 0 in rows without draws.
      log_q: float32 [B, n], the log-probability of each draw given what the row may have; 0 in rows without draws.
      count: int32 [B], how many draws of a row are real: n, or 0 in rows of user -1 and, with `when_empty="count"`,
        in rows with nothing left to draw.
    """

    ids: np.ndarray
    log_q: np.ndarray
    count: np.ndarray


class NegativeSampler:
    """Draws with replacement from the items that a user has *not* seen, uniformly or by weight.

    Exact for every user, light or with all but one item seen: an excluded item is never drawn, and item i has

        q(i | row) = w_i / sum of w_j over the items j that the row may have,     w = 1 without `weights`.

    *Uniform.* Draw a rank r among the `left` items; the item is `r + c`, where c is the number of excluded
    items `e[j]` (ascending) with `e[j] - j <= r`. O(log excluded) a draw, no rejection.

    *Weighted.* While a row has most weight left: a draw from all items by classes of like weight (Matias, Vitter & Ni
    2003), again until it is not excluded; O(1). Else the inverse of the cumulative weights of what is left, by two
    binary searches: O(log n_items) a draw and O(excluded) a row. "Most" is four fifths, or a quarter where
    1,000 items or more are excluded. Weights are held in whole units, `2**-62` of the total (see `Weights`): where
    exclusions leave a row only items that hold less than about `2**-40` of all weight, their shares are those of the
    rounded units, and so is `log_q`.

    Randomness is counted, not stored: column i of row b has the words `x, mix(x + g), mix(x + 2 g), ...` of 64
    bits, where x is a hash (SplitMix64) of seed, step, b and i and g its constant; a further try reads further
    words. Draws are so the same for any number of threads, for a batch drawn in pieces (`first_row`), and after a
    resumed run; more columns extend a row. A word h becomes a rank as the upper half of the 128-bit product
    `h * left`: every rank has a probability within a factor `1 +- left / 2**64 < 1 +- 2**-33` of uniform.

    Args:
      seen: which items each user has seen; one row per user, `n_items` columns.
      n_items: size V of the catalogue.
      weights: numbers [V], finite, not negative; items of weight 0 are never drawn. None draws uniformly. By
        popularity to a power: `np.bincount(seen.indices, minlength=n_items) ** 0.75`. Takes 20 bytes an item and 8 a
        user.
      groups: integers [V], such as the work a recording is of: who has seen an item has seen all of its group. -1 is an
        item of no group. The expanded rows take 4 bytes a pair.
      available_from: int64 [V], when an item comes out, in the unit of `times`; a row never gets an item with
        `available_from > time`. Takes 16 bytes an item and 4 a pair. What is not yet out counts as excluded: weighted
        rows from before most of the weight came out are drawn by inverse CDF, which is slower.

    Raises:
      TypeError: an array holds another kind of values.
      ValueError: an array has another length than `n_items`, a weight is negative, NaN or infinite (names the first),
        or all are 0.
    """

    def __init__(
        self, seen: CSR, n_items: int, weights: Any = None, groups: Any = None, available_from: Any = None
    ) -> None:
        self._set(Exclusions(seen, n_items, groups, available_from), weights)

    @classmethod
    def _of(cls, exclusions: Exclusions, weights: Any) -> "NegativeSampler":
        """A sampler that shares its exclusions with others."""
        sampler = cls.__new__(cls)
        sampler._set(exclusions, weights)
        return sampler

    def _set(self, exclusions: Exclusions, weights: Any) -> None:
        self.n_items = exclusions.n_items
        self.exclusions = exclusions
        self.weights = None
        if weights is not None:
            self.weights = Weights(weights, exclusions.n_items, exclusions.order)
            if exclusions.available_from is None:
                users = np.append(np.arange(exclusions.pairs.n_rows), -1)  # the last answers for empty slots
                self._mass = _excluded_mass(exclusions, self.weights, exclusions.rows(users, None, None), None)

    def sample(
        self,
        users: Any,
        n: int,
        *,
        seed: int = 0,
        step: int = 0,
        times: Any = None,
        threads: int | None = None,
        first_row: int = 0,
        when_empty: WhenEmpty = "raise",
    ) -> Draw:
        """Draws `n` items for each row.

        Args:
          users: integers [B], rows of `seen`; repeats allowed, each row draws its own. -1 marks an empty
            slot.
          n: draws in a row.
          seed: any integer of up to 64 bits.
          step: number of the training step, not negative.
          times: int64 [B], the time of each row; with `available_from`, and only then.
          threads: None for all CPUs; the result does not depend on it.
          first_row: number of the first row, so that rows `[a, b)` of a batch drawn with `first_row=a` equal
            rows `[a, b)` of the batch drawn whole.
          when_empty: what becomes of a row with nothing left to draw: 'raise', or 'count' for `count` 0.

        Raises:
          ValueError: a user is out of range, or has nothing left to draw; names the user and the row.
        """
        n, words = counters(n, seed, step, first_row)
        rows = self.exclusions.rows(users, times, threads)
        left = self.left(rows, threads)
        counts = counts_or_raise(rows.users, left > 0, n, when_empty)
        ids = np.empty((len(counts), n), np.int32)
        log_q = np.empty((len(counts), n), np.float32)
        self.draw_into(rows, left, counts, words, ids, log_q, threads)
        clear(counts, n, ids, log_q)
        return Draw(ids, log_q, counts)

    def left(self, rows: Rows, threads: int | None) -> np.ndarray:
        """int64 [B]: what a row may have, in items or, with weights, in units of weight."""
        if self.weights is None:
            return rows.limits - rows.n_excluded
        if self.exclusions.available_from is None:
            mass = self._mass[rows.users]
        else:
            mass = _excluded_mass(self.exclusions, self.weights, rows, threads)
        return self.weights.cumulative[rows.limits] - mass

    def draw_into(
        self,
        rows: Rows,
        left: np.ndarray,
        counts: np.ndarray,
        words: tuple[np.uint64, np.uint64, np.uint64],
        ids: np.ndarray,
        log_q: np.ndarray,
        threads: int | None,
    ) -> None:
        """Fills the first `counts[b]` columns of each row, which must have something left."""
        pairs, weights = self.exclusions.pairs, self.weights
        rows_of_batch = (rows.users, counts, rows.limits, rows.n_excluded)
        head = (*rows_of_batch, pairs.indptr, pairs.indices, self.exclusions.order, *words)
        if weights is None:
            run_draws(draw_uniform, ids.shape, threads, *head, ids, log_q)
            return
        by_cdf = left < weights.total * np.where(rows.n_excluded < MANY, REJECTION_FROM, REJECTION_FROM_MANY)
        if not by_cdf.all():
            log_left = np.log(np.maximum(left, 1) / weights.typical)
            tables = (weights.cut, weights.classes, weights.bits, weights.slots, weights.log_weight)
            run_draws(draw_by_rejection, ids.shape, threads, *head, by_cdf, *tables, log_left, ids, log_q)
        if (by_cdf & (counts > 0)).any():
            run_draws(draw_by_cdf, ids.shape, threads, *head, by_cdf, weights.cumulative, left, ids, log_q)


def _excluded_mass(exclusions: Exclusions, weights: Weights, rows: Rows, threads: int | None) -> np.ndarray:
    mass = np.empty(len(rows.users), np.int64)
    pairs = exclusions.pairs
    head = (rows.users, rows.n_excluded, pairs.indptr, pairs.indices)
    run_rows(excluded_mass, len(mass), threads, *head, weights.cumulative, mass, min_rows=1024)
    return mass
