"""List metrics of the plays protocol: a worked example, a slow twin, and what tables, files and pairs make of them."""

import numpy as np
import pytest

from mu.evals.compare import differences
from mu.evals.leaders import leaders
from mu.evals.metrics.lists.context import ListContext
from mu.evals.protocols.play_events import PlayEvents
from mu.evals.protocols.play_lists import LIST_BLOCK, best_unplayed
from mu.evals.protocols.plays import PlayEvaluator
from mu.evals.results import load, save
from mu.evals.table import ResultTable
from mu.protocols import as_sparse
from mu.report.columns import columns_of
from tests.evals.test_list_metrics import OWN
from tests.evals.test_plays import CUT, RELEASED, Factors, Fixed, U, V, make_plays
from tests.evals.test_ranking import log_of
from tests.helpers import naive
from tests.helpers.sparse_scores import SparseScores
from tests.helpers.tiny_runs import make_log

LABELS = np.random.default_rng(5).random((V, 3)) < 0.4


def evaluator(plays=None, **options):
    context = ListContext(V, make_log().counts(), np.arange(V) // 4, LABELS.astype(float))
    options = {"ks": (3, 5), "metrics": ("recall",), "list_metrics": sorted(OWN), "context": context, **options}
    return PlayEvaluator(plays or make_plays(), make_log(), RELEASED, CUT, np.arange(V) < 26, **options)


def test_a_worked_example():
    """Track 3 comes out at 50: the list that listener 0 is given at 10 is without it, that of listener 1 at 60 not."""
    log = log_of([[0], [0, 0, 1]], 5)  # popularity 3, 1, 0, 0, 0
    plays = PlayEvents(np.array([1, 0, 0, 1]), np.array([2, 1, 3, 4]), np.array([60, 10, 90, 70]))
    evaluation = PlayEvaluator(
        plays,
        log,
        np.array([-1, -1, -1, 50, -1]),
        5,
        np.array([True, True, True, False, True]),
        ks=(2,),
        metrics=(),
        list_metrics=("coverage", "novelty", "serendipity", "repeat_share"),
        context=ListContext(5, log.counts()),
    )
    found = evaluation.run(Fixed(np.tile([9.0, 2, 1, 3, 0], (2, 1))))
    # Lists: 1 and 2; 3 and 2. The plays are by listener and time: those of the lists are the first and the third.
    bits = -np.log2(np.array([4, 2, 1, 1, 1]) / 9)
    novelty = [(bits[1] + bits[2]) / 2, np.nan, (bits[3] + bits[2]) / 2, np.nan]
    np.testing.assert_allclose(found.columns["lists/novelty@2"], novelty)
    np.testing.assert_array_equal(found.columns["lists/repeat_share@2"], [0, np.nan, 0, np.nan])
    # Popularity would show 1 and 2 to listener 0, 2 and 3 to listener 1: what is right is obvious.
    np.testing.assert_array_equal(found.columns["lists/serendipity@2"], [0, np.nan, 0, np.nan])
    assert found.values()["lists/coverage@2"] == 3 / 5
    assert found.counts["lists"] == found.n_units("lists/coverage@2") == found.n_units("lists/novelty@2") == 2
    assert found.names == evaluation.names == list(found.values())
    assert set(found.shown) == set(found.descriptive) == set(found.names)


def slow_lists(evaluation, scores, k):
    """(plays, listeners, lists of item ids): of each listener the first play of a section, and the best by then."""
    events, seen = evaluation.events, make_log().seen()
    ranked = set().union(*(section.plays.tolist() for section in evaluation.sections.values()))
    plays, lists = {}, []
    for play in sorted(ranked, key=lambda play: events.times_ms[play]):
        plays.setdefault(int(events.users[play]), play)
    for user, play in sorted(plays.items()):
        candidates = [v for v in range(V) if RELEASED[v] <= events.times_ms[play] and v not in seen.row(user)]
        lists.append(sorted(candidates, key=lambda v: (-scores[play, v], v))[:k])
    return [plays[user] for user in sorted(plays)], sorted(plays), lists


RECOMMENDERS = {
    "scores": lambda seed: Fixed(np.random.default_rng(seed).integers(0, 9, (U, V))),
    "dot product": lambda seed: Factors(seed, whole=True, time_aware=False),
    "time-aware dot product": lambda seed: Factors(seed, whole=True, time_aware=True),
    "sparse": lambda seed: SparseScores(seed, U, V),
    "time-aware sparse": lambda seed: SparseScores(seed, U, V, time_aware=True),
}


@pytest.mark.parametrize("name", RECOMMENDERS)
@pytest.mark.parametrize("seed", range(3))
def test_they_equal_their_slow_twins(name, seed):
    evaluation, recommender = evaluator(make_plays(seed=seed)), RECOMMENDERS[name](seed)
    events, log = evaluation.events, make_log()
    times = (events.times_ms,) if recommender.time_aware else ()
    scores = recommender.scores(events.users, log.take(events.users), *times)
    found = evaluation.run(recommender)
    for k in (3, 5):
        plays, users, lists = slow_lists(evaluation, scores, k)
        histories = [log.row(user).tolist() for user in users]
        targets = [events.tracks[events.users == user].tolist() for user in users]
        words, groups = [np.flatnonzero(row).tolist() for row in LABELS], (np.arange(V) // 4).tolist()
        popularity = log.counts().tolist()
        expected = naive.list_metrics(lists, V, popularity, LABELS.astype(float), groups, V // 4)
        expected |= naive.listener_list_metrics(lists, k, popularity, words, groups, histories, targets)
        for metric in OWN:
            column = found.columns.get(f"lists/{metric}@{k}")
            if column is None:
                assert found.values()[f"lists/{metric}@{k}"] == pytest.approx(expected[metric])
            else:
                np.testing.assert_allclose(column[plays], expected[metric], atol=1e-12)
                assert np.isnan(np.delete(column, plays)).all()


def test_lists_of_many_listeners_are_those_of_each_alone():
    """In more than one block, with tracks that come out meanwhile."""
    n = 2 * LIST_BLOCK + 7
    random = np.random.default_rng(0)
    plays = PlayEvents(np.arange(n), np.zeros(n, np.int32), CUT + random.integers(0, 60, n) * 86_400_000)
    log, unplayed = make_log(n_users=n), evaluator().unplayed
    unplayed = type(unplayed)(unplayed.available_from_ms, log.seen())
    sparse = SparseScores(0, n, V)
    lists = best_unplayed(sparse, plays, log, unplayed, 7)
    dense = best_unplayed(Fixed(sparse.scores(plays.users, log)), plays, log, unplayed, 7)
    np.testing.assert_array_equal(lists, dense)
    for row in random.choice(n, 20, replace=False):
        alone = best_unplayed(sparse, plays.take(np.array([row])), log, unplayed, 7)
        np.testing.assert_array_equal(lists[row], alone[0])


def test_they_have_intervals_are_in_tables_and_files_and_are_compared(tmp_path):
    evaluation = evaluator(list_metrics=("coverage", "novelty", "popularity_lift"))
    popular = Fixed(np.tile(make_log().counts(), (U, 1)))
    results = {"model": evaluation.run(Factors(0, whole=False, time_aware=False)), "popular": evaluation.run(popular)}
    save(tmp_path, results, {}, samples=50)
    again = load(tmp_path).results
    rows = {row.name: row for row in again["model"].summary(50)}
    assert list(rows.values()) == results["model"].summary(50)
    # A drawn set of listeners is shown no more tracks than all are.
    assert rows["lists/coverage@3"].low < rows["lists/coverage@3"].high <= rows["lists/coverage@3"].value
    assert rows["lists/popularity_lift@5"].low < rows["lists/popularity_lift@5"].value
    assert rows["lists/novelty@5"].low < rows["lists/novelty@5"].value < rows["lists/novelty@5"].high
    table = str(ResultTable(again, samples=50))
    for name in ("lists/novelty@3", "lists/coverage@3", "lists/popularity_lift@3"):
        value, low, high = rows[name][1:]
        assert name in table and f"{value:.4f} [{low:.4f}, {high:.4f}]" in table
    assert "@5" not in table and "discovery/recall@3" in table
    compared = differences([(again["popular"], again["model"])], samples=200)
    assert set(compared) == set(evaluation.names)
    assert compared["lists/coverage@5"]["low"] > 0 and compared["lists/popularity_lift@5"]["high"] < 0
    ahead = leaders(again, ["discovery/recall@3", "lists/coverage@3", "lists/novelty@3"], samples=20)
    assert ahead["discovery/recall@3"].best and not ahead["lists/coverage@3"].best and not ahead["lists/novelty@3"].best
    assert not any(one.section == "lists" for one in columns_of(again["model"]))


def test_a_list_is_shorter_where_nothing_is_left_which_is_said():
    found = evaluator(ks=(V,), list_metrics=("novelty",)).run(Fixed(np.zeros((U, V))))
    short = found.counts["users with fewer candidates than places"]
    assert short == found.counts["lists"] > 0
    assert found.notes == (f"{short} users have fewer candidates than the longest list has places",)


def test_one_that_declares_both_kinds_is_ranked_and_listed_as_a_dot_product():
    """Its sparse scores are others here: ranks of one kind beside lists of the other would not be of one model."""

    class Both(Factors):
        sparse, background = True, np.arange(V, dtype=np.float64)
        sparse_rows = SparseScores(0, U, V).sparse_rows

        def sparse_queries(self, users, histories, times_ms=None):
            return SparseScores(0, U, V).sparse_queries(users, histories)

    for time_aware in (False, True):
        both, product = (one(0, whole=True, time_aware=time_aware) for one in (Both, Factors))
        assert as_sparse(both) is None
        found, expected = (evaluator().run(one) for one in (both, product))
        for name, column in expected.columns.items():
            np.testing.assert_array_equal(found.columns[name], column)
        assert found.values() == pytest.approx(expected.values(), nan_ok=True)


def test_what_a_metric_needs_is_asked_for():
    with pytest.raises(ValueError, match="need the context of the items"):
        evaluator(context=None)
    with pytest.raises(ValueError, match=r"metric 'artist_exposure' needs the groups of the tracks: set groups to"):
        evaluator(list_metrics=("artist_exposure",), context=ListContext(V, make_log().counts()))
    with pytest.raises(ValueError, match="'coverag' does not exist"):
        evaluator(list_metrics=("coverag",))
