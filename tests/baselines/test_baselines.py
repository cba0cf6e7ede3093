"""Baselines: a board with a known answer, slow twins, and what they must not look at."""

import dataclasses

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mu.baselines.neighbours
from mu.baselines.base_level_activation import BaseLevelActivation
from mu.baselines.bpr import BPR
from mu.baselines.content import ContentNeighbours, mfcc_statistics
from mu.baselines.context_popularity import ContextPopularity
from mu.baselines.ease import EASE
from mu.baselines.gf_cf import GFCF
from mu.baselines.ials import IALS
from mu.baselines.item_knn import ItemKNN
from mu.baselines.linear import Linear
from mu.baselines.markov import MarkovChain
from mu.baselines.mfcc import clip_statistics
from mu.baselines.mlp import MLP
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
from mu.evals.protocols.ranking import RankingEvaluator
from tests.helpers import naive
from tests.helpers.listening_logs import RATE_HZ, Tones
from tests.helpers.small_logs import log_of

PERSONAL = [
    ItemKNN(),
    ItemKNN(neighbours=None),
    ItemKNN(similarity="dot", neighbours=6),
    ItemKNN(history_decay=0.5),
    ItemKNN(keep_by="history"),
    UserKNN(),
    RP3beta(neighbours=None, normalise=True),
    EASE(l2=1.0),
    SparseEASE(neighbours=8, l2=1.0),
    GFCF(vectors=4),
    IALS(dim=8, l2=0.01),
    BPR(dim=8, epochs=100),
]
ALL = [
    *PERSONAL,
    Popularity(),
    RecentPopularity(half_life_days=1e-6),
    ContextPopularity(column="user"),
    RepeatLast(),
    MostFrequentOwn(),
    BaseLevelActivation(),
    Random(seed=3),
    ContentNeighbours(np.random.default_rng(0).random((30, 4))),
]
# They go by the order of plays, of which the checkerboard has none.
IN_ORDER = [MarkovChain(), SequentialRules(), PCTM()]
UNFITTED = [*ALL[:-2], GroupPopularity(), ContentNeighbours(), MarkovChain(), PCTM()]

REQUIRED = {ContextPopularity: {"column": "user"}}


def name(baseline):
    """For messages of parametrised tests."""
    told = [value for value in vars(baseline).values() if not isinstance(value, np.ndarray)]
    return "-".join(map(str, [type(baseline).__name__, *told]))


@pytest.mark.parametrize("baseline", PERSONAL, ids=name)
def test_checkerboard(baseline):
    """Users play the items of their own parity, but one: that one must come first.

    After the `checkerboard` of benfred/implicit, tests/recommender_base_test.py.
    """
    n = 20
    held_out = [(user // 2 * 2 + user) % n // 2 * 2 + user % 2 for user in range(n)]
    rows = [[i for i in range(user % 2, n, 2) if i != held_out[user]] for user in range(n)]
    train, test = log_of(rows, n), log_of([[item] for item in held_out], n)
    evaluator = RankingEvaluator(test.seen(), train, train.seen(), ks=(1,), metrics=("hit_rate",))
    assert evaluator.run(baseline.fit(train)).values() == {"hit_rate@1": 1.0}


@pytest.mark.parametrize("baseline", [*ALL, *IN_ORDER], ids=name)
def test_protocol(baseline):
    """float32 [B, V]; one user at a time gives what all together give; unknown histories give finite scores."""
    rng = np.random.default_rng(0)
    log = log_of([rng.permutation(30)[: rng.integers(0, 9)].tolist() for _ in range(40)], 30)
    assert baseline.fit(log) is baseline
    users = np.array([3, 0, 39, 3])
    scores = baseline.scores(users, log.take(users))
    products = baseline.dot_product or isinstance(baseline, GFCF)
    error = 1e-5 if products else 0  # a dense matrix product may sum in another order
    assert scores.shape == (4, 30) and scores.dtype == np.float32 and np.isfinite(scores).all()
    for row, user in enumerate(users):
        alone = np.array([user])
        np.testing.assert_allclose(baseline.scores(alone, log.take(alone))[0], scores[row], rtol=error, atol=error)
    nobody = log_of([[]], 30)
    assert np.isfinite(baseline.scores(np.array([0]), nobody)).all()
    assert baseline.scores(np.zeros(0, int), log.take(np.zeros(0, int))).shape == (0, 30)


@pytest.mark.parametrize("baseline", UNFITTED, ids=name)
def test_unfitted_is_refused(baseline):
    with pytest.raises(RuntimeError, match=r"has not been fitted; call fit\(log\)"):
        type(baseline)(**REQUIRED.get(type(baseline), {})).scores(np.array([0]), log_of([[0]], 2))


def test_popularity_counts_plays_of_the_training_log_only():
    train = log_of([[0, 1, 1], [1, 2]], 4)
    histories = log_of([[3, 3, 3, 3], [3]], 4)
    scores = Popularity().fit(train).scores(np.array([0, 1]), histories)
    assert scores.tolist() == [[1, 3, 1, 0]] * 2


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_item_knn_equals_its_slow_twin(data):
    n_items = data.draw(st.integers(1, 7))
    history = st.lists(st.integers(0, n_items - 1), max_size=6)
    rows = data.draw(st.lists(history, min_size=1, max_size=6))
    shown = data.draw(st.lists(history, min_size=1, max_size=3))
    cosine, by_candidate = data.draw(st.booleans()), data.draw(st.booleans())
    neighbours, decay = data.draw(st.integers(1, 7)), data.draw(st.sampled_from([1.0, 0.5, 0.9]))
    length = data.draw(st.sampled_from([None, 1, 2, 9]))
    baseline = ItemKNN(
        neighbours,
        "cosine" if cosine else "dot",
        history_decay=decay,
        history_length=length,
        keep_by="candidate" if by_candidate else "history",
    )
    found = baseline.fit(log_of(rows, n_items)).scores(np.arange(len(shown)), log_of(shown, n_items))
    expected = [
        naive.item_knn_scores(
            [set(row) for row in rows],
            n_items,
            one[-length:] if length else one,
            neighbours,
            cosine,
            decay,
            by_candidate,
        )
        for one in shown
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("weights", ["linear", "log", ">=2"])
def test_weighted_item_knn_is_a_product_of_weighted_matrices(weights, similarity):
    rng = np.random.default_rng(2)
    rows = [rng.integers(0, 6, 8).tolist() for _ in range(9)]
    log = dataclasses.replace(log_of(rows, 6), weights=rng.integers(0, 4, 72).astype(np.float32))
    matrix = np.zeros((9, 6))
    np.add.at(matrix, (np.repeat(np.arange(9), 8), log.items), log.weights)
    matrix = {"linear": matrix, "log": np.log1p(matrix), ">=2": 1.0 * (matrix >= 2)}[weights]
    similar = matrix.T @ matrix
    if similarity == "cosine":
        similar /= np.maximum(np.outer(*[np.linalg.norm(matrix, axis=0)] * 2), 1e-300)
    np.fill_diagonal(similar, 0)
    scores = ItemKNN(None, similarity, weights=weights).fit(log).scores(np.arange(9), log)
    np.testing.assert_allclose(scores, matrix @ similar, rtol=1e-5, atol=1e-6)


def test_only_the_weights_of_recent_plays_count_in_a_history():
    train = log_of([[0, 2], [1, 3]], 4)
    history = dataclasses.replace(log_of([[0, 1, 0]], 4), weights=np.array([9, 2, 3], np.float32))
    scores = ItemKNN(history_length=2, weights="linear").fit(train).scores(np.array([0]), history)
    np.testing.assert_allclose(scores, [[0, 0, 3, 2]])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [3, 1, 0]),
        ({"count": "listeners"}, [2, 1, 0]),
        ({"weights": "linear"}, [12, 7, 0]),
        ({"weights": "log"}, [np.log1p(4) + np.log1p(8), np.log1p(7), 0]),
        ({"weights": ">=5"}, [1, 1, 0]),
    ],
)
def test_popularity_counts_plays_listeners_or_weights(options, expected):
    log = dataclasses.replace(log_of([[0, 1, 0], [0]], 3), weights=np.array([1, 7, 3, 8], np.float32))
    np.testing.assert_allclose(Popularity(**options).fit(log).scores(np.array([1]), log), [expected], rtol=1e-6)


def test_item_knn_does_not_depend_on_its_blocks(monkeypatch):
    rng = np.random.default_rng(1)
    log = log_of([rng.permutation(50)[:10].tolist() for _ in range(60)], 50)
    whole = ItemKNN(neighbours=7).fit(log).scores(np.arange(60), log)
    monkeypatch.setattr(mu.baselines.neighbours, "BLOCK_PRODUCTS", 300)
    np.testing.assert_array_equal(ItemKNN(neighbours=7).fit(log).scores(np.arange(60), log), whole)


def test_item_knn_cosine_of_items_that_everybody_plays_is_one():
    """50,000 x 50,000 does not fit 32 bits."""
    scores = ItemKNN().fit(log_of([[0, 1]] * 50_000, 2)).scores(np.array([0]), log_of([[0]], 2))
    np.testing.assert_allclose(scores, [[0, 1]])


def test_recency_counts_plays_since_the_latest_of_an_item():
    train = log_of([[0, 3], [1, 4], [2, 5]], 6)
    baseline = ItemKNN(history_decay=0.5).fit(train)
    scores = baseline.scores(np.array([0]), log_of([[0, 1, 0, 2]], 6))
    np.testing.assert_allclose(scores[0, 3:], [0.5, 0.25, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"neighbours": 0}, "neighbours=0; it must be at least 1"),
        ({"similarity": "cos"}, "similarity='cos'; ItemKNN takes one of cosine, dot"),
        ({"history_decay": 0}, "history_decay=0; it must be above 0"),
        ({"history_decay": 1.5}, "history_decay=1.5; it must be at most 1"),
        ({"history_length": 0}, "history_length=0; it must be at least 1"),
        ({"keep_by": "item"}, "keep_by='item'; ItemKNN takes one of candidate, history"),
        ({"weights": "logs"}, "weights 'logs' are not known"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ItemKNN(**options)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: RatingBiases(-1), "item_shrinkage=-1; it must be at least 0"),
        (lambda: RatingBiases(user_shrinkage=np.nan), "user_shrinkage=nan; it must be a finite number"),
        (lambda: Linear(0), "inverse_penalty=0; it must be above 0"),
        (lambda: MLP(-1), "weight_decay=-1; it must be at least 0"),
    ],
)
def test_bad_options_of_others_are_refused(made, message):
    with pytest.raises(ValueError, match=message):
        made()


def test_listeners_are_not_weighted():
    with pytest.raises(ValueError, match="counts each once; with weights='log' leave count out"):
        Popularity(count="listeners", weights="log")
    with pytest.raises(ValueError, match="count='users'; Popularity takes one of plays, listeners"):
        Popularity(count="users")


# ---- groups, and content


class Described:
    """A log whose tracks have artists."""

    def __init__(self, rows, artists):
        self._log = log_of(rows, len(artists))
        self.tracks = pl.DataFrame({"artist": artists}, schema={"artist": pl.String})

    def __getattr__(self, name):
        return getattr(self._log, name)


def test_a_track_is_as_popular_as_those_of_its_artist_that_were_heard():
    log = Described([[0, 0, 0, 1], [1, 4]], ["Nova", "Nova", "Nova", "Rigel", None, None])
    scores = GroupPopularity().fit(log).scores(np.array([0, 1]), log)
    # Nova: five plays of two tracks that were heard; the third is new. Rigel: none. Nobody's tracks stand alone.
    assert scores.tolist() == [[2.5, 2.5, 2.5, 0.0, 1.0, 0.0]] * 2 and scores.dtype == np.float32
    with pytest.raises(ValueError, match="no column 'label'; they have artist"):
        GroupPopularity("label").fit(log)


def test_groups_count_weights():
    log = Described([[0, 0], [1]], ["Nova", "Nova", "Rigel"])
    log._log = dataclasses.replace(log._log, weights=np.array([1, 2, 5], np.float32))
    scores = GroupPopularity(weights="linear").fit(log).scores(np.array([0]), log)
    assert scores.tolist() == [[4, 4, 0]]


def test_content_is_the_cosine_with_the_mean_of_what_was_played():
    random = np.random.default_rng(0)
    vectors = random.normal(3.0, [1.0, 10.0, 0.1], (8, 3))
    vectors[5] = 0  # without sound
    log = log_of([[0, 1, 2], [3, 4, 5]], 8)  # nobody has played 6 and 7
    histories = log_of([[0, 0, 3], [5], []], 8)
    scores = ContentNeighbours(vectors).fit(log).scores(np.arange(3), histories)
    seen = vectors[:5]
    standard = (vectors - seen.mean(axis=0)) / seen.std(axis=0)
    unit = standard / np.linalg.norm(standard, axis=1, keepdims=True)
    mean = (2 * unit[0] + unit[3]) / 3
    expected = unit @ mean / np.linalg.norm(mean)
    expected[5] = 0
    np.testing.assert_allclose(scores[0], expected, rtol=1e-5)
    assert not scores[1:].any()


def test_content_that_training_did_not_hear_scores_nothing():
    vectors = np.zeros((4, 3))
    vectors[3] = 1
    scores = ContentNeighbours(vectors).fit(log_of([[0, 1]], 4)).scores(np.array([0]), log_of([[3]], 4))
    assert not scores.any()
    with pytest.raises(ValueError, match="4 vectors for 5 tracks"):
        ContentNeighbours(vectors).fit(log_of([[0, 1]], 5))


def test_content_takes_mfccs_of_the_sound():
    sound = Tones(4, silent=(2,))
    found = mfcc_statistics(sound)
    assert found.shape == (4, 120) and not found[2].any()
    np.testing.assert_array_equal(found[1], clip_statistics(sound.waveform(1, 0, RATE_HZ // 2), RATE_HZ))
    with pytest.raises(ValueError, match="the log has no sound"):
        ContentNeighbours().fit(log_of([[0, 1]], 2))
