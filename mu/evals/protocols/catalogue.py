"""Ranks of targets and the best items of users over the whole catalogue, by dot products, sparse rows or all scores."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, Self

import numpy as np

from mu.protocols import DotProductRecommender, Log, Recommender, SparseRecommender
from mu_kernels import CSR, ItemIndex, SparseIndex, rank_scores, top_k_scores

# Scores of so many bytes at once: a thousand users of a catalogue of 16,000, sixteen of one of a million.
BLOCK_BYTES = 64 << 20
# Users whose queries are ranked at once.
QUERY_BLOCK = 4096


class Histories(Log, Protocol):
    """The plays of users that recommenders see; `mu.data.logs.interactions.Interactions` is one."""

    @property
    def n_users(self) -> int: ...

    def take(self, users: np.ndarray) -> Self:
        """The rows of `users`, as a log of `len(users)` rows."""
        ...


def of_dot_products(
    recommender: DotProductRecommender,
    users: np.ndarray,
    histories: Histories,
    targets: CSR,
    exclude: CSR | None,
    k: int,
    *,
    users_per_block: int | None = None,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exact ranks and lists of a `mu.protocols.DotProductRecommender`; no matrix of users by items is made.

    Args:
      recommender: with queries, item vectors and bias.
      users: int64 [n].
      histories: log of all users.
      targets: CSR [n, V].
      exclude: CSR [n, V] or None, items that are not ranked.
      k: length of the lists; 0 for none.
      users_per_block: users at once; None for a default.
      threads: of the kernels; None for all CPUs.

    Returns:
      (greater int32 [E], equal int32 [E] of the targets, items int32 [n, k]: best first, -1 past the last).
    """
    index = ItemIndex(recommender.item_vectors, bias=recommender.item_bias(), threads=threads)

    def queries(rows: np.ndarray) -> np.ndarray:
        return user_queries(recommender, users[rows], histories)

    return _of_index(index, queries, targets, exclude, k, users_per_block, threads)


def of_sparse_rows(
    recommender: SparseRecommender,
    users: np.ndarray,
    histories: Histories,
    targets: CSR,
    exclude: CSR | None,
    k: int,
    *,
    users_per_block: int | None = None,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exact ranks and lists of a `mu.protocols.SparseRecommender`; no matrix of users by items is made.

    Args and results are those of `of_dot_products`.
    """
    index = SparseIndex(recommender.sparse_rows, recommender.background)

    def queries(rows: np.ndarray) -> Any:
        return recommender.sparse_queries(users[rows], histories.take(users[rows]))

    return _of_index(index, queries, targets, exclude, k, users_per_block, threads)


def _of_index(
    index: ItemIndex | SparseIndex,
    queries_of: Callable[[np.ndarray], Any],
    targets: CSR,
    exclude: CSR | None,
    k: int,
    users_per_block: int | None,
    threads: int | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ranks and lists by an index; `queries_of` gives the queries of some rows of the targets."""
    greater, equal = np.empty((2, len(targets)), np.int32)
    items = np.empty((targets.n_rows, k), np.int32)
    for rows, where, mine, out in _blocks(targets, exclude, users_per_block or QUERY_BLOCK):
        queries = queries_of(rows)
        ranks = index.rank_of(queries, mine, out, threads=threads)
        greater[where], equal[where] = ranks.greater, ranks.equal
        if k:
            items[rows] = index.top_k(queries, k, out, threads=threads).ids
    return greater, equal, items


def of_scores(
    recommender: Recommender,
    users: np.ndarray,
    histories: Histories,
    targets: CSR,
    exclude: CSR | None,
    k: int,
    *,
    users_per_block: int | None = None,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ranks and lists of any `mu.protocols.Recommender`, whose scores are taken block by block.

    Args and results are those of `of_dot_products`.
    """
    greater, equal = np.empty((2, len(targets)), np.int32)
    items = np.empty((len(users), k), np.int32)
    block = users_per_block or max(BLOCK_BYTES // (4 * max(targets.n_columns, 1)), 1)
    for rows, where, mine, out in _blocks(targets, exclude, block):
        scores = user_scores(recommender, users[rows], histories.take(users[rows]), targets.n_columns)
        ranks = rank_scores(scores, mine, out, threads=threads)
        greater[where], equal[where] = ranks.greater, ranks.equal
        if k:
            items[rows] = top_k_scores(scores, k, out, threads=threads).ids
    return greater, equal, items


def user_queries(recommender: DotProductRecommender, users: np.ndarray, histories: Histories) -> np.ndarray:
    """float32 [B, D]: the queries of these users.

    Raises:
      ValueError: they are not float32 of the vectors' width, or not finite; names the user.
    """
    queries = np.asarray(recommender.queries(users, histories.take(users)))
    expected = (len(users), recommender.item_vectors.shape[1])
    if queries.shape != expected or queries.dtype != np.float32:
        raise ValueError(
            f"{type(recommender).__name__}.queries gave {queries.dtype} {queries.shape} for {len(users)} users; "
            f"it must give float32 {expected}"
        )
    finite = np.isfinite(queries).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"{type(recommender).__name__} gives user {users[np.argmin(finite)]} a query that is not finite"
        )
    return queries


def user_scores(
    recommender: Recommender, users: np.ndarray, histories: Log, n_items: int, times_ms: np.ndarray | None = None
) -> np.ndarray:
    """float32 [B, V]: scores of a recommender, checked.

    Args:
      recommender: `mu.protocols.Recommender`.
      users: int64 [B].
      histories: log of B rows, those of `users`.
      n_items: V.
      times_ms: int64 [B], for a recommender that is time-aware; else None.

    Raises:
      ValueError: they are not float32 [B, V], or one is NaN; names the user and the item.
    """
    if times_ms is None:
        scores = np.asarray(recommender.scores(users, histories))
    else:
        scores = np.asarray(recommender.scores(users, histories, times_ms))
    expected = (len(users), n_items)
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
            f"{type(recommender).__name__} scores item {item} NaN for user {users[row]}; a NaN has no place in an order"
        )
    return scores


def _blocks(targets: CSR, exclude: CSR | None, block: int) -> Iterator[tuple[np.ndarray, slice, CSR, CSR | None]]:
    """(rows, the places of their targets, their targets, their excluded items) of each block."""
    for start in range(0, targets.n_rows, block):
        rows = np.arange(start, min(start + block, targets.n_rows))
        where = slice(targets.indptr[start], targets.indptr[rows[-1] + 1])
        yield rows, where, targets.take(rows), None if exclude is None else exclude.take(rows)
