"""Counting models against their equations; one more play and one listener less against fitting anew."""

import dataclasses
import logging
import math

import numpy as np
import polars as pl
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from mu.baselines import attributes, distances, neighbours
from mu.baselines.attributes import attribute_neighbours
from mu.baselines.decays import distance_weights, history_weights
from mu.baselines.markov import MarkovChain
from mu.baselines.pctm import PCTM
from mu.baselines.sequential_rules import SequentialRules
from mu.data.logs.interactions import Interactions
from mu.evals.protocols.ranking import RankingEvaluator
from mu_kernels import CSR

MINUTE_MS = 60_000
V = 9  # of which 7 and 8 are never played
TRACKS = pl.DataFrame(
    {
        "track": [f"t{item}" for item in range(V)],
        "artist": ["Nova", "Nova", "Rigel", "Rigel", "Vega", None, "Vega", "Nova", "Rigel"],
        "tags": ["calm|dark", "dark", "calm", "loud", "loud|dark", "calm|loud", "", "calm", "dark|loud"],
        "empty": [None] * V,
    },
    schema_overrides={"empty": pl.String},
)


def log_of(rows, times=None, n_items=V):
    indptr = np.cumsum([0, *map(len, rows)])
    items = np.array([item for row in rows for item in row], np.int32)
    moments = np.arange(len(items)) if times is None else np.array([time for row in times for time in row], np.int64)
    card = {"time_unit": "order"} if times is None else {}
    log = Interactions(indptr, items, moments, np.ones(len(items), np.float32), n_items, card=card)
    vars(log)["tracks"] = TRACKS  # where `Interactions.tracks` keeps its table
    return log


def plays(seed, n_users=12, longest=9):
    """(rows, times) of random listeners; some have none, some repeat."""
    rng = np.random.default_rng(seed)
    rows = [rng.integers(0, 7, rng.integers(0, longest + 1)).tolist() for _ in range(n_users)]
    times = [np.cumsum(rng.choice([1, 20, 50, 2000], len(row)) * MINUTE_MS).tolist() for row in rows]
    return rows, times


def transitions(rows, window):
    """N_d(b -> a): float64 [W, V, V]."""
    counts = np.zeros((window, V, V))
    for row in rows:
        for i, source in enumerate(row):
            for distance in range(1, window + 1):
                if i + distance < len(row):
                    counts[distance - 1, source, row[i + distance]] += 1
    return counts


def strongest(rules, k):
    """The same with 0 for all but the k largest of each row, of equal ones those with lower ids."""
    order = np.argsort(-rules, axis=1, kind="stable")
    return np.where(np.argsort(order, axis=1) < k, rules, 0)


def test_the_markov_chain_is_the_share_of_what_followed_the_last_play():
    rows, _ = plays(0)
    counts = transitions(rows, 1)[0]
    scores = MarkovChain().fit(log_of(rows)).scores(np.arange(2), log_of([[0, 1, 2], []]))
    np.testing.assert_allclose(scores[0, :7], counts[2, :7] / counts[2].sum(), rtol=1e-6)
    assert (scores[0, 7:] < scores[0, :7].min()).all() and (scores[1, :7] == 0).all()


def test_sequential_rules_are_their_equation():
    rows, _ = plays(1)
    rules = strongest(np.tensordot(1 / np.log10(np.arange(1, 11) + 1.7), transitions(rows, 10), 1), 4)
    history = [0, 3, 3, 5, 1, 2, 6, 4, 0, 1, 2, 5]
    expected = sum(rules[item] / (j + 1) ** 2 for j, item in enumerate(history[::-1][:10]))
    scores = SequentialRules(successors=4).fit(log_of(rows)).scores(np.arange(1), log_of([history]))[0]
    np.testing.assert_allclose(scores[:7], expected[:7], rtol=1e-6)


def test_idf_is_zero_for_the_most_played_item_and_cuts_come_after_it():
    rows = [[0, 1], [0, 2], [0, 1], [1, 2]]  # plays: 3, 3, 2
    scores = SequentialRules(idf=True).fit(log_of(rows)).scores(np.arange(1), log_of([[0]]))[0]
    assert not scores[:3].any()
    rows = [[0, 1], [0, 2], [3, 0], [0, 3], [3, 1]]  # plays: 4, 2, 1, 3
    scores = SequentialRules(idf=True, history_length=1).fit(log_of(rows)).scores(np.arange(1), log_of([[3]]))[0]
    weight = math.log(4 / 3) / math.log(4)
    np.testing.assert_allclose(scores[[0, 1]], weight * (1 / math.log10(2.7)) * np.ones(2), rtol=1e-6)


def test_pctm_is_its_equation():
    rows, _ = plays(2)
    known = np.unique(np.concatenate(rows)).astype(int)
    counts = np.tensordot(np.arange(1, 11) ** -0.5, transitions(rows, 10), 1)
    frequency = np.bincount(np.concatenate(rows).astype(int), minlength=V)
    history = [0, 3, 5, 1]
    weights = 0.6 ** np.arange(4)
    weights /= weights.sum()
    logs = np.log(1 + counts * len(known) / 30)
    expected = sum(w * logs[item] for w, item in zip(weights, history[::-1], strict=True))
    expected = expected - 0.04 * np.log((frequency + 1) / (frequency.sum() + len(known)))
    scores = PCTM(tau=30.0).fit(log_of(rows)).scores(np.arange(1), log_of([history]))[0]
    np.testing.assert_allclose(scores[known], expected[known], rtol=1e-6)
    assert (scores[7:] < scores[known].min()).all()


def test_weights_by_distance_and_by_age():
    d = np.arange(1, 5)
    expected = {
        "inverse": 1 / d,
        "power": d**-0.7,
        "logarithmic": 1 / np.log10(d + 1.7),
        "exponential": 0.7 ** (d - 1),
        "uniform": np.ones(4),
    }
    for shape, weights in expected.items():
        np.testing.assert_allclose(distance_weights(shape, 4, 0.7), weights)
    of_age = {"inverse": 1 / d, "quadratic": 1 / d**2, "exponential": 0.7 ** (d - 1), "uniform": np.ones(4)}
    for shape, weights in of_age.items():
        np.testing.assert_allclose(history_weights(shape, 4, 0.7, 2, 0.8), weights)
    np.testing.assert_allclose(history_weights("tail", 4, 0.5, 2, 0.8), [0.8 * 2 / 3, 0.8 / 3, 0.1, 0.1])
    np.testing.assert_allclose(history_weights("tail", 2, 0.5, 2, 0.8), [2 / 3, 1 / 3])
    np.testing.assert_allclose(history_weights("tail", 4, 1.0, 2, 1.0), [0.5, 0.5, 0, 0])


def test_sessions_and_gaps_in_place_of_plays():
    """0 and 1 in one session, 2 in the next, 3 two days later."""
    times = [[0, 10 * MINUTE_MS, 50 * MINUTE_MS, 2930 * MINUTE_MS]]
    log, alone = log_of([[0, 1, 2, 3]], times), log_of([[0]])
    options = {"counts": "inverse", "history_length": 1, "successors": None}
    sessions = SequentialRules(distance="sessions", window=2, session_minutes=30, **options).fit(log)
    assert sessions.scores(np.arange(1), alone)[0, :4].tolist() == [0, 1, 0.5, 0]
    gaps = SequentialRules(distance="gaps", gap_minutes=(10, 60), **options).fit(log)
    assert gaps.scores(np.arange(1), alone)[0, :4].tolist() == [0, 1, 0.5, 0]
    near = SequentialRules(distance="gaps", gap_minutes=(10, 60), max_plays=1, **options).fit(log)
    assert near.scores(np.arange(1), alone)[0, :4].tolist() == [0, 1, 0, 0]


MODELS = {
    "markov": MarkovChain(),
    "rules": SequentialRules(successors=2),
    "rules by idf": SequentialRules(idf=True, counts="inverse", successors=3, history="inverse"),
    "pctm": PCTM(tau=20.0),
    "pctm tail": PCTM(tau=20.0, history="tail", counts="exponential", counts_decay=0.7, popularity_weight=0.5),
    "sessions": PCTM(tau=20.0, distance="sessions", window=3, max_plays=4),
    "gaps": SequentialRules(distance="gaps", max_plays=3),
    "attributes": PCTM(tau=20.0, attributes=("artist", "tags"), attribute_neighbours=4, attribute_weight=0.3),
}


@pytest.fixture(params=MODELS)
def model(request):
    return dataclasses.replace(MODELS[request.param]) if request.param != "markov" else MarkovChain()


def check_same(one, other):
    """Counts, rules, background and scores, bit for bit."""
    assert (one._counts.plays == other._counts.plays).all()
    rules, others = one.sparse_rows, other.sparse_rows
    for item in range(V):
        mine = slice(one._counts.starts[item], one._counts.stops[item])
        theirs = slice(other._counts.starts[item], other._counts.stops[item])
        for name in ("items", "classes", "counts"):
            assert getattr(one._counts, name)[mine].tolist() == getattr(other._counts, name)[theirs].tolist()
        assert [part.tolist() for part in rules.row(item)] == [part.tolist() for part in others.row(item)]
    np.testing.assert_array_equal(one.background, other.background)
    histories = log_of(plays(99)[0])
    everyone = np.arange(histories.n_users)
    np.testing.assert_array_equal(one.scores(everyone, histories), other.scores(everyone, histories))
    hits, expected = (which.recommend(everyone, histories, V, filter_already_played=False) for which in (one, other))
    np.testing.assert_array_equal(hits.ids, expected.ids)


@pytest.mark.parametrize("seed", [3, 4])
def test_updates_play_by_play_equal_fitting_anew(model, seed):
    """From a part of the log, with scores asked in between; one listener is new and one item was never played."""
    rows, times = plays(seed)
    rows[5], times[5] = [*rows[5], 7], [*times[5], 10**9]
    log = log_of(rows, times)
    kept = [len(row) // 2 if user % 3 else 0 for user, row in enumerate(rows)]
    kept[0] = len(rows[0])
    rng = np.random.default_rng(seed)
    model.fit(
        log_of(
            [row[:n] for row, n in zip(rows, kept, strict=True)][:-1],
            [time[:n] for time, n in zip(times, kept, strict=True)][:-1],
        )
    )
    kept[-1] = 0
    while left := [user for user, row in enumerate(rows) if kept[user] < len(row)]:
        user = int(rng.choice(left))
        model.update(user, rows[user][kept[user]], times[user][kept[user]])
        kept[user] += 1
        if rng.random() < 0.3:
            model.scores(np.arange(log.n_users), log)
    refit = type(model)() if isinstance(model, MarkovChain) else dataclasses.replace(model)
    check_same(model, refit.fit(log))


@pytest.mark.parametrize("name", [name for name in MODELS if name != "markov"])
def test_other_options_are_those_of_a_model_fitted_with_them_and_learn_apart(name):
    rows, times = plays(12)
    log = log_of(rows, times)
    model = dataclasses.replace(MODELS[name]).fit(log)
    model.scores(np.arange(1), log_of([[0]]))
    options = {"successors": 3, "history": "uniform", "history_length": 4}
    other = model.with_options(**options)
    refit = dataclasses.replace(MODELS[name], **options)
    check_same(other, refit.fit(log))
    other.update(0, 7, 10**9)
    refit.update(0, 7, 10**9)
    check_same(other, refit)
    check_same(model, dataclasses.replace(MODELS[name]).fit(log))


def test_attributes_can_be_other_options_and_distances_cannot():
    log = log_of(plays(12)[0])
    model = PCTM(tau=20.0).fit(log)
    tags = model.with_options(attributes=("tags",), attribute_weight=0.5)
    check_same(tags, PCTM(tau=20.0, attributes=("tags",), attribute_weight=0.5).fit(log))
    check_same(
        tags.with_options(attribute_weight=2.0), PCTM(tau=20.0, attributes=("tags",), attribute_weight=2.0).fit(log)
    )
    check_same(tags.with_options(attributes=()), model)
    with pytest.raises(ValueError, match="window: other distances have to be counted"):
        model.with_options(window=3)
    with pytest.raises(ValueError, match="tau=-1"):
        model.with_options(tau=-1.0)
    with pytest.raises(RuntimeError, match="PCTM"):
        PCTM().with_options(tau=1.0)


@pytest.mark.parametrize("seed", [5, 6])
def test_a_forgotten_listener_is_as_if_never_there(model, seed):
    rows, times = plays(seed)
    model.fit(log_of(rows, times))
    model.scores(np.arange(1), log_of([[0]]))
    model.update(3, 7, 10**9)  # of a listener who is forgotten later
    gone = {0, 3, 7}
    for user in gone:
        model.forget(user)
    model.forget(3)
    model.update(3, 2, 5)  # and comes back
    rest = [[] if user in gone else row for user, row in enumerate(rows)]
    moments = [[] if user in gone else time for user, time in enumerate(times)]
    rest[3], moments[3] = [2], [5]
    refit = type(model)() if isinstance(model, MarkovChain) else dataclasses.replace(model)
    check_same(model, refit.fit(log_of(rest, moments)))


def test_rows_are_packed_where_half_is_waste():
    """So many changes that rows move, arrays grow and are packed again."""
    rng = np.random.default_rng(0)
    model, rows = PCTM(tau=20.0).fit(log_of([[0, 1], [2]])), [[0, 1], [2]] + [[] for _ in range(40)]
    places = []
    for turn in range(600):
        user, item = int(rng.integers(0, 42)), int(rng.integers(0, 7))
        if turn % 60 == 59:
            model.forget(user)
            rows[user] = []
        model.update(user, item)
        rows[user].append(item)
        places.append(model._counts.starts.max())
    assert (np.diff(places) < 0).any()  # packed
    check_same(model, PCTM(tau=20.0).fit(log_of(rows)))


def test_everybody_can_be_forgotten():
    model = PCTM().fit(log_of([[0, 1, 2]]))
    model.forget(0)
    assert np.isfinite(model.scores(np.arange(1), log_of([[0]]))).all()


def dense(rows):
    """float64 [R, V]."""
    matrix = np.zeros((rows.n_rows, rows.n_columns))
    for row in range(rows.n_rows):
        columns, values = rows.row(row)
        matrix[row, columns] = values
    return matrix


@pytest.mark.parametrize("name", MODELS)
def test_evidence_by_play_sums_to_the_score(name):
    rows, times = plays(8)
    model = MODELS[name].fit(log_of(rows, times))
    history = log_of([[0, 3, 3, 5, 1, 0]])
    items = np.array([8, 0, 5, 6])
    evidence = dense(model.play_evidence(history))[:, items]
    assert evidence.shape == (6, 4)
    scores = model.scores(np.arange(1), history)[0, items]
    np.testing.assert_allclose(model.background[items] + evidence.sum(axis=0), scores, 1e-6)
    assert not evidence[:, 0].any()  # nobody has played 8
    last = dense(model.play_evidence(log_of([[0]])))[:, items]
    if name == "markov":
        np.testing.assert_array_equal(evidence[:5], 0)
        np.testing.assert_array_equal(evidence[5], last[0])


def test_evaluation_by_sparse_rows_is_that_by_all_scores(model):
    """Lists and ranks, with exclusions, ties and items that nobody has played."""
    rows, times = plays(9, n_users=30)
    log = log_of(rows, times)

    class Dense:
        dot_product = time_aware = False
        scores = staticmethod(model.fit(log).scores)

    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((30, V)) < 0.3)
    evaluator = RankingEvaluator(
        CSR.from_pairs(users, items, 30, V), log, log.seen(), ks=(1, 3), metrics=("recall", "ndcg"), users_per_block=7
    )
    found, expected = evaluator.run(model), evaluator.run(Dense())
    for column, values in expected.columns.items():
        np.testing.assert_array_equal(found.columns[column], values)


# ---- attributes


def cosines(*columns):
    """[V, V]: those of TF-IDF vectors of the words of columns; 0 of an item with itself."""
    texts = [
        [f"{column}={word}" for column in columns for word in (row[column] or "").split("|") if word]
        for row in TRACKS.iter_rows(named=True)
    ]
    vectors = TfidfVectorizer(analyzer=lambda words: words).fit_transform(texts).toarray()
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, 0)
    return similar


def test_items_are_alike_by_the_words_of_their_attributes():
    similar = cosines("artist", "tags")
    everything = attribute_neighbours(TRACKS, ("artist", "tags"), None)
    three = attribute_neighbours(TRACKS, ("artist", "tags"), 3)
    for item in range(V):
        items, values = everything.row(item)
        np.testing.assert_allclose(similar[item, items], values)
        assert items.tolist() == np.flatnonzero(similar[item]).tolist()
        items, values = three.row(item)
        best = sorted(range(V), key=lambda other: (-similar[item, other].round(12), other))[: len(items)]
        assert items.tolist() == sorted(best) and len(items) == min(3, np.count_nonzero(similar[item]))


@pytest.mark.parametrize("products", [1, 7, 20])
def test_blocks_of_alike_items_change_nothing(products, monkeypatch):
    """Of one item, of some."""
    whole = attribute_neighbours(TRACKS, ("artist", "tags"), 3)
    monkeypatch.setattr(neighbours, "BLOCK_PRODUCTS", products)
    words, blocks = attributes.words_of(TRACKS, "tags"), []
    neighbours.product_rows(words, words.T.tocsr(), lambda rows, first: blocks.append((first, rows)) or rows)
    assert [first for first, _ in blocks[1:]] == [first + rows.shape[0] for first, rows in blocks[:-1]]
    assert blocks[0][0] == 0 and blocks[-1][0] + blocks[-1][1].shape[0] == V
    assert (len(blocks) == V) == (products == 1) and len(blocks) > 1
    in_blocks = attribute_neighbours(TRACKS, ("artist", "tags"), 3)
    for item in range(V):
        assert [part.tolist() for part in in_blocks.row(item)] == [part.tolist() for part in whole.row(item)]


def test_attributes_are_evidence_beside_the_counts():
    rows, _ = plays(11)
    log, history = log_of(rows), log_of([[0, 3]])
    plain = PCTM(tau=30.0).fit(log)
    both = PCTM(tau=30.0, attributes=("tags",), attribute_weight=0.5, attribute_neighbours=None).fit(log)
    weights = np.array([0.6, 1.0]) / 1.6
    added = 0.5 * (weights @ cosines("tags")[[0, 3]])
    known = np.bincount(log.items, minlength=V) > 0
    difference = (both.scores(np.arange(1), history) - plain.scores(np.arange(1), history))[0]
    np.testing.assert_allclose(difference[known], added[known], atol=1e-6)
    assert added[~known].any() and not difference[~known].any()  # items that nobody has played stay behind


def test_attributes_that_say_nothing_are_refused():
    log = log_of([[0, 1]])
    with pytest.raises(ValueError, match=r"label.*artist, tags"):
        PCTM(attributes=("label",)).fit(log)
    with pytest.raises(ValueError, match="no track has a word in column 'empty'"):
        PCTM(attributes=("tags", "empty")).fit(log)
    with pytest.raises(ValueError, match="attributes='tags'; PCTM takes tuple"):
        PCTM(attributes="tags")


# ---- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window=0; it must be at least 1"),
        ({"counts": "linear"}, "counts='linear'; PCTM takes one of inverse, power"),
        ({"history": "log", "history_decay": 0.0}, "history='log'.*\nhistory_decay=0.0; it must be above 0"),
        ({"tau": 0}, "tau=0; it must be above 0"),
        ({"successors": 0}, "successors=0"),
        ({"history_head_mass": 1.5}, "history_head_mass=1.5"),
        ({"distance": "gaps", "gap_minutes": (60, 10)}, r"gap_minutes=\(60, 10\); they must ascend"),
        ({"distance": "gaps", "gap_minutes": ()}, r"gap_minutes=\(\)"),
        ({"distance": "sessions", "window": 300}, "window=300; it must be at most 256"),
        ({"popularity_weight": math.nan}, "popularity_weight=nan"),
        (
            {"window": 256, "counts": "exponential", "counts_decay": 1e5},
            "counts_decay=100000.0: the weight of a distance",
        ),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PCTM(**options)


@pytest.mark.parametrize("distance", ["sessions", "gaps"])
def test_an_order_alone_has_no_time_between(distance):
    message = f"distance='{distance}' needs the times of plays, and these have an order alone.* use distance='plays'"
    model = PCTM(distance=distance)
    for ask in (model.check_data, model.fit):
        with pytest.raises(ValueError, match=message):
            ask(log_of([[0, 1]]))


def test_a_log_without_plays_is_refused():
    for model in (MarkovChain(), SequentialRules(), PCTM()):
        with pytest.raises(ValueError, match="the training log has no plays"):
            model.fit(log_of([[], []]))


def test_a_window_that_no_history_fills_is_told_once(caplog):
    distances._warn_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        model = SequentialRules(window=10).fit(log_of([[0, 1, 2], [1]]))
        PCTM(window=10).fit(log_of([[0, 1, 2], [1]]))
        model.scores(np.arange(1), log_of([[0]]))
    assert [record.getMessage() for record in caplog.records] == [
        "the window of 10 distances (distance='plays') is longer than any history: none reaches beyond distance 2"
    ]
    caplog.clear()
    SequentialRules(window=2).fit(log_of([[0, 1, 2], [1]]))
    MarkovChain().fit(log_of([[0]]))
    assert not caplog.records


def test_plays_that_cannot_be_added_are_refused_and_change_nothing():
    log = log_of([[0, 1], [2, 3]], [[0, MINUTE_MS], [0, MINUTE_MS]])
    model = PCTM(distance="sessions").fit(log)
    for arguments, message in (
        ((0, V), f"item is {V}; the catalogue has the items 0 to 8"),
        ((-1, 0, 5), "user is -1"),
        ((0, 2), "needs the time of a play: give time_ms"),
        ((0, 2, 5), "time_ms is 5, before the last play of user 0 at 60000"),
    ):
        with pytest.raises(ValueError, match=message):
            model.update(*arguments)
    check_same(model, PCTM(distance="sessions").fit(log))
    with pytest.raises(ValueError, match="user is -2"):
        model.forget(-2)
