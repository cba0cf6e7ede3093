"""Ranks at a time: only items that are out then are candidates, and an item's score depends on its age."""

from typing import Any

import numpy as np

from mu_kernels._check import finite, in_range, read_only
from mu_kernels._dated_ranks import count_block, own_scores
from mu_kernels._index_checks import checked_bias, checked_norms
from mu_kernels.csr import CSR
from mu_kernels.ranks import Ranks, empty_rows, same_shape
from mu_kernels.threads import run_rows

QUERIES_PER_BLOCK = 512  # as in `_exact_ranks`
ITEMS_PER_BLOCK = 2048


def rank_at_times(
    queries: Any,
    vectors: Any,
    targets: Any,
    times: Any,
    available_from: Any,
    *,
    bias: Any = None,
    age_edges: Any = None,
    age_values: Any = None,
    newer_than: Any = None,
    exclude: CSR | None = None,
    threads: int | None = None,
) -> Ranks:
    """For each query how many candidates score more than its target, and how many the same, at the query's time.

        score(b, v) = queries[b] . vectors[v] + bias[v] + age_values[s],
        s the number of age_edges that are at most times[b] - available_from[v].

    A score is the float32 nearest to the sum in float64, as in `ItemIndex`: float32 products with a bound on their
    error decide most comparisons, and the rest are scored in float64. Candidates of a query are the items that are out
    at its time (`available_from[v] <= times[b]`), newer than `newer_than[b]` where that is given, and not excluded; the
    target always is one.

    Items are counted in the order of their release, so that an age step is a range of items: time as for the matrix
    product of queries and vectors (NumPy's BLAS, with threads of its own); memory 4 MiB, 4 D + 16 bytes an item and
    8 bytes a query and age step.

    Args:
      queries: floating-point [B, D], used as float32.
      vectors: floating-point [V, D], used as float32.
      targets: integers [B], an item each.
      times: int64 [B], in any unit.
      available_from: int64 [V], in that unit.
      bias: floating-point [V] or None.
      age_edges: int64 [S], ascending, in that unit; None for scores that do not depend on age.
      age_values: floating-point [S + 1], used as float32; with `age_edges`, and only then.
      newer_than: int64 [B] or None: only items with `available_from[v] > newer_than[b]` are candidates.
      exclude: one row per query, V columns: items that are not ranked.
      threads: of the counting; None for all CPUs. The result does not depend on it.

    Raises:
      TypeError: an array holds another kind of values.
      ValueError: shapes differ, a number is not finite, a vector is longer than 1e18, or `age_edges` do not ascend.
    """
    queries, vectors = read_only(queries, np.float32, "queries", 2), read_only(vectors, np.float32, "vectors", 2)
    n_queries, n_items = len(queries), len(vectors)
    if queries.shape[1] != vectors.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} features; vectors have {vectors.shape[1]}")
    checked_norms(queries, "queries", 1)
    largest_norm = checked_norms(vectors, "vectors", threads)
    targets, times = read_only(targets, np.int64, "targets"), read_only(times, np.int64, "times")
    in_range(targets, 0, n_items, "targets", "items")
    available_from = read_only(available_from, np.int64, "available_from")
    since = None if newer_than is None else read_only(newer_than, np.int64, "newer_than")
    for name, array, size in (
        ("targets", targets, n_queries),
        ("times", times, n_queries),
        ("newer_than", since, n_queries),
        ("available_from", available_from, n_items),
    ):
        if array is not None and len(array) != size:
            raise ValueError(f"{name} has {len(array)} entries; there are {n_queries} queries and {n_items} items")
    bias = np.zeros(0, np.float32) if bias is None else checked_bias(bias, n_items)
    edges, values = _age_steps(age_edges, age_values)
    exclude = empty_rows(n_queries, n_items) if exclude is None else exclude
    same_shape(exclude, (n_queries, n_items), "exclude")

    order = np.argsort(available_from, kind="stable")
    position = np.empty(n_items, np.int64)
    position[order] = np.arange(n_items)
    released, by_release = available_from[order], vectors[order]
    bias_by_release = bias[order] if len(bias) else bias
    own = np.empty(n_queries, np.float32)
    target_steps = np.searchsorted(edges, times - available_from[targets], side="right")
    own_arrays = (queries, by_release, bias_by_release, position[targets], values[target_steps], own)
    run_rows(own_scores, n_queries, threads, *own_arrays)
    # Of any order of a float32 sum, as in `_exact_ranks`.
    dim = vectors.shape[1]
    error = (dim + 8) * 2.0**-23 * np.sqrt(np.square(queries, dtype=np.float64).sum(1)) * largest_norm
    error += (dim + 8) * 2.0**-149
    if len(bias):
        error += 2.0**-22 * np.abs(bias).max(initial=0)
    ranks = Ranks(np.zeros(n_queries, np.int32), np.ones(n_queries, np.int32))
    for first in range(0, n_queries, QUERIES_PER_BLOCK):
        rows = slice(first, min(first + QUERIES_PER_BLOCK, n_queries))
        # The items of step s lie in bounds[:, s + 1] to bounds[:, s]: the older, the further to the front.
        thresholds = times[rows, None] - edges
        bounds = np.empty((rows.stop - first, len(edges) + 2), np.int64)
        bounds[:, 0] = np.searchsorted(released, times[rows], side="right")
        bounds[:, 1:-1] = np.searchsorted(released, thresholds, side="right")
        bounds[:, -1] = 0
        np.minimum(bounds, bounds[:, :1], out=bounds)
        if since is not None:
            np.maximum(bounds, np.searchsorted(released, since[rows], side="right")[:, None], out=bounds)
        part = exclude.take(np.arange(first, rows.stop))
        excluded = CSR.from_pairs(
            np.repeat(np.arange(part.n_rows), part.counts()), position[part.indices], part.n_rows, n_items
        )
        lists = (excluded.indptr, excluded.indices, position[targets[rows]])
        for first_item in range(0, n_items, ITEMS_PER_BLOCK):
            stop_item = min(first_item + ITEMS_PER_BLOCK, n_items)
            scores = queries[rows] @ by_release[first_item:stop_item].T
            if len(bias):
                scores += bias_by_release[first_item:stop_item]
            arrays = (scores, first_item, error[rows], by_release, bias_by_release, queries[rows], bounds, values)
            out = (own[rows], ranks.greater[rows], ranks.equal[rows])
            run_rows(count_block, rows.stop - first, threads, *arrays, *lists, *out, min_rows=4)
    return ranks


def _age_steps(age_edges: Any, age_values: Any) -> tuple[np.ndarray, np.ndarray]:
    """(int64 [S], float32 [S + 1]), checked; no edge and a value of 0 where scores do not depend on age."""
    if (age_edges is None) != (age_values is None):
        raise ValueError("age_edges and age_values go together: one is missing")
    if age_edges is None:
        return np.zeros(0, np.int64), np.zeros(1, np.float32)
    edges, values = read_only(age_edges, np.int64, "age_edges"), read_only(age_values, np.float32, "age_values")
    finite(values, "age_values")
    if len(values) != len(edges) + 1:
        raise ValueError(f"age_values has {len(values)} entries and age_edges {len(edges)}; there is one value more")
    if (np.diff(edges) <= 0).any():
        raise ValueError(f"age_edges[{int(np.argmax(np.diff(edges) <= 0)) + 1}] is not above the edge before it")
    return edges, values
