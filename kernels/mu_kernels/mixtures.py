"""Negatives from several sources at once, with the exact log-probability of the mixture."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mu_kernels._check import in_range, read_only
from mu_kernels._draws import WhenEmpty, clear, counters, counts_or_raise, run_draws
from mu_kernels._exclusions import Exclusions, Rows, row_of_pair
from mu_kernels._mixtures import choose, count_batch, deal, draw_batch, draw_listed, mixture_log_q
from mu_kernels.csr import CSR
from mu_kernels.negatives import Draw, NegativeSampler
from mu_kernels.threads import run_rows

COMPONENTS = ("uniform", "weighted", "in_batch", "listed")
# Each component, and the choice between them, hashes a seed of its own: the seed plus a multiple of this.
NEXT_SEED = 0xD1342543DE82EF95


class NegativeMixture:
    """Draws each negative from one of several components, chosen by chance with given shares.

    - `uniform`, `weighted`: as `NegativeSampler` draws them.
    - `in_batch`: the items of the batch, each as often as it occurs there.
    - `listed`: items listed for the user, such as skips, all alike: explicit negatives.

    All leave out what the row may not have (`seen`, `groups`, `available_from`; in-batch and listed items, too):

        q(i | row) = sum_c s_c q_c(i | row),     s_c = share_c / sum of the shares of components that are not empty.

    A component is empty where it has nothing that the row may have (a user without skips); its share is then
    spread over the others in proportion to theirs. `log_q` is log q(i | row), whichever component the draw came from.

    Randomness is counted as in `NegativeSampler`, with a seed of its own for the choice and for each
    component; the j-th column of a row that takes a component has the component's draw j.

    Args:
      seen: which items each user has seen; one row per user, `n_items` columns.
      n_items: size V of the catalogue.
      shares: by component, finite, not negative, adding up to 1; those left out are 0.
      weights: numbers [V], as in `NegativeSampler`; with a share of 'weighted', and only then.
      listed: the lists, users x items; with a share of 'listed', and only then. What a user may not have is taken out.
      groups: as in `NegativeSampler`.
      available_from: as in `NegativeSampler`.

    Raises:
      ValueError: shares do not add up to 1, or name something else; a component lacks what it draws from; and what
        `NegativeSampler` raises.
    """

    def __init__(
        self,
        seen: CSR,
        n_items: int,
        shares: Mapping[str, float],
        *,
        weights: Any = None,
        listed: CSR | None = None,
        groups: Any = None,
        available_from: Any = None,
    ) -> None:
        self.n_items = int(n_items)
        self._shares = _checked(shares)
        for component, name, value in (("weighted", "weights", weights), ("listed", "listed", listed)):
            if (value is None) != (self._shares[COMPONENTS.index(component)] == 0):
                lack = f"{name} is missing" if value is None else f"{name} is given but its share is 0"
                raise ValueError(f"{lack}: a share of {component!r} and {name}= go together")
        self.exclusions = Exclusions(seen, n_items, groups, available_from)
        self._samplers = [NegativeSampler._of(self.exclusions, None)]
        if weights is not None:
            self._samplers.append(NegativeSampler._of(self.exclusions, weights))
        self._listed = CSR(np.zeros(seen.n_rows + 1, np.int64), np.empty(0, np.int32), n_items)
        if listed is not None:
            self._listed = self._allowed(listed)

    def _allowed(self, listed: CSR) -> CSR:
        """The lists in positions, without what their users may not have."""
        pairs = self.exclusions.pairs
        if (listed.n_rows, listed.n_columns) != (pairs.n_rows, pairs.n_columns):
            raise ValueError(
                f"listed has {listed.n_rows} rows and {listed.n_columns} columns, seen {pairs.n_rows} and "
                f"{pairs.n_columns}; they must be equal"
            )
        listed = self.exclusions.in_positions(listed)
        rows = row_of_pair(listed)
        keep = ~pairs.contains(rows, listed.indices)
        return CSR.from_pairs(rows[keep], listed.indices[keep], listed.n_rows, listed.n_columns)

    def sample(
        self,
        users: Any,
        n: int,
        *,
        batch_items: Any = None,
        seed: int = 0,
        step: int = 0,
        times: Any = None,
        threads: int | None = None,
        first_row: int = 0,
        when_empty: WhenEmpty = "raise",
    ) -> Draw:
        """Draws `n` items for each row; see `NegativeSampler.sample` for what is not said here.

        Args:
          users: integers [B], -1 in empty slots.
          n: draws in a row.
          batch_items: integers [M], the items of the whole batch, repeats counted; with a share of 'in_batch', and
            only then. A batch drawn in pieces passes the same `batch_items` with every piece.

        Raises:
          ValueError: `batch_items` is missing or out of range; a user has nothing left in any component.
        """
        n, (seed_word, *place) = counters(n, seed, step, first_row)
        rows = self.exclusions.rows(users, times, threads)
        if (batch_items is None) != (self._shares[2] == 0):
            lack = "is missing" if batch_items is None else "is given but its share is 0"
            raise ValueError(f"batch_items {lack}: a share of 'in_batch' and batch_items= go together")
        batch, distinct, starts = self._batch(np.empty(0, np.int32) if batch_items is None else batch_items)
        left = self._left(rows, distinct, starts, threads)
        shares = np.where(left > 0, self._shares[:, None], 0)
        up_to = np.cumsum(shares, axis=0)
        drawable = up_to[-1] > 0
        counts = counts_or_raise(rows.users, drawable, n, when_empty)
        whole = np.where(drawable, up_to[-1], 1)
        shares, up_to = shares / whole, up_to / whole  # exactly 1 from the last component that is not empty

        seeds = [np.uint64((int(seed_word) + number * NEXT_SEED) % 2**64) for number in range(1, 6)]
        shape = (len(counts), n)
        chosen = np.empty(shape, np.int8)
        chosen_counts = np.empty((len(COMPONENTS), len(counts)), np.int32)
        run_draws(choose, shape, threads, counts, up_to, seeds[4], *place, chosen, chosen_counts)
        drawn = np.empty((len(COMPONENTS), *shape), np.int32)
        log_q = np.empty(shape, np.float32)
        for c, sampler in enumerate(self._samplers):
            if self._shares[c]:  # their log_q is overwritten by the mixture's
                words = (seeds[c], place[0], place[1])
                sampler.draw_into(rows, left[c], chosen_counts[c], words, drawn[c], log_q, threads)
        pairs, order = self.exclusions.pairs, self.exclusions.order
        if len(batch):
            head = (rows.users, chosen_counts[2], rows.limits, rows.n_excluded)
            head += (pairs.indptr, pairs.indices, order, seeds[2])
            tail = (distinct, starts, batch, left[2], drawn[2])
            run_draws(draw_batch, shape, threads, *head, *place, *tail)
        lists = (self._listed.indptr, self._listed.indices)
        if len(self._listed):
            head = (rows.users, chosen_counts[3], *lists, order, seeds[3])
            run_draws(draw_listed, shape, threads, *head, *place, left[3], drawn[3])

        ids = np.empty(shape, np.int32)
        run_draws(deal, shape, threads, counts, chosen, drawn, ids)
        weights = self._samplers[-1].weights
        cumulative = np.empty(0, np.int64) if weights is None else weights.cumulative
        tables = (self.exclusions.position, shares, left, cumulative, distinct, starts, *lists)
        run_draws(mixture_log_q, shape, threads, rows.users, counts, *tables, ids, log_q)
        clear(counts, n, ids, log_q)
        return Draw(ids, log_q, counts)

    def _batch(self, batch_items: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions of all occurrences, ascending; the distinct ones; where in the first each of those starts."""
        items = read_only(batch_items, np.int32, "batch_items")
        in_range(items, 0, self.n_items, "batch_items", "items")
        batch = np.sort(self.exclusions.position[items] if len(self.exclusions.position) else items)
        distinct, starts = np.unique(batch, return_index=True)
        distinct.flags.writeable = False  # as the excluded are, which kernels search it with
        return batch, distinct, np.append(starts, len(batch)).astype(np.int64)

    def _left(self, rows: Rows, distinct: np.ndarray, starts: np.ndarray, threads: int | None) -> np.ndarray:
        """int64 [4, B]: what each component has for each row, in its own units."""
        left = np.zeros((len(COMPONENTS), len(rows.users)), np.int64)
        for c, sampler in enumerate(self._samplers):
            left[c] = sampler.left(rows, threads)
        if len(distinct):
            pairs = self.exclusions.pairs
            head = (rows.users, rows.limits, rows.n_excluded, pairs.indptr, pairs.indices)
            run_rows(count_batch, len(rows.users), threads, *head, distinct, starts, left[2], min_rows=64)
        if len(self._listed):
            left[3] = self.exclusions.count_below(self._listed, rows.users, rows.limits, threads)
        return left


def _checked(shares: Mapping[str, float]) -> np.ndarray:
    """float64 [4], in the order of COMPONENTS, adding up to 1."""
    for name, share in shares.items():
        if name not in COMPONENTS:
            raise ValueError(f"shares has no component {name!r}; known: {', '.join(COMPONENTS)}")
        if not (np.isfinite(share) and share >= 0):
            raise ValueError(f"shares[{name!r}] is {share}; shares are finite and not negative")
    array = np.array([shares.get(name, 0) for name in COMPONENTS], np.float64)
    if abs(array.sum() - 1) > 1e-6:
        raise ValueError(f"shares add up to {array.sum():g}; they must add up to 1")
    return array / array.sum()
