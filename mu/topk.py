"""The best items of listeners, and the items most like an item, exactly: functions, and a class that has them."""

import weakref
from typing import Any, NamedTuple, cast

import numpy as np

from mu.histories import TrackHistories
from mu.protocols import DotProductRecommender, Histories, Recommender, SparseRecommender, as_sparse
from mu_kernels import CSR, Hits, ItemIndex, SparseIndex, SparseRows, top_k_scores

NOBODY = -1
"""A listener outside the log."""
BLOCK = 256
"""Dense scores of so many listeners are in memory at once."""
ItemIds = Any
"""Item ids [n], the same for all rows; or a `mu_kernels.CSR` with a row for each."""


def recommend(
    recommender: Recommender,
    users: Any,
    histories: Histories,
    k: int = 10,
    *,
    filter_already_played: bool = True,
    candidates: ItemIds | None = None,
    exclude: ItemIds | None = None,
    time_ms: int | None = None,
) -> Hits:
    """The k best items of each listener, best first; ties go to the lower id.

    Dot products are searched by `mu_kernels.ItemIndex`, sparse scores by `mu_kernels.SparseIndex`, without a matrix of
    listeners by items. Of a `TopKRecommender` whose vectors are read-only, or whose scores are sparse, the index is
    kept for the next call.

    Args:
      recommender: whose scores they are.
      users: int [B], ids in the training log; -1 for a listener outside it.
      histories: B rows, what these listeners have played: `log.take(users)`.
      k: how many, at most; a whole number, at least 1.
      filter_already_played: whether the items of a history are left out.
      candidates: the only items that may be recommended; None for all.
      exclude: items that may not be recommended.
      time_ms: the moment for which a time-aware recommender is asked, unix milliseconds; None for the end of the
        training log.

    Returns:
      ids int32 [B, k], scores float32 [B, k] and count int32 [B]: below k where fewer items are left, and then ids
      are -1 and scores -inf.

    Raises:
      ValueError: there are not as many histories as listeners, an item is outside the catalogue, a user is outside the
        log, or `k` is wrong.
    """
    refuse_other_k(k)
    users = np.atleast_1d(np.asarray(users, np.int64))
    if len(histories.indptr) - 1 != len(users):
        raise ValueError(
            f"there are {len(users):,} users and {len(histories.indptr) - 1:,} histories; of a whole log take "
            "those of the users: log.take(users)"
        )
    for name, rows in (("candidates", candidates), ("exclude", exclude)):
        if isinstance(rows, CSR) and rows.n_rows != len(users):
            raise ValueError(f"{name} has {rows.n_rows:,} rows for {len(users):,} users")
    if (users < NOBODY).any():
        raise ValueError(f"users has {users[users < NOBODY][0]}; a user is a row of the log, or -1 for none of it")
    played = histories if filter_already_played else None
    _check_ids(histories.items, _catalogue_size(recommender, time_ms), "histories")
    if recommender.dot_product:
        product = cast(DotProductRecommender, recommender)
        vectors, bias = product.item_vectors, bias_at(product, time_ms)
        choice = _choice(len(users), len(vectors), candidates, exclude, played)
        return _search(_index_of(recommender, vectors, bias), product.queries(users, histories), k, choice)
    if (sparse := as_sparse(recommender)) is not None:
        index, times = _sparse_index_of(sparse), _times(recommender, len(users), time_ms)
        choice = _choice(len(users), index.n_items, candidates, exclude, played)
        return _search(index, sparse.sparse_queries(users, histories, times), k, choice)
    return _dense_top_k(recommender, users, histories, k, candidates, exclude, played, time_ms)


def similar_items(
    recommender: Recommender,
    items: Any,
    k: int = 10,
    *,
    candidates: ItemIds | None = None,
    exclude: ItemIds | None = None,
) -> Hits:
    """The k items most like each item, best first; never the item itself.

    The score is the cosine of the items' vectors where scores are dot products, else the score for a listener
    outside the log who has played this item alone: a recommender that looks at no history, such as popularity,
    gives all items the same.

    Args:
      recommender: whose scores they are.
      items: int [B].
      k: how many, at most.
      candidates: see `recommend`.
      exclude: see `recommend`.

    Returns:
      As `recommend`.

    Raises:
      ValueError: an id is outside the catalogue, or `k` is wrong.
    """
    refuse_other_k(k)
    items = np.atleast_1d(np.asarray(items, np.int64))
    alone = TrackHistories(np.arange(len(items) + 1, dtype=np.int64), items.astype(np.int32))
    _check_ids(items, _catalogue_size(recommender, None), "items")
    nobody = np.full(len(items), NOBODY, np.int64)
    if (sparse := as_sparse(recommender)) is not None:
        index = _sparse_index_of(sparse)
        choice = _choice(len(items), index.n_items, candidates, exclude, alone)
        return _search(index, sparse.sparse_queries(nobody, alone), k, choice)
    if not recommender.dot_product:
        return _dense_top_k(recommender, nobody, alone, k, candidates, exclude, alone, None)
    vectors = cast(DotProductRecommender, recommender).item_vectors
    choice = _choice(len(items), len(vectors), candidates, exclude, alone)
    return _search(_index_of(recommender, vectors, None, unit=True), _unit(vectors[items]), k, choice)


class TopKRecommender:
    """`recommend` and `similar_items` as methods of a class that has what `mu.protocols.Recommender` says."""

    recommend = recommend
    similar_items = similar_items


def bias_at(recommender: DotProductRecommender, time_ms: int | None) -> np.ndarray | None:
    """float32 [V], or None: what is added to the scores of all items at a time; None for the end of training."""
    if time_ms is None or not recommender.time_aware:
        return recommender.item_bias()
    bias = recommender.item_bias(np.array([time_ms]))
    return None if bias is None else bias[0]


def _catalogue_size(recommender: Recommender, time_ms: int | None) -> int:
    """The number of items that a recommender scores."""
    if recommender.dot_product:
        return len(cast(DotProductRecommender, recommender).item_vectors)
    if (sparse := as_sparse(recommender)) is not None:
        return len(sparse.background)
    nobody = np.zeros(0, np.int64)
    empty = TrackHistories(np.zeros(1, np.int64), np.zeros(0, np.int32))
    return recommender.scores(nobody, cast(Any, empty), _times(recommender, 0, time_ms)).shape[1]


def _times(recommender: Recommender, n: int, time_ms: int | None) -> np.ndarray | None:
    """int64 [n]: a moment for each listener, where the recommender takes any."""
    return np.full(n, time_ms, np.int64) if recommender.time_aware and time_ms is not None else None


def refuse_other_k(k: Any) -> None:
    """Raises ValueError where `k` is no number of items."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k is {k!r}; it must be a whole number of at least 1")


class _Kept(NamedTuple):
    """An index, the vectors that it is of, and a copy of the bias that it has."""

    vectors: np.ndarray
    bias: np.ndarray | None
    index: ItemIndex


_INDICES: dict[tuple[int, bool], _Kept] = {}
"""(id of a recommender that is still there, whether its vectors are scaled to unit length) -> the latest index."""


def _index_of(recommender: Recommender, vectors: np.ndarray, bias: np.ndarray | None, unit: bool = False) -> ItemIndex:
    """An index of the recommender's item vectors; with `unit`, of the vectors scaled to unit length."""
    key = (id(recommender), unit)
    kept = _INDICES.get(key)
    if kept is not None and kept.vectors is vectors and np.array_equal(cast(Any, kept.bias), cast(Any, bias)):
        return kept.index
    index = ItemIndex(_unit(vectors) if unit else vectors, bias=bias)
    # Vectors that somebody can write to may change. Of other classes there may be no weak references.
    if isinstance(recommender, TopKRecommender) and not vectors.flags.writeable:
        if kept is None:
            weakref.finalize(recommender, _INDICES.pop, key, None)
        _INDICES[key] = _Kept(vectors, None if bias is None else bias.copy(), index)
    return index


class _KeptSparse(NamedTuple):
    """An index, and the rows and the background that it is of."""

    rows: SparseRows
    background: np.ndarray
    index: SparseIndex


_SPARSE_INDICES: dict[int, _KeptSparse] = {}
"""Id of a recommender that is still there -> its latest index."""


def _sparse_index_of(recommender: SparseRecommender) -> SparseIndex:
    """An index of the recommender's rows and background."""
    kept, rows, background = _SPARSE_INDICES.get(id(recommender)), recommender.sparse_rows, recommender.background
    if kept is not None and kept.rows is rows and kept.background is background:
        return kept.index
    index = SparseIndex(rows, background)
    if isinstance(recommender, TopKRecommender):
        if kept is None:
            weakref.finalize(recommender, _SPARSE_INDICES.pop, id(recommender), None)
        _SPARSE_INDICES[id(recommender)] = _KeptSparse(rows, background, index)
    return index


def _unit(vectors: np.ndarray) -> np.ndarray:
    """float32 [n, D]: vectors of length 1; zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)


class _Choice(NamedTuple):
    """Which items may be recommended: those of `allow` and of `candidates`, without those of `exclude`."""

    allow: np.ndarray | None
    candidates: CSR | None
    exclude: CSR | None


def _choice(
    n_rows: int, n_items: int, candidates: ItemIds | None, exclude: ItemIds | None, played: Histories | None
) -> _Choice:
    """What the arguments of `recommend` leave, of `n_items` items for `n_rows` listeners."""
    allow = None
    if candidates is not None and not isinstance(candidates, CSR):
        allow = np.zeros(n_items, bool)
        allow[_check_ids(candidates, n_items, "candidates")] = True
    if exclude is not None and not isinstance(exclude, CSR):
        allow = np.ones(n_items, bool) if allow is None else allow
        allow[_check_ids(exclude, n_items, "exclude")] = False
    excluded = exclude if isinstance(exclude, CSR) else None
    if played is not None:
        rows = np.repeat(np.arange(n_rows, dtype=np.int64), np.diff(played.indptr))
        seen = CSR.from_pairs(rows, played.items, n_rows, n_items)
        excluded = seen if excluded is None else excluded.union(seen)
    return _Choice(allow, candidates if isinstance(candidates, CSR) else None, excluded)


def _search(index: ItemIndex | SparseIndex, queries: Any, k: int, choice: _Choice) -> Hits:
    """The best items of each query in an index."""
    return index.top_k(queries, k, exclude=choice.exclude, candidates=choice.candidates, allow=choice.allow)


def _dense_top_k(
    recommender: Recommender,
    users: np.ndarray,
    histories: Any,
    k: int,
    candidates: ItemIds | None,
    exclude: ItemIds | None,
    played: Any,
    time_ms: int | None,
) -> Hits:
    """The best items of each listener by dense scores, a block of listeners at a time."""
    blocks = []
    for start in range(0, max(len(users), 1), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(users)))
        some = histories.take(rows)
        scores = recommender.scores(users[rows], some, _times(recommender, len(rows), time_ms))
        n_items = scores.shape[1]
        choice = _choice(
            len(rows), n_items, _of_rows(candidates, rows), _of_rows(exclude, rows), None if played is None else some
        )
        blocks.append(top_k_scores(scores, k, exclude=_all_excluded(choice, scores.shape)))
    ids, scores, count = (np.concatenate([getattr(one, name) for one in blocks]) for name in ("ids", "scores", "count"))
    return Hits(ids, scores, count)


def _of_rows(items: ItemIds | None, rows: np.ndarray) -> ItemIds | None:
    """The part of `candidates` or `exclude` that some rows have."""
    return items.take(rows) if isinstance(items, CSR) else items


def _all_excluded(choice: _Choice, shape: tuple[int, int]) -> CSR | None:
    """All that may not be recommended, as `exclude` of `top_k_scores`."""
    if choice.allow is None and choice.candidates is None:
        return choice.exclude
    out = np.zeros(shape, bool)
    if choice.candidates is not None:
        out[:] = True
        out[np.repeat(np.arange(shape[0]), choice.candidates.counts()), choice.candidates.indices] = False
    if choice.allow is not None:
        out |= ~choice.allow
    rows, columns = np.nonzero(out)
    excluded = CSR.from_pairs(rows, columns, *shape)
    return excluded if choice.exclude is None else excluded.union(choice.exclude)


def _check_ids(ids: Any, n_items: int, name: str) -> np.ndarray:
    """Item ids as int64; raises ValueError where one is outside the catalogue."""
    ids = np.asarray(ids, np.int64)
    outside = (ids < 0) | (ids >= n_items)
    if outside.any():
        raise ValueError(f"{name} has {ids[outside][0]}; the catalogue has the items 0 to {n_items - 1:,}")
    return ids
