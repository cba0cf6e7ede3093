"""`recommend` and `similar_items` are the best of all scores, of every recommender, without what may not come."""

import gc
from typing import Any

import numpy as np
import pytest

from mu.baselines.content import ContentNeighbours
from mu.baselines.context_popularity import ContextPopularity
from mu.baselines.ease import EASE
from mu.baselines.gf_cf import GFCF
from mu.baselines.ials import IALS
from mu.baselines.item_knn import ItemKNN
from mu.baselines.markov import MarkovChain
from mu.baselines.most_frequent_own import MostFrequentOwn
from mu.baselines.pctm import PCTM
from mu.baselines.popularity import Popularity
from mu.baselines.rating_biases import RatingBiases
from mu.baselines.recent_popularity import RecentPopularity
from mu.baselines.repeat_last import RepeatLast
from mu.baselines.rp3beta import RP3beta
from mu.baselines.sequential_rules import SequentialRules
from mu.baselines.simple import GroupPopularity, Random
from mu.baselines.sparse_ease import SparseEASE
from mu.baselines.user_knn import UserKNN
from mu.histories import TrackHistories
from mu.topk import _INDICES, BLOCK, TopKRecommender
from mu_kernels import CSR, ItemIndex
from tests.helpers.tiny_runs import N_TRACKS, make_log

LOG = make_log(n_users=BLOCK + 9)
USERS = np.array([0, 5, 17, 3, BLOCK + 8])


class Products(TopKRecommender):
    """Random vectors; at time t a bias of 100 at item t, where the recommender is time-aware."""

    dot_product = True

    def __init__(self, time_aware=False, bias=True):
        random = np.random.default_rng(0)
        self.time_aware, self._has_bias = time_aware, bias
        self.item_vectors = random.standard_normal((N_TRACKS, 4)).astype(np.float32)
        self._users = random.standard_normal((LOG.n_users + 1, 4)).astype(np.float32)

    def fit(self, log):
        return self

    def queries(self, users, histories, times_ms=None):
        return self._users[users]

    def item_bias(self, times_ms=None):
        if times_ms is None:
            return np.linspace(0, 1, N_TRACKS, dtype=np.float32) if self._has_bias else None
        return 100 * np.eye(N_TRACKS, dtype=np.float32)[times_ms]

    def scores(self, users, histories, times_ms=None):
        scores = self.queries(users, histories) @ self.item_vectors.T
        bias = self.item_bias(times_ms)
        return scores if bias is None else scores + bias


class Dated(Popularity):
    """At time t item t is best: time-aware without vectors."""

    time_aware = True

    def scores(self, users, histories, times_ms=None):
        assert times_ms is not None
        return np.eye(N_TRACKS, dtype=np.float32)[times_ms]


ALL = {
    "popularity": Popularity(),
    "popularity of listeners": Popularity(count="listeners"),
    "random": Random(seed=3),
    "group popularity": GroupPopularity(column="track"),
    "item knn": ItemKNN(),
    "item knn by weights": ItemKNN(neighbours=4, weights="log", history_decay=0.5),
    "markov chain": MarkovChain(),
    "sequential rules": SequentialRules(successors=4),
    "pctm": PCTM(),
    "user knn": UserKNN(),
    "rp3beta": RP3beta(neighbours=4),
    "ease": EASE(l2=10.0),
    "sparse ease": SparseEASE(neighbours=4),
    "graph filter": GFCF(vectors=3),
    "ials": IALS(dim=8, epochs=3),
    "recent popularity": RecentPopularity(),
    "popularity by context": ContextPopularity(column="user"),
    "repeat last": RepeatLast(),
    "most frequent own": MostFrequentOwn(),
    "content": ContentNeighbours(np.random.default_rng(0).random((N_TRACKS, 4))),
    "rating biases": RatingBiases(),
    "products": Products(),
    "products without bias": Products(bias=False),
}


@pytest.fixture(params=ALL)
def recommender(request):
    return ALL[request.param].fit(LOG)


def expected(scores, k, out):
    """(ids, scores) of the k best that are not `out`, ties by lower id; filled up with -1 and -inf."""
    order = np.argsort(np.where(out, np.inf, -scores.astype(np.float64)), axis=1, kind="stable")[:, :k]
    order = np.pad(order, ((0, 0), (0, k - order.shape[1])), constant_values=-1)
    count = np.minimum((~out).sum(axis=1), k)
    order[np.arange(k) >= count[:, None]] = -1
    return order, np.where(order < 0, -np.inf, np.take_along_axis(scores, np.maximum(order, 0), axis=1))


def check(hits, scores, k, out):
    ids, best = expected(scores, k, out)
    np.testing.assert_array_equal(hits.ids, ids)
    np.testing.assert_allclose(hits.scores, best, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(hits.count, (ids >= 0).sum(axis=1))


def played(users):
    out = np.zeros((len(users), N_TRACKS), bool)
    for row, user in enumerate(users):
        out[row, LOG.row(user)] = True
    return out


@pytest.mark.parametrize("k", [1, 7, N_TRACKS + 5])
@pytest.mark.parametrize("filtered", [True, False])
def test_the_best_of_all_scores_in_order(recommender, k, filtered):
    hits = recommender.recommend(USERS, LOG.take(USERS), k, filter_already_played=filtered)
    out = played(USERS) if filtered else np.zeros((len(USERS), N_TRACKS), bool)
    check(hits, recommender.scores(USERS, LOG.take(USERS)), k, out)


@pytest.mark.parametrize("by_user", [False, True])
def test_candidates_and_what_is_excluded(recommender, by_user):
    candidates, exclude = np.array([1, 4, 9, 30, 31, 39]), np.array([4, 39, 39, 0])
    out = ~np.isin(np.arange(N_TRACKS), np.setdiff1d(candidates, exclude)) | played(USERS)
    if by_user:
        rows = np.arange(len(USERS))
        candidates, exclude = (
            CSR.from_pairs(np.repeat(rows, len(ids)), np.tile(ids, len(rows)), len(rows), N_TRACKS)
            for ids in (candidates, exclude)
        )
    hits = recommender.recommend(USERS, LOG.take(USERS), 4, candidates=candidates, exclude=exclude)
    check(hits, recommender.scores(USERS, LOG.take(USERS)), 4, out)
    nothing = recommender.recommend(USERS, LOG.take(USERS), 4, candidates=np.zeros(0, np.int64))
    assert not nothing.count.any()


def test_one_listener_alone_is_as_among_others_in_any_block(recommender):
    everyone = np.arange(LOG.n_users)
    together = recommender.recommend(everyone, LOG, 5)
    for user in USERS:
        alone = recommender.recommend(int(user), LOG.take(np.array([user])), 5)
        np.testing.assert_array_equal(alone.ids[0], together.ids[user])
        np.testing.assert_allclose(alone.scores[0], together.scores[user], rtol=1e-6)
    nobody = np.zeros(0, np.int64)
    assert recommender.recommend(nobody, LOG.take(nobody), 5).ids.shape == (0, 5)


def test_a_listener_outside_the_log_has_a_history(recommender):
    history = TrackHistories.of(LOG.row(int(np.argmax(LOG.lengths))))
    hits = recommender.recommend(-1, history, 6)
    assert hits.count[0] == 6 and not np.isin(hits.ids[0], history.items).any()


def test_similar_items_are_no_item_itself(recommender):
    items = np.array([3, 0, 39])
    hits = recommender.similar_items(items, N_TRACKS)
    assert (hits.count == N_TRACKS - 1).all()
    assert all(item not in row for item, row in zip(items, hits.ids, strict=True))
    assert (np.diff(hits.scores[:, :-1], axis=1) <= 0).all()
    alone = recommender.similar_items(39, 4, exclude=hits.ids[2, :1], candidates=np.arange(N_TRACKS))
    np.testing.assert_array_equal(alone.ids[0], hits.ids[2, 1:5])


def test_similar_items_of_products_are_those_of_the_largest_cosine():
    recommender = Products()
    unit = recommender.item_vectors / np.linalg.norm(recommender.item_vectors, axis=1, keepdims=True)
    items = np.array([3, 20])
    check(recommender.similar_items(items, 6), unit[items] @ unit.T, 6, np.arange(N_TRACKS) == items[:, None])


def test_similar_items_of_neighbours_are_their_neighbours():
    knn = ItemKNN(neighbours=5).fit(LOG)
    alone: Any = TrackHistories(np.arange(N_TRACKS + 1), np.arange(N_TRACKS, dtype=np.int32))
    similarity = knn.scores(np.full(N_TRACKS, -1), alone)
    check(knn.similar_items(np.arange(N_TRACKS), 5), similarity, 5, np.eye(N_TRACKS, dtype=bool))


@pytest.mark.parametrize("recommender", [Popularity(), Products(bias=False)], ids=["dense", "products"])
def test_ties_go_to_the_lower_id(recommender):
    recommender.fit(LOG)
    if recommender.dot_product:
        recommender.item_vectors = np.ones_like(recommender.item_vectors)
    else:
        recommender.fit(LOG.where(np.zeros(len(LOG), bool)))
    hits = recommender.recommend([-1], TrackHistories.of(np.array([1, 3])), 4)
    assert hits.ids[0].tolist() == [0, 2, 4, 5]


@pytest.mark.parametrize("recommender", [Products(time_aware=True), Dated()], ids=["products", "dense"])
def test_a_time_counts_for_recommenders_that_know_it(recommender):
    recommender.fit(LOG)
    hits = recommender.recommend([-1, -1], TrackHistories(np.zeros(3, np.int64), np.zeros(0, np.int32)), 1, time_ms=9)
    assert hits.ids.ravel().tolist() == [9, 9]
    plain = Products().recommend(USERS, LOG.take(USERS), 3)
    np.testing.assert_array_equal(Products().recommend(USERS, LOG.take(USERS), 3, time_ms=9).ids, plain.ids)


def test_what_does_not_fit_is_refused(recommender):
    with pytest.raises(ValueError, match=r"there are 5 users and 265 histories; .* log.take\(users\)"):
        recommender.recommend(USERS, LOG)
    for name in ("candidates", "exclude"):
        with pytest.raises(ValueError, match=f"{name} has 40; the catalogue has the items 0 to 39"):
            recommender.recommend(USERS, LOG.take(USERS), **{name: [3, 40]})
        with pytest.raises(ValueError, match=f"{name} has 2 rows for 5 users"):
            recommender.recommend(USERS, LOG.take(USERS), **{name: CSR.from_pairs([0], [0], 2, N_TRACKS)})
    with pytest.raises(ValueError, match="items has -1; the catalogue has the items 0 to 39"):
        recommender.similar_items([-1])
    for item in (-1, N_TRACKS, 10**6):
        histories = TrackHistories.of(np.array([3, item]))
        for again in (True, False):
            with pytest.raises(ValueError, match=f"histories has {item}; the catalogue has the items 0 to 39"):
                recommender.recommend([-1], histories, filter_already_played=again)
    with pytest.raises(ValueError, match="users has -2; a user is a row of the log, or -1"):
        recommender.recommend([-2], LOG.take([0]))
    for user in (-1, LOG.n_users, 10**6):
        with pytest.raises(ValueError, match=f"users has {user}; the log has the users 0 to {LOG.n_users - 1}"):
            recommender.recommend([user], LOG.take([user]))
    for k in (0, -3, "5", 2.5, True, None):
        with pytest.raises(ValueError, match=f"k is {k!r}; it must be a whole number of at least 1"):
            recommender.recommend(USERS, LOG.take(USERS), k)
        with pytest.raises(ValueError, match=f"k is {k!r}; it must be a whole number of at least 1"):
            recommender.similar_items(3, k)


def test_an_index_is_kept_of_vectors_that_cannot_change_alone(monkeypatch):
    made = []
    monkeypatch.setattr("mu.topk.ItemIndex", lambda *args, **kwargs: made.append(1) or ItemIndex(*args, **kwargs))
    recommender = Products(time_aware=True)

    def best(recommender, time_ms):
        hits = recommender.recommend([0], LOG.take(np.array([0])), 5, filter_already_played=False, time_ms=time_ms)
        check(hits, recommender.scores([0], None, [time_ms]), 5, np.zeros((1, N_TRACKS), bool))

    best(recommender, 9), best(recommender, 9)
    assert len(made) == 2, "who can write to vectors may have done so"
    recommender.item_vectors.flags.writeable = False
    best(recommender, 9), best(recommender, 9)
    assert len(made) == 3
    best(recommender, 4), best(recommender, 4)
    assert len(made) == 4, "another bias is another index"
    recommender.similar_items([3], 6), recommender.similar_items([5], 6)
    assert len(made) == 5
    recommender.item_vectors = -recommender.item_vectors
    best(recommender, 4)
    assert len(made) == 6, "other vectors are another index"
    keys = {(id(recommender), False), (id(recommender), True)}
    assert keys <= _INDICES.keys()
    del recommender
    gc.collect()
    assert not keys & _INDICES.keys(), "it goes with its recommender"
