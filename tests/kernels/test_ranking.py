"""Top-k and ranks against their slow twins, with ties, exclusions and more asked for than there is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu_kernels import CSR, ItemIndex, rank_scores, top_k_scores
from tests.helpers import naive
from tests.helpers.jit import needs_jit

LARGE = needs_jit("millions of scores are looked at one by one")
FEW = settings(deadline=None, max_examples=30)


@st.composite
def ranking_problems(draw):
    """Scores with many ties (and infinities), targets and exclusions that overlap."""
    n_queries, n_items = draw(st.integers(0, 4)), draw(st.integers(1, 12))
    values = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 0.5, 2.0, np.inf])
    scores = [draw(st.lists(values, min_size=n_items, max_size=n_items)) for _ in range(n_queries)]
    sets = st.sets(st.integers(0, n_items - 1))
    targets, exclude = ([sorted(draw(sets)) for _ in range(n_queries)] for _ in range(2))
    return np.array(scores, np.float32).reshape(n_queries, n_items), targets, exclude


def to_csr(lists, n_columns):
    rows = np.repeat(np.arange(len(lists)), [len(items) for items in lists])
    return CSR.from_pairs(rows, np.array([i for items in lists for i in items], int), len(lists), n_columns)


def random_csr(rng, n_rows, n_columns, n_pairs):
    return CSR.from_pairs(rng.integers(0, n_rows, n_pairs), rng.integers(0, n_columns, n_pairs), n_rows, n_columns)


@FEW
@given(ranking_problems(), st.integers(1, 14))
def test_top_k_and_ranks_equal_their_twins(problem, k):
    scores, targets, exclude = problem
    n_items = scores.shape[1]
    out = to_csr(exclude, n_items)
    hits = top_k_scores(scores, k, exclude=out)
    for row, expected in enumerate(naive.top_k(scores, k, exclude)):
        count = hits.count[row]
        assert hits.ids[row, :count].tolist() == expected.tolist()
        assert hits.scores[row, :count].tolist() == scores[row, expected].tolist()
        assert (hits.ids[row, count:] == -1).all() and np.isneginf(hits.scores[row, count:]).all()
    ranks = rank_scores(scores, to_csr(targets, n_items), exclude=out)
    greater, equal = naive.rank_scores(scores, targets, exclude)
    assert ranks.greater.tolist() == greater.tolist() and ranks.equal.tolist() == equal.tolist()


@LARGE
@pytest.mark.parametrize(("n_items", "k"), [(3, 5), (2048, 20), (5001, 1), (5001, 700)])
def test_the_index_in_blocks_equals_one_matrix(n_items, k):
    """Small integers make every product exact, so the blocks must give what one matrix gives, ties too."""
    rng = np.random.default_rng(n_items)
    vectors = rng.integers(-3, 4, (n_items, 6)).astype(np.float32)
    queries = rng.integers(-3, 4, (600, 6)).astype(np.float32)
    bias = rng.integers(-3, 4, n_items).astype(np.float32)
    exclude, targets = random_csr(rng, 600, n_items, 9000), random_csr(rng, 600, n_items, 2000)
    scores = queries @ vectors.T + bias
    index = ItemIndex(vectors, bias)
    for threads in (1, 3):
        hits, expected = index.top_k(queries, k, exclude, threads=threads), top_k_scores(scores, k, exclude, threads)
        np.testing.assert_array_equal(hits.ids, expected.ids)
        np.testing.assert_array_equal(hits.scores, expected.scores)
        np.testing.assert_array_equal(hits.count, np.minimum(k, n_items - exclude.counts()))
        ranks, counted = (
            index.rank_of(queries, targets, exclude, threads=threads),
            rank_scores(scores, targets, exclude),
        )
        np.testing.assert_array_equal(ranks.greater, counted.greater)
        np.testing.assert_array_equal(ranks.equal, counted.equal)


@LARGE
def test_rank_of_a_hit_is_its_place():
    """Real-valued vectors: both see the same scores, so hit number r has r candidates above it."""
    rng = np.random.default_rng(2)
    index = ItemIndex(rng.standard_normal((5000, 16)), rng.standard_normal(5000))
    queries = rng.standard_normal((600, 16))
    exclude = random_csr(rng, 600, 5000, 4000)
    hits = index.top_k(queries, 50, exclude)
    place = rng.integers(0, 50, 600)
    targets = CSR(np.arange(601), hits.ids[np.arange(600), place], 5000)
    ranks = index.rank_of(queries, targets, exclude)
    assert (ranks.greater <= place).all() and (place < ranks.greater + ranks.equal).all()
    wide = queries.astype(np.float32) @ index.vectors.T + index.bias
    np.testing.assert_allclose(hits.scores, np.take_along_axis(wide, hits.ids, 1), rtol=1e-4, atol=1e-5)


def test_a_constant_scorer_ties_with_every_candidate():
    targets = CSR([0, 2, 3], [1, 4, 0], 6)
    exclude = CSR([0, 2, 2], [4, 5], 6)
    ranks = rank_scores(np.zeros((2, 6), np.float32), targets, exclude)
    assert ranks.greater.tolist() == [0, 0, 0]
    assert ranks.equal.tolist() == [5, 5, 6]  # target 4 is a candidate although it is excluded


@pytest.mark.parametrize("place", [0, 300, 4999])
def test_nan_is_refused_by_place(place):
    scores = np.zeros((3, 5000), np.float32)
    scores[1, place] = np.nan
    with pytest.raises(ValueError, match=rf"scores\[1, {place}\] is NaN"):
        top_k_scores(scores, 2)
    with pytest.raises(ValueError, match=rf"scores\[1, {place}\] is NaN"):
        rank_scores(scores, CSR([0, 1, 2, 3], [1, 1, 1], 5000))


def test_the_index_refuses_what_has_no_order():
    good = np.ones((4, 3), np.float32)
    bad = good.copy()
    bad[2, 1] = np.inf
    with pytest.raises(ValueError, match=r"vectors\[2, 1\] is inf"):
        ItemIndex(bad)
    with pytest.raises(ValueError, match=r"bias\[0\] is nan"):
        ItemIndex(good, np.full(4, np.nan))
    index = ItemIndex(good)
    with pytest.raises(ValueError, match=r"queries\[2, 1\] is inf"):
        index.top_k(bad, 2)
    with pytest.raises(ValueError, match="queries have 2 features; vectors have 3"):
        index.top_k(good[:, :2], 2)
    with pytest.raises(ValueError, match="k is 0"):
        index.top_k(good, 0)
    with pytest.raises(ValueError, match="exclude has 2 rows and 4 columns; there are 4 queries and 4 items"):
        index.top_k(good, 2, exclude=CSR([0, 0, 0], [], 4))
    with pytest.raises(ValueError, match=r"vectors\[1\] has norm 1.41e\+38; at most 1e\+18"):
        ItemIndex(np.array([[1, 1], [1e38, 1e38]]))
    with pytest.raises(ValueError, match=r"queries\[0\] has norm 1e\+20"):
        index.top_k(np.full((1, 3), 1e20 / np.sqrt(3)), 2)
    with pytest.raises(ValueError, match=r"bias holds 9.*e\+36; at most 1e\+36"):
        ItemIndex(good, np.full(4, 1e37))
    with pytest.raises(TypeError, match="scores is of type float64; it must be float32"):
        top_k_scores(np.zeros((1, 2)), 1)
