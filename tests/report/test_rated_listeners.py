"""The page of rated tracks: those that a listener rated, in the order of each recommender, with the ratings given."""

import dataclasses
import re

import numpy as np
import pytest

from mu.data.logs.splits import Split
from mu.evals.protocols.rated_candidates import RatedCandidates
from mu.evals.results import load, save
from mu.report.comparison import comparison_of
from mu.report.listening import page
from mu.report.listening_run import ListeningRun, data_facts
from mu.report.listening_sections import listening_sections
from mu.report.log_words import RATINGS, log_words
from mu.report.rated_listeners import FIRST, MOST_RATED, rated_listeners
from mu.report.read import RunFacts
from mu.report.split_log import LogModels, SplitLog
from tests.helpers.fixed_scores import Dense, Scores
from tests.helpers.listening_logs import make_listening

GOOD = 4.0
TWICE = int(np.argmax(make_listening(n_users=40, longest=18, sound=False).lengths == 15))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """(models, evaluation): the last third of the ratings of each of 40 listeners is the test."""
    log = make_listening(n_users=40, longest=18, sound=False)
    log.weights[:] = np.random.default_rng(3).integers(1, 6, len(log))
    place = np.arange(len(log)) - np.repeat(log.indptr[:-1], log.lengths)
    in_test = place * 3 >= 2 * np.repeat(log.lengths, log.lengths)
    # One listener rates a track of the test twice, and one that is in the history.
    own = log.indptr[TWICE] + np.arange(log.lengths[TWICE])
    tested = own[in_test[own]]
    log.items[tested[:2]], log.items[tested[2]] = 17, log.items[own[0]]
    log.weights[tested] = [1, 5, *[2] * (len(tested) - 2)]
    train, test = log.where(~in_test), log.where(in_test)
    models = LogModels(
        SplitLog(log, train, test, train.end_ms), Scores(log), {}, {"item_knn": Dense(log), "biases": Scores(log)}
    )
    split = Split("s", train, train.where(np.zeros(len(train), bool)), test, "hash")
    evaluator = RatedCandidates(split=split, part="test", threshold=GOOD, ks=(5,))
    folder = tmp_path_factory.mktemp("rated")
    save(folder, {"model": evaluator.run(models.model), "item_knn": evaluator.run(Dense(log))}, {}, samples=20)
    return models, load(folder)


def expected(models, user):
    """(track, rating) of the test as the scores order them; a track of the history is none, of two ratings the last."""
    log, scores = models.log, Scores(models.log.data)
    ratings = dict(zip(log.test.row(user).tolist(), log.test.take(np.array([user])).weights.tolist(), strict=True))
    known = set(log.histories.row(user).tolist())
    own = scores.item_vectors @ scores.query_table[user] + scores.item_bias()
    return sorted(((t, r) for t, r in ratings.items() if t not in known), key=lambda pair: -own[pair[0]])


def test_a_list_holds_the_rated_tracks_alone_in_the_order_of_the_scores(measured):
    models, evaluation = measured
    view = rated_listeners(models, evaluation.results, "auc")
    assert view is not None and view.event == "rating"
    values = evaluation.results["model"].columns["auc"]
    assert f"the model {np.nanmax(values):.3f}" in [" ".join(one) for person in view.people for one in person.values]
    for person in view.people:
        user = int(person.name.removeprefix("Listener "))
        order = expected(models, user)
        assert person.n_test == len(order) and person.n_events == models.log.histories.lengths[user]
        assert not person.played
        assert [one.heading for one in person.lists] == [
            "In the order of the model", "In the order of ItemKNN", "In the order of rating biases"
        ]  # fmt: skip
        for one in person.lists:  # three recommenders of the same scores
            assert [(row.track, row.badge) for row in one.rows] == [
                (track, f"rated {rating:g}") for track, rating in order[:MOST_RATED]
            ]
            assert [row.hit for row in one.rows] == [rating >= GOOD for _, rating in order[:MOST_RATED]]
            first = min(FIRST, len(order))
            good = sum(rating >= GOOD for _, rating in order[:first])
            assert one.summary.startswith(f"{good} of the first {first} rated 4 or more")
        before = [row.about for row in person.history.rows]
        assert person.history.heading == "Rated highest before the test"
        assert before == sorted(before, reverse=True) and all(re.fullmatch("rated [1-5]", one) for one in before)


def test_of_two_ratings_of_a_track_the_last_is_shown_and_none_of_the_history(measured):
    models, evaluation = measured
    only = {name: result.take(np.flatnonzero(result.units == TWICE)) for name, result in evaluation.results.items()}
    view = rated_listeners(models, only, "auc")
    assert view is not None
    (person,) = view.people
    badges = {row.track: row.badge for row in person.lists[0].rows}
    assert badges[17] == "rated 5" and list(badges.values()).count("rated 1") == 0
    assert not set(badges) & set(models.log.histories.row(TWICE).tolist())
    assert len(badges) == person.n_test == models.log.test.lengths[TWICE] - 2


def test_the_page_speaks_of_ratings(measured):
    models, evaluation = measured
    assert log_words(evaluation.results["model"]) is RATINGS
    sections = listening_sections(models, evaluation, "auc")
    about = data_facts({"users": 40, "tracks": 20, "events": 9}, RATINGS)["Data"]
    assert about == "40 listeners, 20 tracks, 9 ratings" and sections.cold_start is None
    facts = RunFacts("run", [about], [("Seed", "0")], "", "{}", {"": []}, "valid/rated/auc", 1, ())
    text = page(ListeningRun(facts, evaluation, comparison_of(evaluation), sections))
    said = re.sub(r"<style.*?</style>|<[^>]+>", " ", text, flags=re.DOTALL)
    said = re.sub(r"\s+", " ", said)
    assert "Among the tracks that each listener rated the model is level with ItemKNN (auc 0." in said
    assert "tracks are rated together, in the same ratings" in said
    assert "ratings before the test" in said
    assert "that are rated most" in said and "tracks that the same listeners rate" in said
    assert not re.search(r"\bplay", said), re.findall(r".{30}\bplay.{30}", said)


def test_an_evaluation_that_does_not_say_what_is_good_is_refused(measured):
    models, evaluation = measured
    old = {name: dataclasses.replace(result, card={}) for name, result in evaluation.results.items()}
    with pytest.raises(ValueError, match="run `mu evaluate` again"):
        rated_listeners(models, old, "auc")
