"""Metrics of recommended lists: worked examples, slow twins, and what the ranking evaluator makes of them."""

import dataclasses
import itertools

import numpy as np
import pytest

from mu.evals.compare import differences
from mu.evals.leaders import leaders
from mu.evals.metrics.lists.artist_exposure import artist_exposure
from mu.evals.metrics.lists.calibration_kl import calibration_kl
from mu.evals.metrics.lists.context import ListContext
from mu.evals.metrics.lists.coverage import coverage
from mu.evals.metrics.lists.declare import group_ids, of_all_lists
from mu.evals.metrics.lists.gini import gini
from mu.evals.metrics.lists.intra_list_diversity import intra_list_diversity
from mu.evals.metrics.lists.novelty import novelty
from mu.evals.metrics.lists.popularity_lift import mean_popularity, popularity_lift
from mu.evals.metrics.lists.repeat_share import repeat_share
from mu.evals.metrics.lists.serendipity import serendipity
from mu.evals.metrics.lists.top_artist_share import top_artist_share
from mu.evals.metrics.loading import own_metrics
from mu.evals.protocols.lists import LISTS
from mu.evals.protocols.ranking import RankingEvaluator
from mu.evals.results import load, save
from mu.histories import TrackHistories
from mu_kernels import CSR
from tests.evals.test_ranking import Given, log_of
from tests.helpers import naive

OWN = {
    "artist_exposure",
    "calibration_kl",
    "coverage",
    "gini",
    "intra_list_diversity",
    "novelty",
    "popularity_lift",
    "repeat_share",
    "serendipity",
    "top_artist_share",
}
U, V = 30, 20


def test_worked_examples():
    items, once = np.array([[0, 1], [0, 2]]), np.ones((1, 2))
    assert coverage(items, once, n_items=4)[0] == 3 / 4
    # Shown 2, 1, 1, 0 times: (-3 * 0 - 1 * 1 + 1 * 1 + 3 * 2) / (4 * 4).
    assert gini(items, once, n_items=4)[0] == pytest.approx(6 / 16)
    assert gini(np.array([[0, 1], [2, 3]]), once, n_items=4)[0] == 0
    assert gini(np.array([[3], [3]]), once, n_items=4)[0] == pytest.approx(3 / 4)  # one item has all: 1 - 1 / V
    assert artist_exposure(np.array([[0, 1], [1, 0]]), once, n_groups=2)[0] == pytest.approx(1)
    assert artist_exposure(np.array([[1, 1], [1, 1]]), once, n_groups=5)[0] == pytest.approx(1 / 5)
    context = ListContext(3, np.array([7, 3, 0]), vectors=np.array([[1.0, 0], [0, 2], [3, 0]]))
    # (7 + 1) / 13, (3 + 1) / 13 and (0 + 1) / 13.
    np.testing.assert_allclose(
        novelty(np.array([[0, 1], [2, -1]]), context), [(np.log2(13 / 8) + np.log2(13 / 4)) / 2, np.log2(13)]
    )
    np.testing.assert_allclose(intra_list_diversity(np.array([[0, 1], [0, 2], [1, -1]]), context), [1, 0, np.nan])


def test_worked_examples_of_metrics_that_look_at_the_listeners():
    # Two listeners: the first has played item 0 twice and item 1 once, the second nothing.
    labels = np.array([[1.0, 0], [0, 1], [1, 1], [0, 0]])
    context = ListContext(
        4,
        np.array([6, 3, 1, 0]),
        groups=np.array([0, 1, 1, -1]),
        vectors=labels,
        histories=TrackHistories(np.array([0, 3, 3]), np.array([0, 0, 1], np.int32)),
        targets=CSR.from_pairs([0, 1], [2, 0], 2, 4),
    )
    items = np.array([[0, 2], [0, 3]])
    np.testing.assert_allclose(repeat_share(items, context), [1 / 2, 0])
    # Artist 0 has 6 plays and artist 1 has 4: a tenth of two artists is one. Item 3 has none.
    np.testing.assert_allclose(top_artist_share(items, context), [1 / 2, 1])
    # Of what the first has not played, 2 and 3 are the two most popular: obvious. So is 0 for the second.
    np.testing.assert_allclose(serendipity(items, context), [0, 0])
    # In lists of one, popularity would show the first item 2, and the second item 0.
    np.testing.assert_allclose(serendipity(np.array([[2], [0]]), context), [0, 0])
    np.testing.assert_allclose(
        serendipity(np.array([[2], [1]]), dataclasses.replace(context, targets=CSR.from_pairs([0, 1], [2, 1], 2, 4))),
        [0, 1],
    )
    # Plays: two thirds the first label; the list: (1 + 1/2) / 2.
    mix = np.array([0.99 * 3 / 4 + 0.01 * 2 / 3, 0.99 / 4 + 0.01 / 3])
    divergence = 2 / 3 * np.log(2 / 3 / mix[0]) + 1 / 3 * np.log(1 / 3 / mix[1])
    np.testing.assert_allclose(calibration_kl(items, context), [divergence, np.nan])
    # The list: (6 + 1) / 2 plays an item; the history: (6 + 6 + 3) / 3.
    array, options = mean_popularity(items, context)
    assert popularity_lift(array, np.ones((1, 2)), **options)[0] == pytest.approx(3.5 / 5 - 1)
    with pytest.raises(
        ValueError, match="needs labels of the tracks, such as vectors='tags'; these vectors have negative"
    ):
        calibration_kl(items, dataclasses.replace(context, vectors=-labels))


@pytest.mark.parametrize("seed", range(5))
def test_those_that_look_at_the_listeners_equal_their_slow_twins(seed):
    random = np.random.default_rng(seed)
    lists = [random.permutation(V)[: random.integers(0, 6)].tolist() for _ in range(U)]
    histories = [random.integers(0, V, random.integers(0, 7)).tolist() for _ in range(U)]
    targets = [random.permutation(V)[: random.integers(0, 9)].tolist() for _ in range(U)]
    words = [np.flatnonzero(random.random(3) < 0.4).tolist() for _ in range(V)]
    plays, groups = random.integers(0, 4, V), random.integers(-1, 15, V)
    items = np.array([one + [-1] * (5 - len(one)) for one in lists])
    context = ListContext(
        V,
        plays,
        groups,
        np.array([[word in own for word in range(3)] for own in words], float),
        log_of(histories, V),
        log_of(targets, V).seen(),
    )
    expected = naive.listener_list_metrics(lists, 5, plays.tolist(), words, groups.tolist(), histories, targets)
    for metric in (repeat_share, top_artist_share, serendipity, calibration_kl):
        np.testing.assert_allclose(metric(items, context), expected[metric.compute.__name__], atol=1e-12)
    array, options = mean_popularity(items, context)
    assert popularity_lift(array, np.ones((1, U)), **options)[0] == pytest.approx(expected["popularity_lift"])
    counts = random.integers(0, 3, U)
    weighted = popularity_lift(array, counts[None].astype(float))
    assert weighted == pytest.approx(popularity_lift(np.repeat(array, counts, axis=0), np.ones((1, counts.sum()))))


def test_nobody_leads_in_what_lists_are_like(logs):
    results = {"a": evaluator_of(logs).run(Factors()), "b": evaluator_of(logs).run(Factors(1))}
    assert set(results["a"].descriptive) == {f"{name}@{k}" for name in OWN for k in (3, 5)}
    ahead = leaders(results, ["recall@3", "gini@3", "novelty@3"], samples=20)
    assert ahead["recall@3"].best and not ahead["gini@3"].best and not ahead["novelty@3"].best


@pytest.mark.parametrize("seed", range(5))
def test_they_equal_their_slow_twins(seed):
    random = np.random.default_rng(seed)
    lists = [random.permutation(V)[: random.integers(0, 6)].tolist() for _ in range(U)]
    items = np.array([one + [-1] * (5 - len(one)) for one in lists])
    plays, groups = random.integers(0, 9, V), random.integers(-1, 4, V)
    vectors = random.normal(size=(V, 3)) * (random.random((V, 1)) < 0.8)
    context = ListContext(V, plays, groups, vectors)
    expected = naive.list_metrics(lists, V, plays.tolist(), vectors, groups, 4)
    np.testing.assert_allclose(novelty(items, context), expected["novelty"])
    np.testing.assert_allclose(intra_list_diversity(items, context), expected["intra_list_diversity"], atol=1e-12)
    once = np.ones((1, U))
    assert coverage(items, once, n_items=V)[0] == expected["coverage"]
    assert gini(items, once, n_items=V)[0] == pytest.approx(expected["gini"])
    artists = np.where(items >= 0, groups[items], -1)
    assert artist_exposure(artists, once, n_groups=4)[0] == pytest.approx(expected["artist_exposure"])


def test_weights_count_lists_as_often_as_copies_would():
    random = np.random.default_rng(0)
    items, counts = random.integers(-1, V, (U, 4)), random.integers(0, 3, U)
    copies, once = np.repeat(items, counts, axis=0), np.ones((1, counts.sum()))
    for metric, options in ((coverage, {"n_items": V}), (gini, {"n_items": V}), (artist_exposure, {"n_groups": V})):
        weighted = metric(items, counts[None].astype(float), **options)
        np.testing.assert_allclose(weighted, metric(copies, once, **options))
        assert np.isfinite(metric(np.full((3, 2), -1), np.ones((1, 3)), **options)).all() == (metric is coverage)


def test_a_list_metric_has_a_file_of_its_name():
    assert set(own_metrics(LISTS)) == OWN


class Factors:
    """A dot product with a bias; counts its queries."""

    dot_product = True
    time_aware = False

    def __init__(self, seed=0):
        random = np.random.default_rng(seed)
        self.item_vectors = random.normal(size=(V, 4)).astype(np.float32)
        self._users = random.normal(size=(U, 4)).astype(np.float32)
        self._bias = random.normal(size=V).astype(np.float32)

    def queries(self, users, histories):
        assert len(users) == histories.n_users
        return self._users[users]

    def item_bias(self, times_ms=None):
        assert times_ms is None
        return self._bias

    def table(self):
        exact = self._users.astype(np.float64) @ self.item_vectors.T.astype(np.float64) + self._bias
        return exact.astype(np.float32)


@pytest.fixture
def logs():
    random = np.random.default_rng(0)
    train = [random.permutation(V)[: random.integers(1, 8)].tolist() for _ in range(U)]
    test = [random.permutation(V)[: random.integers(0, 4)].tolist() for _ in range(U)]
    return log_of(train, V), log_of(test, V)


def evaluator_of(logs, **options):
    train, test = logs
    random = np.random.default_rng(1)
    context = ListContext(V, train.counts(), np.arange(V) // 4, random.random(size=(V, 3)))
    options = {"ks": (3, 5), "metrics": ("recall",), "list_metrics": sorted(OWN), "context": context, **options}
    return RankingEvaluator(test.seen(), train, train.seen(), train.counts() > 0, **options)


def test_dot_products_and_scores_give_the_same_ranks_and_lists(logs):
    model = Factors()
    exact, dense = evaluator_of(logs).run(model), evaluator_of(logs).run(Given(model.table()))
    blocks = evaluator_of(logs, users_per_block=4, threads=1).run(model)
    assert exact.names == evaluator_of(logs).names
    for result in (dense, blocks):
        for name, column in exact.columns.items():
            np.testing.assert_array_equal(result.columns[name], column)
        assert all((result.arrays[name] == array).all() for name, array in exact.arrays.items())
    train, _ = logs
    for row, user in enumerate(exact.units):
        table = model.table()[user]
        best = [item for item in np.argsort(-table, kind="stable") if item not in train.row(user)][:5]
        assert exact.arrays["item_ids@5"][row].tolist() == best and exact.arrays["item_ids@3"][row].tolist() == best[:3]


def test_whole_set_metrics_have_intervals_and_are_compared_and_saved(logs, tmp_path):
    evaluator = evaluator_of(logs)
    popular = Given(np.tile(np.arange(V, dtype=np.float32), (U, 1)))
    results = {"model": evaluator.run(Factors()), "popular": evaluator.run(popular)}
    save(tmp_path, results, {}, samples=50)
    again = load(tmp_path).results
    rows = {row.name: row for row in again["model"].summary(50)}
    assert list(rows.values()) == results["model"].summary(50)
    assert rows["gini@5"].low <= rows["gini@5"].value + 0.2 and rows["coverage@5"].high <= rows["coverage@5"].value
    compared = differences([(again["popular"], again["model"])], samples=200)
    assert set(compared) == set(evaluator.names)
    assert compared["gini@5"]["b"] < compared["gini@5"]["a"] and "p" not in compared["gini@5"]
    assert compared["coverage@5"]["low"] > 0 and compared["novelty@5"]["p"] <= 1
    assert differences([(again["model"], again["model"])], ["gini@5"], 20)["gini@5"]["high"] == 0


def test_what_a_metric_needs_is_asked_for(logs):
    train, test = logs
    with pytest.raises(
        ValueError, match="'coverag' does not exist; there are artist_exposure, calibration_kl, coverage"
    ):
        evaluator_of(logs, list_metrics=("coverag",))
    with pytest.raises(ValueError, match="need the context of the items"):
        RankingEvaluator(test.seen(), train, list_metrics=("gini",))
    bare = ListContext(V, train.counts())
    for name, need in (("artist_exposure", "groups"), ("intra_list_diversity", "vectors")):
        with pytest.raises(ValueError, match=f"metric '{name}' needs the {need} of the tracks: set {need} to"):
            evaluator_of(logs, list_metrics=(name,), context=bare)


def first_is_even(items, context):
    """Of each list, needing nothing: as it is, without a declaration."""
    return np.where(items[:, 0] % 2 == 0, 1.0, 0.0)


@of_all_lists(group_ids, "groups")
def groups_shown(groups, weights, n_groups):
    """Of the groups of all lists."""
    shown = [np.unique(groups[row > 0]) for row in weights]
    return np.array([(one >= 0).sum() / n_groups for one in shown])


def test_metrics_of_ones_own_are_of_each_list_or_declared(logs):
    here = "tests.evals.test_list_metrics"
    evaluator = evaluator_of(logs, list_metrics=(f"{here}:groups_shown", f"{here}:first_is_even"))
    assert evaluator.names == [f"{name}@{k}" for name in ("recall", "first_is_even", "groups_shown") for k in (3, 5)]
    result = evaluator.run(Factors())
    of_coverage = evaluator_of(logs, list_metrics=("coverage",)).run(Factors())
    items = result.arrays["group_ids@5"], of_coverage.arrays["item_ids@5"]
    np.testing.assert_array_equal(items[0], items[1] // 4)
    np.testing.assert_array_equal(result.columns["first_is_even@3"], items[1][:, 0] % 2 == 0)
    assert result.values()["groups_shown@5"] == len(np.unique(items[0])) / (V // 4)


def test_a_list_is_shorter_where_nothing_is_left():
    targets = CSR.from_pairs([0], [1], 1, 3)
    all_but_one = CSR.from_pairs([0, 0], [0, 2], 1, 3)
    context = ListContext(3, np.ones(3, int))
    evaluator = RankingEvaluator(
        targets, log_of([[0, 2]], 3), all_but_one, ks=(2,), list_metrics=("coverage", "novelty"), context=context
    )
    found = evaluator.run(Given(np.zeros((1, 3))))
    assert found.arrays["item_ids@2"].tolist() == [[1, -1]] and found.values()["coverage@2"] == pytest.approx(1 / 3)
    assert list(itertools.chain(evaluator.names)) == found.names
