"""Rated candidates: known answers, a slow twin, who is left out and why, and errors of predicted ratings."""

import dataclasses
import itertools

import numpy as np
import pytest

from mu.baselines.popularity import Popularity
from mu.baselines.rating_biases import RatingBiases
from mu.data.logs.interactions import Interactions
from mu.data.logs.splits import Split
from mu.evals.metrics.ratings.auc import auc
from mu.evals.protocols.rated_candidates import RatedCandidates
from mu.evals.results import load, save
from mu.evals.table import ResultTable
from tests.helpers import naive
from tests.helpers.sparse_scores import DenseTwin, SparseScores

V = 8


def rated_log(rows, n_items=V):
    """A log of rows of (track, rating)."""
    plays = [play for row in rows for play in row]
    indptr = np.append(0, np.cumsum([len(row) for row in rows])).astype(np.int64)
    items = np.array([item for item, _ in plays], np.int32)
    ratings = np.array([rating for _, rating in plays], np.float32)
    return Interactions(indptr, items, np.arange(len(plays)), ratings, n_items)


def split_of(train, test):
    log = rated_log(train)
    return Split("s", log, log.where(np.zeros(len(log), bool)), rated_log(test), "hash")


class Table:
    """A recommender whose scores are a table."""

    dot_product = time_aware = False

    def __init__(self, table):
        self.table = np.asarray(table, np.float32)

    def scores(self, users, histories):
        return self.table[users]


class Product(Table):
    """The same as a dot product with a bias; it makes no matrix of scores."""

    dot_product = True

    def __init__(self, queries, vectors, bias):
        self._queries, self.item_vectors, self._bias = queries, vectors, bias

    def queries(self, users, histories):
        return self._queries[users]

    def item_bias(self):
        return self._bias


TRAIN = [[(0, 5.0)], [(1, 2.0)], [], [(2, 3.0)], [], [(3, 4.0)]]
TEST = [
    [(1, 5.0), (2, 1.0), (3, 4.0)],
    [(1, 5.0), (4, 1.0), (4, 5.0), (5, 2.0)],  # 1 is in the history; 4 was rated again
    [],
    [(5, 1.0), (6, 2.0)],  # nothing that they like
    [(7, 5.0)],  # nothing else
    [(3, 1.0)],  # in the history
]


def test_a_known_answer_and_who_is_left_out():
    scores = np.zeros((6, V))
    scores[0, [1, 2, 3]] = [3, 2, 1]  # like, dislike, like: one of two pairs is in order
    evaluator = RatedCandidates(split=split_of(TRAIN, TEST), part="test", threshold=4.0, gains="linear", ks=(2,))
    result = evaluator.run(Table(scores))
    assert result.units.tolist() == [0, 1, 3, 4]
    np.testing.assert_array_equal(result.columns["auc"], [0.5, 0.5, np.nan, np.nan])
    ndcg = [(5 + 1 / np.log2(3)) / (5 + 4 / np.log2(3)), (3.5 + 3.5 / np.log2(3)) / (5 + 2 / np.log2(3))]
    np.testing.assert_allclose(result.columns["graded_ndcg@2"], [*ndcg, np.nan, np.nan])
    assert result.counts == {
        "ratings": 11,
        "ratings left out: rated again later": 1,
        "ratings left out: track in the history": 2,
        "users": 6,
        "users left out: no rating": 2,
        "users of auc and graded_ndcg": 4,
        "users of auc and graded_ndcg left out: no relevant track": 1,
        "users of auc and graded_ndcg left out: only relevant tracks": 1,
    }
    text = str(ResultTable({"model": result}, samples=10))
    assert "8 of 11 ratings, 3 left out: rated again later 1, track in the history 2" in text
    assert result.names == evaluator.names


def test_equals_the_slow_twin():
    rng = np.random.default_rng(4)
    test = [[(int(i), float(rng.integers(1, 6))) for i in rng.permutation(V)[: rng.integers(0, 5)]] for _ in range(30)]
    scores = rng.integers(0, 3, (30, V)).astype(np.float32)
    result = RatedCandidates(split=split_of([[]] * 30, test), part="test", threshold=3.0, ks=(3,)).run(Table(scores))
    for at, user in enumerate(result.units):
        rated = dict(test[user])
        liked, others = ([i for i in rated if (rated[i] >= 3) == side] for side in (True, False))
        pairs = [
            (scores[user, a] > scores[user, b]) + 0.5 * (scores[user, a] == scores[user, b])
            for a, b in itertools.product(liked, others)
        ]
        own = [float(scores[user, item]) for item in rated]
        gains = {place: 2 ** rated[item] - 1 for place, item in enumerate(rated)}
        if pairs:
            assert result.columns["auc"][at] == pytest.approx(np.mean(pairs))
            expected = naive.graded_ndcg(own, gains, gains.values(), 3)
            assert result.columns["graded_ndcg@3"][at] == pytest.approx(expected)
        else:
            assert np.isnan(result.columns["auc"][at]) and np.isnan(result.columns["graded_ndcg@3"][at])


def test_dot_products_are_measured_like_their_scores():
    rng = np.random.default_rng(5)
    queries, vectors, bias = (rng.integers(-2, 3, shape).astype(np.float32) for shape in ((6, 3), (V, 3), (V,)))
    evaluator = RatedCandidates(split=split_of(TRAIN, TEST), part="test", threshold=4.0)
    product, table = (
        evaluator.run(one) for one in (Product(queries, vectors, bias), Table(queries @ vectors.T + bias))
    )
    for name, column in table.columns.items():
        np.testing.assert_array_equal(product.columns[name], column)


def test_sparse_scores_are_measured_like_all_scores():
    evaluator = RatedCandidates(split=split_of(TRAIN, TEST), part="test", threshold=4.0)
    model = SparseScores(1, 6, V)
    sparse, twin = evaluator.run(model), evaluator.run(DenseTwin(model))
    for name, column in twin.columns.items():
        np.testing.assert_array_equal(sparse.columns[name], column)


def test_what_is_no_number_is_refused_by_user_and_track():
    vectors = np.ones((V, 2), np.float32)
    vectors[4, 1] = np.nan
    evaluator = RatedCandidates(split=split_of(TRAIN, TEST), part="test", threshold=4.0)
    with pytest.raises(ValueError, match="Product scores item 4 NaN for user 1"):
        evaluator.run(Product(np.ones((6, 2), np.float32), vectors, None))


def test_errors_are_those_of_recommenders_that_predict_ratings(tmp_path):
    split = split_of(TRAIN, TEST)
    evaluator = RatedCandidates(split=split, part="test", threshold=4.0)
    biases = RatingBiases().fit(split.train)
    results = {"biases": evaluator.run(biases), "popularity": evaluator.run(Popularity().fit(split.train))}
    kept = [(0, 1, 5), (0, 2, 1), (0, 3, 4), (1, 4, 5), (1, 5, 2), (3, 5, 1), (3, 6, 2), (4, 7, 5)]
    table = biases.scores(np.arange(6), split.train)
    errors = np.array([table[user, item] - rating for user, item, rating in kept])
    values = results["biases"].values()
    assert values["negative_rmse"] == pytest.approx(-np.sqrt(np.mean(errors**2)))
    assert values["negative_mae"] == pytest.approx(-np.mean(np.abs(errors)))
    assert np.isnan(results["popularity"].values()["negative_rmse"])
    save(tmp_path, results, {}, samples=20)
    row = load(tmp_path).rows["biases"]["negative_rmse"]
    assert row.low <= row.value <= row.high < 0
    assert np.isnan(load(tmp_path).rows["popularity"]["negative_mae"].value)


def test_biases_are_shrunk_means():
    log = rated_log([[(0, 5.0), (1, 3.0)], [(0, 4.0)], []], 3)
    scores = RatingBiases(item_shrinkage=1, user_shrinkage=2).fit(log).scores(np.array([0, 2, -1]), log)
    items = np.array([(1 + 0) / 3, -1 / 2, 0])
    user = (5 - 4 - items[0] + 3 - 4 - items[1]) / 4
    np.testing.assert_allclose(scores, [4 + user + items, 4 + items, 4 + items], rtol=1e-6)
    plain = RatingBiases(item_shrinkage=0, user_shrinkage=0).fit(log).scores(np.array([2]), log)
    np.testing.assert_allclose(plain, [[4.5, 3, 4]])


def test_auc_of_extremes():
    scores, relevant = np.array([1.0, 2, 3, 1, 2, 3, 7, 7]), np.array([0, 0, 1, 1, 0, 0, 1, 0], bool)
    assert auc(scores, relevant, np.array([0, 3, 6, 8])).tolist() == [1.0, 0.0, 0.5]


def test_refused():
    split = split_of(TRAIN, TEST)
    with pytest.raises(ValueError, match=r"threshold=9.0: none of 6 users.*must be ratings \(`mu import --weight"):
        RatedCandidates(split=split, part="test", threshold=9.0)
    with pytest.raises(ValueError, match="part is 'train'"):
        RatedCandidates(split=split, part="train", threshold=4.0)
    with pytest.raises(ValueError, match="weights 'binary' are not known"):
        RatedCandidates(split=split, part="test", threshold=4.0, gains="binary")
    with pytest.raises(ValueError, match="item_shrinkage=-1"):
        RatingBiases(item_shrinkage=-1)
    other = RatedCandidates(split=split, part="test", threshold=5.0).run(Popularity().fit(split.train))
    same = RatedCandidates(split=dataclasses.replace(split), part="test", threshold=4.0)
    assert other.same["rated tracks"] != same.run(Popularity().fit(split.train)).same["rated tracks"]
