"""Items as vectors: the best items of each query, and the ranks of given ones, over the whole catalogue."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from mu_kernels._check import finite, read_only
from mu_kernels.csr import CSR
from mu_kernels.ranks import Ranks, count_block, gather_block, same_shape
from mu_kernels.topk import Hits, excluded_rows, no_hits, order_hits, select_block

# A block of scores is 4 MiB: many queries, so that BLAS packs each block of items once for all of them, and
# few items, so that the scores are still in the cache when the selection reads them. Best of eight shapes
# tried at D = 128 (512 x 2048: 0.75 s of one core for 1,024 queries x 262,144 items, 128 x 4096: 0.97 s; the
# products alone 0.55 s).
QUERIES_PER_BLOCK = 512
ITEMS_PER_BLOCK = 2048


class ItemIndex:
    """Items as vectors; a query's score of an item is `query . vector + bias`.

    Scores are float32, from one matrix product per block of 512 queries by 2,048 items (NumPy's BLAS, with
    threads of its own), and the answers are exact for these scores. `top_k` and `rank_of` see the same
    scores for the same queries. The last bits of a score may depend on which other queries are in the call,
    as with any BLAS.

    Args:
      vectors: floating-point [N, D], held as float32 (in place where they already are).
      bias: floating-point [N] or None, added to every query's scores.

    Raises:
      ValueError: shapes differ, or a number is NaN or infinite; names where.
    """

    def __init__(self, vectors: Any, bias: Any = None) -> None:
        self.vectors = read_only(vectors, np.float32, "vectors", 2)
        finite(self.vectors, "vectors")
        self.bias = None
        if bias is not None:
            self.bias = read_only(bias, np.float32, "bias")
            finite(self.bias, "bias")
            if len(self.bias) != len(self.vectors):
                raise ValueError(f"bias has {len(self.bias)} entries; there are {len(self.vectors)} vectors")

    @property
    def n_items(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        return self.vectors.shape[1]

    def top_k(self, queries: Any, k: int, exclude: CSR | None = None, threads: int | None = None) -> Hits:
        """The k best items of each query.

        Args:
          queries: floating-point [B, D], used as float32.
          k: at least 1; may exceed N.
          exclude: one row per query, N columns: items that are never hits.
          threads: of the selection; None for all CPUs. The result does not depend on it.

        Raises:
          ValueError: shapes differ, `k` is below 1, a query is not finite, or a score overflows to NaN.
        """
        queries = self._queries(queries)
        exclude = excluded_rows(exclude, (len(queries), self.n_items))
        hits = no_hits(len(queries), k)
        for first, stop in _ranges(len(queries), QUERIES_PER_BLOCK):
            part = Hits(hits.ids[first:stop], hits.scores[first:stop], hits.count[first:stop])
            part_exclude = exclude.take(np.arange(first, stop))
            for first_item, scores in self._blocks(queries[first:stop], None):
                select_block(scores, first_item, part_exclude, part, threads)
        order_hits(hits, threads)
        return hits

    def rank_of(self, queries: Any, targets: CSR, exclude: CSR | None = None, threads: int | None = None) -> Ranks:
        """Where given items stand in each query's full order, as `rank_scores` counts it, in bounded memory.

        Args:
          queries: floating-point [B, D], used as float32.
          targets: one row per query, N columns.
          exclude: one row per query, N columns: items that are not ranked; targets always are.
          threads: of the counting; None for all CPUs. The result does not depend on it.

        Raises:
          ValueError: shapes differ, a query is not finite, or a score overflows to NaN.
        """
        queries = self._queries(queries)
        same_shape(targets, (len(queries), self.n_items), "targets")
        exclude = excluded_rows(exclude, (len(queries), self.n_items))
        ranks = Ranks(np.zeros(len(targets), np.int32), np.zeros(len(targets), np.int32))
        for first, stop in _ranges(len(queries), QUERIES_PER_BLOCK):
            rows = np.arange(first, stop)
            part_targets, part_exclude = targets.take(rows), exclude.take(rows)
            entries = slice(targets.indptr[first], targets.indptr[stop])
            part = Ranks(ranks.greater[entries], ranks.equal[entries])
            own = np.empty(len(part_targets), np.float32)
            # Two passes over the same products, because a target's score must be known before others are
            # counted.
            held = np.unique(part_targets.indices // ITEMS_PER_BLOCK)
            for first_item, scores in self._blocks(queries[first:stop], held):
                gather_block(scores, first_item, part_targets, own, threads)
            for first_item, scores in self._blocks(queries[first:stop], None):
                count_block(scores, first_item, part_targets, part_exclude, own, part, threads)
        return ranks

    def _queries(self, queries: Any) -> np.ndarray:
        queries = read_only(queries, np.float32, "queries", 2)
        if queries.shape[1] != self.dim:
            raise ValueError(f"queries have {queries.shape[1]} features; vectors have {self.dim}")
        finite(queries, "queries")
        return queries

    def _blocks(self, queries: np.ndarray, wanted: np.ndarray | None) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (first item, scores [b, v]) for the blocks `wanted` (None: all); a buffer that is reused."""
        buffer = np.empty((len(queries), ITEMS_PER_BLOCK), np.float32)
        for block, (first, stop) in enumerate(_ranges(self.n_items, ITEMS_PER_BLOCK)):
            if wanted is not None and block not in wanted:
                continue
            # The last block is short and gets its own array, so that kernels always see contiguous rows.
            width = stop - first
            scores = buffer if width == ITEMS_PER_BLOCK else np.empty((len(queries), width), np.float32)
            with np.errstate(over="ignore", invalid="ignore"):  # an overflow to NaN is refused below, by place
                np.matmul(queries, self.vectors[first:stop].T, out=scores)
                if self.bias is not None:
                    scores += self.bias[first:stop]
            yield first, read_only(scores, np.float32, "scores", 2)


def _ranges(n: int, size: int) -> list[tuple[int, int]]:
    return [(first, min(first + size, n)) for first in range(0, n, size)]
