"""Best items and ranks where scores are a background plus sparse evidence, without a matrix of listeners by items.

    score(b, v) = background[v] + sum over the entries (row r, weight w) of query b, in their order, of w rows[r, v]

Sums are float64 and rounded to float32 once, so they equal those of `SparseRows.dense_sums` bit for bit. A query costs
the entries of its rows and, for the best items, as many items of the background as are left out or asked for.
"""

from typing import Any

import numpy as np

from mu_kernels._check import finite, in_range, read_only
from mu_kernels._sparse import rank_rows, rank_rows_at_times, score_rows, top_k_rows
from mu_kernels.csr import CSR
from mu_kernels.ranks import Ranks, empty_rows, same_shape
from mu_kernels.sparse_rows import SparseRows
from mu_kernels.threads import run_rows
from mu_kernels.topk import Hits, no_hits


class SparseIndex:
    """Answers queries over sparse rows and a background, in the order of exact scores, ties by lower id.

    Args:
      rows: [R, V]; a column comes at most once in a row.
      background: float64 [V], the score of an item without evidence.

    Raises:
      ValueError: the background is not finite, or not one number a column.
    """

    def __init__(self, rows: SparseRows, background: Any) -> None:
        self.rows = rows
        self.background = read_only(background, np.float64, "background")
        finite(self.background, "background")
        if len(self.background) != rows.n_columns:
            raise ValueError(f"background has {len(self.background)} entries; rows have {rows.n_columns} columns")
        rounded = self.background.astype(np.float32)
        self._order = np.argsort(-rounded, kind="stable").astype(np.int32)  # of equal ones the lower id first
        self._ascending = rounded[self._order[::-1]]

    @property
    def n_items(self) -> int:
        return self.rows.n_columns

    def top_k(
        self,
        queries: SparseRows,
        k: int,
        exclude: CSR | None = None,
        candidates: CSR | None = None,
        allow: Any = None,
        threads: int | None = None,
    ) -> Hits:
        """The k best items of each query.

        Args:
          queries: [B, R], which rows a query sums, with which weights.
          k: at least 1; may exceed V.
          exclude: CSR [B, V], items that are never hits.
          candidates: CSR [B, V], the only items that may be hits.
          allow: bool [V], the only items that may be hits.
          threads: None for all CPUs; the result does not depend on it.

        Raises:
          ValueError: shapes differ, or `k` is below 1.
        """
        self._check(queries)
        shape = (queries.n_rows, self.n_items)
        out = empty_rows(*shape) if exclude is None else exclude
        among = empty_rows(*shape) if candidates is None else candidates
        same_shape(out, shape, "exclude")
        same_shape(among, shape, "candidates")
        allowed = np.ones(0 if allow is None else self.n_items, bool)
        if allow is not None:
            allow = np.asarray(allow)
            if allow.shape != allowed.shape or allow.dtype != np.bool_:
                raise ValueError(f"allow is {allow.dtype} {allow.shape}; it must be bool ({self.n_items},)")
            allowed[:] = allow
        hits = no_hits(queries.n_rows, k)
        run_rows(
            top_k_rows,
            queries.n_rows,
            threads,
            *self._arrays(queries),
            self._order,
            out.indptr,
            out.indices,
            candidates is not None,
            among.indptr,
            among.indices,
            allowed,
            hits.ids,
            hits.scores,
            hits.count,
            min_rows=16,
        )
        return hits

    def rank_of(
        self, queries: SparseRows, targets: CSR, exclude: CSR | None = None, threads: int | None = None
    ) -> Ranks:
        """For each target of each query, how many candidates score more, and how many the same.

        Candidates are all items but the excluded ones; a target is always a candidate. See `rank_scores`.

        Args:
          queries: [B, R].
          targets: CSR [B, V].
          exclude: CSR [B, V] or None.
          threads: None for all CPUs; the result does not depend on it.

        Raises:
          ValueError: shapes differ.
        """
        self._check(queries)
        shape = (queries.n_rows, self.n_items)
        same_shape(targets, shape, "targets")
        out = empty_rows(*shape) if exclude is None else exclude
        same_shape(out, shape, "exclude")
        ranks = Ranks(np.zeros(len(targets), np.int32), np.zeros(len(targets), np.int32))
        run_rows(
            rank_rows,
            queries.n_rows,
            threads,
            *self._arrays(queries),
            self._ascending,
            targets.indptr,
            targets.indices,
            out.indptr,
            out.indices,
            ranks.greater,
            ranks.equal,
            min_rows=16,
        )
        return ranks

    def rank_at_times(
        self,
        queries: SparseRows,
        targets: Any,
        times: Any,
        available_from: Any,
        exclude: CSR | None = None,
        threads: int | None = None,
    ) -> Ranks:
        """For each query how many items that are out at its time score more than its target, and how many the same.

        Candidates are the items with `available_from[v] <= times[b]` that are not excluded; the target always is one.

        Args:
          queries: [B, R].
          targets: integers [B], an item each.
          times: int64 [B], in any unit.
          available_from: int64 [V], in that unit.
          exclude: CSR [B, V] or None.
          threads: None for all CPUs; the result does not depend on it.

        Raises:
          ValueError: shapes differ, or a target is no item.
        """
        self._check(queries)
        targets, times = read_only(targets, np.int64, "targets"), read_only(times, np.int64, "times")
        available_from = read_only(available_from, np.int64, "available_from")
        in_range(targets, 0, self.n_items, "targets", "items")
        if (len(targets), len(times), len(available_from)) != (queries.n_rows, queries.n_rows, self.n_items):
            raise ValueError(
                f"targets, times and available_from have {len(targets)}, {len(times)} and {len(available_from)} "
                f"entries; there are {queries.n_rows} queries and {self.n_items} items"
            )
        out = empty_rows(queries.n_rows, self.n_items) if exclude is None else exclude
        same_shape(out, (queries.n_rows, self.n_items), "exclude")
        by_release = np.argsort(available_from, kind="stable")
        n_out = np.searchsorted(available_from[by_release], times, side="right")
        ranks = Ranks(np.zeros(len(targets), np.int32), np.zeros(len(targets), np.int32))
        run_rows(
            rank_rows_at_times,
            queries.n_rows,
            threads,
            *self._arrays(queries),
            self._ascending,
            targets,
            times,
            available_from,
            self.background[by_release].astype(np.float32),
            n_out,
            out.indptr,
            out.indices,
            ranks.greater,
            ranks.equal,
            min_rows=16,
        )
        return ranks

    def scores_of(self, queries: SparseRows, items: CSR, threads: int | None = None) -> np.ndarray:
        """float32 [E]: the score of each entry of `items` (CSR [B, V]) for its query."""
        self._check(queries)
        same_shape(items, (queries.n_rows, self.n_items), "items")
        scores = np.empty(len(items), np.float32)
        run_rows(
            score_rows,
            queries.n_rows,
            threads,
            *self._arrays(queries),
            items.indptr,
            items.indices,
            scores,
            min_rows=16,
        )
        return scores

    def _check(self, queries: SparseRows) -> None:
        if queries.n_columns != self.rows.n_rows:
            raise ValueError(f"queries have {queries.n_columns} columns; there are {self.rows.n_rows} rows to sum")

    def _arrays(self, queries: SparseRows) -> tuple[np.ndarray, ...]:
        parts = (part for rows in (queries, self.rows) for part in (rows.starts, rows.stops, rows.indices, rows.values))
        return (*parts, self.background)
