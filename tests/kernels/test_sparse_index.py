"""Ranks and best items of sparse scores against those of the dense matrix: the same bits, ties and exclusions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu_kernels import CSR, SparseIndex, SparseRows, rank_scores, top_k_scores
from tests.helpers.jit import needs_jit

FEW = settings(deadline=None, max_examples=40)


def sparse_rows(rng, n_rows, n_columns, longest, values, repeats=False):
    """Rows of up to `longest` columns in any order, with unused entries between them."""
    starts, stops, indices, numbers = [], [], [], []
    for _ in range(n_rows):
        length = rng.integers(0, longest + 1)
        indices += rng.integers(0, n_columns, rng.integers(0, 3)).tolist()  # nobody's
        starts.append(len(indices))
        indices += (rng.integers(0, n_columns, length) if repeats else rng.permutation(n_columns)[:length]).tolist()
        stops.append(len(indices))
        numbers += rng.choice(values, len(indices) - len(numbers)).tolist()
    return SparseRows(starts, stops, np.array(indices, np.int64), np.array(numbers, np.float64), n_columns)


def random_csr(rng, n_rows, n_columns, share):
    rows, columns = np.nonzero(rng.random((n_rows, n_columns)) < share)
    return CSR.from_pairs(rows, columns, n_rows, n_columns)


def problem(seed, n_queries=6, n_rows=5, n_items=9):
    """Few values, so that many scores tie, with the background too."""
    rng = np.random.default_rng(seed)
    rows = sparse_rows(rng, n_rows, n_items, min(n_items, 6), [0.5, 1.0, 1.0, 2.0, -1.0])
    queries = sparse_rows(rng, n_queries, n_rows, 4, [1.0, 0.5, 0.5], repeats=True)
    background = rng.choice([0.0, 0.5, -0.25, 1.0], n_items)
    targets, exclude = (random_csr(rng, n_queries, n_items, 0.3) for _ in range(2))
    return rng, rows, queries, background, targets, exclude


def slow_sums(rows, queries):
    """The twin of `SparseRows.dense_sums`."""
    sums = np.zeros((queries.n_rows, rows.n_columns))
    for query in range(queries.n_rows):
        for source, weight in zip(*queries.row(query), strict=True):
            columns, values = rows.row(source)
            sums[query, columns] += weight * values
    return sums


def dense(rows, queries, background):
    return (background + slow_sums(rows, queries)).astype(np.float32)


def check(rows, queries, background, targets, exclude, k, threads=None):
    index, scores = SparseIndex(rows, background), dense(rows, queries, background)
    hits, expected = index.top_k(queries, k, exclude, threads=threads), top_k_scores(scores, k, exclude)
    for name in ("ids", "scores", "count"):
        np.testing.assert_array_equal(getattr(hits, name), getattr(expected, name))
    ranks, counted = index.rank_of(queries, targets, exclude, threads=threads), rank_scores(scores, targets, exclude)
    np.testing.assert_array_equal(ranks.greater, counted.greater)
    np.testing.assert_array_equal(ranks.equal, counted.equal)
    row = np.repeat(np.arange(queries.n_rows), targets.counts())
    np.testing.assert_array_equal(index.scores_of(queries, targets), scores[row, targets.indices])


@FEW
@given(seed=st.integers(0, 10**6), k=st.integers(1, 12), excluding=st.booleans())
def test_the_same_bits_as_the_dense_matrix(seed, k, excluding):
    _, rows, queries, background, targets, exclude = problem(seed)
    check(rows, queries, background, targets, exclude if excluding else None, k)


@needs_jit("a million sums one by one")
def test_real_numbers_too_at_any_number_of_threads():
    rng = np.random.default_rng(3)
    rows = sparse_rows(rng, 300, 2000, 200, rng.normal(size=50))
    queries = sparse_rows(rng, 200, 300, 30, rng.random(40), repeats=True)
    background = rng.normal(size=2000)
    targets, exclude = random_csr(rng, 200, 2000, 0.01), random_csr(rng, 200, 2000, 0.05)
    for threads in (1, 3):
        check(rows, queries, background, targets, exclude, 50, threads)


@FEW
@given(seed=st.integers(0, 10**6), among=st.booleans())
def test_candidates_and_allowed_items_are_the_only_ones(seed, among):
    rng, rows, queries, background, candidates, exclude = problem(seed)
    allow = rng.random(9) < 0.6
    out = np.zeros((queries.n_rows, 9), bool)
    if among:
        out[:] = True
        out[np.repeat(np.arange(queries.n_rows), candidates.counts()), candidates.indices] = False
    out |= ~allow
    out[np.repeat(np.arange(queries.n_rows), exclude.counts()), exclude.indices] = True
    expected = top_k_scores(dense(rows, queries, background), 4, CSR.from_pairs(*np.nonzero(out), queries.n_rows, 9))
    index = SparseIndex(rows, background)
    hits = index.top_k(queries, 4, exclude, candidates=candidates if among else None, allow=allow)
    np.testing.assert_array_equal(hits.ids, expected.ids)
    np.testing.assert_array_equal(hits.scores, expected.scores)


@FEW
@given(seed=st.integers(0, 10**6), excluding=st.booleans())
def test_ranks_among_what_is_out_at_a_time(seed, excluding):
    rng, rows, queries, background, _, exclude = problem(seed)
    targets, times, available_from = rng.integers(0, 9, 6), rng.integers(0, 10, 6), rng.integers(0, 10, 9)
    candidates = available_from <= times[:, None]
    if excluding:
        candidates[np.repeat(np.arange(6), exclude.counts()), exclude.indices] = False
    candidates[np.arange(6), targets] = True
    scores = dense(rows, queries, background)
    own = scores[np.arange(6), targets][:, None]
    out = exclude if excluding else None
    ranks = SparseIndex(rows, background).rank_at_times(queries, targets, times, available_from, out)
    assert ranks.greater.tolist() == ((scores > own) & candidates).sum(axis=1).tolist()
    assert ranks.equal.tolist() == ((scores == own) & candidates).sum(axis=1).tolist()


def test_rows_of_scipy_and_rows_that_are_taken():
    rows = SparseRows.from_csr([0, 2, 2, 3], [4, 1, 0], [1.0, 2.0, 3.0], 5)
    assert rows.n_rows == 3 and rows.row(0)[0].tolist() == [4, 1]
    taken = rows.take([2, 0, 2])
    assert [taken.row(row)[1].tolist() for row in range(3)] == [[3], [1, 2], [3]]
    queries = SparseRows.from_csr([0, 2], [0, 2], [10.0, 1.0], 3)
    assert queries.dense_sums(rows).tolist() == [[3, 20, 0, 0, 10]]
    with pytest.raises(ValueError, match="of has 2 rows; there are 3 columns"):
        queries.dense_sums(rows.take([0, 1]))


def test_dense_sums_equal_their_twin_at_any_number_of_threads():
    _, rows, queries, *_ = problem(3, n_queries=70, n_rows=30, n_items=50)
    for threads in (1, 3):
        np.testing.assert_array_equal(queries.dense_sums(rows, threads), slow_sums(rows, queries))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0], [1, 1], [0], [1.0], 2), ValueError, "starts has 1 entries and stops 2"),
        (([0], [1], [0], [1.0, 2.0], 2), ValueError, "indices has 1 entries and values 2"),
        (([0], [2], [0], [1.0], 2), ValueError, "row 0 runs from 0 to 2; there are 1 entries"),
        (([0], [1], [2], [1.0], 2), ValueError, r"indices\[0\] is 2; columns lie in \[0, 2\)"),
        (([0], [1], [0], [np.inf], 2), ValueError, r"values\[0\] is inf"),
        (([0], [1], [0], [1], 2), TypeError, "values is of type int64"),
    ],
)
def test_malformed_rows_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        SparseRows(*arguments)


def test_what_does_not_fit_is_refused():
    rows = SparseRows.from_csr([0, 1, 1], [2], [1.0], 3)
    with pytest.raises(ValueError, match="background has 2 entries; rows have 3 columns"):
        SparseIndex(rows, np.zeros(2))
    with pytest.raises(ValueError, match=r"background\[1\] is nan"):
        SparseIndex(rows, np.array([0, np.nan, 0]))
    index, queries = SparseIndex(rows, np.zeros(3)), SparseRows.from_csr([0, 1], [1], [1.0], 2)
    with pytest.raises(ValueError, match="queries have 3 columns; there are 2 rows to sum"):
        index.top_k(rows, 1)
    with pytest.raises(ValueError, match="k is 0"):
        index.top_k(queries, 0)
    with pytest.raises(ValueError, match="exclude has 2 rows and 3 columns; there are 1 queries and 3 items"):
        index.top_k(queries, 1, exclude=CSR([0, 0, 0], [], 3))
    with pytest.raises(ValueError, match=r"allow is int64 \(3,\); it must be bool"):
        index.top_k(queries, 1, allow=np.ones(3, np.int64))
    with pytest.raises(ValueError, match="have 1, 1 and 2 entries; there are 1 queries and 3 items"):
        index.rank_at_times(queries, [0], [0], [0, 0])
    with pytest.raises(ValueError, match=r"targets\[0\] is 3; items lie in"):
        index.rank_at_times(queries, [3], [0], [0, 0, 0])
