"""Listeners of a page: how they are chosen, what is recommended to them and why, and tracks near each other."""

import numpy as np
import polars as pl
import pytest

from mu.evals.result import Result
from mu.report.best_tracks import best_tracks
from mu.report.explanation import LargestParts, NearPlayed
from mu.report.listener_choice import choose
from mu.report.listener_groups import listener_groups
from mu.report.listeners import SHOWN, listeners
from mu.report.log_words import PLAYS
from mu.report.near_tracks import near_tracks
from mu.report.score_parts import Asked, ScoreParts
from mu.report.split_log import LogModels
from mu.report.track_map import track_map
from tests.helpers.fixed_scores import Dense, Scores, split_log
from tests.helpers.listening_logs import make_listening


def result_of(values, unit="user", users=None, name="recall@10"):
    """A result of these values; of plays clustered by `users`."""
    ids = np.arange(len(values))
    clusters = None if users is None else np.asarray(users)
    columns = {name: np.asarray(values, np.float64)}
    return Result(unit, ids, columns, cluster="" if users is None else "user", clusters=clusters)


@pytest.mark.parametrize(
    ("values", "users"),
    [
        ([0, 0.3, 0, 0.1, 0.2], {"typical": 4, "best": 1, "worst": 0}),
        ([0, 0], {"typical": 0}),
        ([0, 0.1, 0.1, 0.5], {"typical": 1, "best": 3, "worst": 0}),
        ([0.4], {"typical": 0}),
        ([0.5, 0.1, 0.9], {"typical": 0, "best": 2, "worst": 1}),
    ],
)
def test_the_typical_listener_is_the_median_of_those_with_any_hit(values, users):
    same = np.ones(len(values), np.int64)
    chosen = choose({"model": result_of(values), "other": result_of(values)}, "recall@10", same, same)
    assert {one.name: one.user for one in chosen} == users
    assert all(one.values == {"model": values[one.user], "other": values[one.user]} for one in chosen)


def test_of_listeners_served_alike_the_one_who_played_most_is_taken_and_none_without_a_history():
    values, n_before, n_test = [0.0, 0.0, 0.0, 1.0, 0.5], np.array([1, 1, 0, 2, 2]), np.array([1, 3, 9, 1, 1])
    chosen = choose({"model": result_of(values)}, "recall@10", n_before, n_test)
    assert [one.user for one in chosen] == [4, 3, 1]
    assert chosen[0].rule == "The recall@10 of 4 listeners is 0 for 2, and this is the median of the others."
    assert chosen[2].rule == "The smallest recall@10 of 4 listeners; another has the same."
    assert chosen[1].rule == "The largest recall@10 of 4 listeners."


def test_the_metric_of_a_listener_is_the_mean_over_their_plays():
    result = result_of([1.0, 0.0, np.nan, 0.0, np.nan], "play", [7, 7, 7, 2, 3])
    chosen = choose({"model": result}, "recall@10", np.ones(8), np.ones(8))
    assert {one.user: one.values["model"] for one in chosen} == {7: 0.5, 2: 0.0}


def test_groups_of_listeners_hold_each_once_and_have_their_means():
    values = np.linspace(0, 1, 40)
    cities = [f"city {number}" for number in range(40)]
    users = pl.DataFrame({"user": range(40), "gender": ["f"] * 20 + ["m"] * 20, "city": cities})
    by_plays, by_gender = listener_groups({"model": result_of(values)}, "recall@10", np.arange(40), users, PLAYS, 20, 0)
    assert [(plays, n) for plays, n, *_ in by_plays.rows] == [
        ("0 to 9", 10), ("10 to 19", 10), ("20 to 29", 10), ("30 to 39", 10)
    ]  # fmt: skip
    means = [f"{values[i : i + 10].mean():.3f}" for i in (0, 10, 20, 30)]
    assert [cells[0][0] for _, _, cells, _ in by_plays.rows] == means
    assert by_gender.by == "gender" and [group for group, *_ in by_gender.rows] == ["f", "m"]
    assert by_gender.rows[1][3][0] == f"{values[20:].mean() - values[:20].mean():.3f}"
    assert not listener_groups({"model": result_of(values)}, "recall@10", np.full(40, 3), users[["user"]], PLAYS, 20, 0)


def test_a_group_in_which_one_recommender_has_no_value_has_an_empty_cell():
    lists = np.linspace(0, 1, 60)
    results = {"model": result_of(lists), "other": result_of(np.where(np.arange(60) < 25, np.nan, lists))}
    users = pl.DataFrame({"user": range(60), "city": np.repeat(["a", "b", "c"], 20)})
    (table,) = listener_groups(results, "recall@10", np.full(60, 3), users, PLAYS, 20, 0)
    assert [(group, n) for group, n, *_ in table.rows] == [("a", 20), ("b", 20), ("c", 20)]
    assert [[value for value, _ in cells] for _, _, cells, _ in table.rows] == [
        [f"{lists[:20].mean():.3f}", ""],
        [f"{lists[20:40].mean():.3f}", f"{lists[25:40].mean():.3f}"],
        [f"{lists[40:].mean():.3f}"] * 2,
    ]


def models_of(log, **baselines):
    return LogModels(split_log(log), Scores(log), {}, baselines)


def served(log, users):
    """A result in which one of the users is served best, and all others not at all."""
    return {"model": result_of(np.arange(log.n_users) == users[0])}


def test_recommendations_are_the_best_of_what_is_out_and_new_to_the_listener():
    log = make_listening(n_users=60)
    split, users = split_log(log), np.array([5, 0, 33])
    recommender = Scores(log)
    lists, dense = best_tracks(split, recommender, users, SHOWN), best_tracks(split, Dense(log), users, SHOWN)
    for user, tracks, others in zip(users, lists, dense, strict=True):
        scores = recommender.item_vectors @ recommender.query_table[user] + recommender.item_bias()
        scores[log.row(user)[:-1]] = -np.inf
        scores[log.released_ms > split.now_ms] = -np.inf
        assert tracks.tolist() == np.argsort(-scores)[: min(SHOWN, int(np.isfinite(scores).sum()))].tolist()
        assert others.tolist() == tracks.tolist()


def test_a_listener_stands_beside_what_each_recommender_would_have_shown():
    log = make_listening(n_users=60)
    models, user = models_of(log, item_knn=Dense(log)), 7
    view = listeners(models, served(log, [user]), "recall@10")
    assert view is not None
    assert [person.tab for person in view.people] == ["A typical listener", "Served worst"]
    first = view.people[0]
    assert first.name == f"Listener {user}" and first.n_events == log.lengths[user] - 1
    last = log.row(user)[:-1][::-1][:SHOWN]
    assert [row.track for row in first.history.rows] == last.tolist()
    (recommended, beside), (played,) = first.lists, log.row(user)[-1:]
    assert beside.heading == "ItemKNN would have shown"
    assert [row.track for row in beside.rows] == [row.track for row in recommended.rows]
    assert [row.track for row in recommended.rows if row.hit] == [
        row.track for row in recommended.rows if row.track == played
    ]
    assert all(row.why.startswith("near ") or not row.why for row in recommended.rows)
    assert not any(row.why for row in beside.rows)
    assert set(view.tracks) >= {row.track for row in recommended.rows} | set(last.tolist())


def test_of_a_metric_that_looks_further_than_the_lists_it_is_said_what_lies_there():
    log = make_listening(n_users=60)
    results = {"model": result_of(np.arange(60) == 7, name="discovery/recall@14")}
    view = listeners(models_of(log), results, "discovery/recall@14")
    assert view is not None and view.metric == "recall@14"
    (best,) = best_tracks(split_log(log), Scores(log), np.array([7]), 14)
    first = view.people[0].lists[0]
    last, played = log.row(7)[-1:], f"{sum(row.hit for row in first.rows)} of {SHOWN} played in the test"
    assert first.summary == f"{played}, {np.isin(best, last).sum()} of the first 14"
    assert [row.track for row in first.rows] == best[:SHOWN].tolist()


def test_a_log_without_times_shows_what_weighs_most():
    log = make_listening(n_users=60, sound=False)
    log.card["time_unit"] = "order"
    log.weights[:] = np.arange(len(log))
    user = int(log.lengths.argmax())
    view = listeners(models_of(log), served(log, [user]), "recall@10")
    assert view is not None
    first = view.people[0]
    events = np.arange(log.indptr[user], log.indptr[user + 1] - 1)[::-1][:SHOWN]
    assert first.history.heading == "Played most, by weight"
    assert [row.track for row in first.history.rows] == log.items[events].tolist()
    assert first.history.rows[0].about.startswith(f"weight {events[0]:,}")


def test_reasons_are_the_largest_parts_beyond_those_of_the_mean_track():
    log = make_listening(n_users=60)
    released = np.ones(log.n_items, bool)
    parts = {"own": np.zeros((log.n_items, 1), np.float32), "sound": np.zeros((log.n_items, 1), np.float32)}
    parts["own"][3], parts["sound"][3] = 2.0, -1.0

    class One(Scores):
        def queries(self, users, histories, times_ms=None):
            return np.full((len(users), 1), 1.5, np.float32)

    scores = ScoreParts(parts, {}, released, log.tracks)
    explanation = LargestParts(scores, One(log), log)
    assert explanation.reasons(0, np.array([3, 4])) == [
        f"who else plays it {3.0 * (1 - 1 / log.n_items):+.1f}",
        "its sound +0.1",
    ]


def test_near_names_the_most_similar_of_what_was_played():
    log = make_listening(n_users=60)
    vectors = np.eye(log.n_items, 4, dtype=np.float32)
    vectors[19] = [1.0, 0.2, 0.0, 0.0]
    log.items[: log.indptr[1]] = 0
    log.items[0] = 1
    titles = [f"Song {track} (0.5 mix)" for track in range(log.n_items)]
    assert NearPlayed(vectors, log, titles).reasons(0, np.array([19, 2])) == ["near Song 0 (0.5 mix) (.98)", ""]


def test_near_tracks_are_the_nearest_that_were_played_and_the_neighbours_of_the_track_alone():
    log = make_listening(n_users=60, sound=False)
    split, knn = split_log(log), Dense(log)
    view = near_tracks(split, Scores(log).item_vectors, {"item_knn": knn}, PLAYS)
    assert view is not None
    titles, _ = split.names
    counts, vectors = split.histories.counts(), Scores(log).item_vectors
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert len(view.queries) == 6 and [one.n_events for one in view.queries] == sorted(
        (one.n_events for one in view.queries), reverse=True
    )
    for one in view.queries:
        track = titles.index(one.title)
        cosines = directions @ directions[track]
        cosines[(counts == 0) | (np.arange(log.n_items) == track)] = -np.inf
        (model, near), (knn_name, _) = one.lists
        assert (model, knn_name) == ("The model", "ItemKNN")
        assert [title for title, _ in near] == [titles[other] for other in np.argsort(-cosines)[:5]]


def test_neighbours_of_a_track_alone_are_those_of_its_best_rating():
    log = make_listening(n_users=60, sound=False)
    log.weights[:] = np.random.default_rng(0).integers(1, 6, len(log))
    asked = []

    class Recording(Dense):
        def scores(self, users, histories, times_ms=None):
            asked.append(histories)
            return super().scores(np.zeros(len(users), np.int64), histories)

    split = split_log(log)
    view = near_tracks(split, Scores(log).item_vectors, {"item_knn": Recording(log)}, PLAYS)
    assert view is not None
    (histories,) = asked
    titles, plays = split.names[0], split.histories
    assert histories.lengths.tolist() == [1] * 6
    assert [titles[track] for track in histories.items] == [one.title for one in view.queries]
    assert histories.weights.tolist() == [plays.weights[plays.items == track].max() for track in histories.items]


def test_a_value_that_a_track_lacks_is_unknown_and_never_called_none():
    log = make_listening(n_users=60, sound=False)
    genres = [None if track == 2 else "jazz" for track in range(log.n_items)]
    log.__dict__["tracks"] = pl.DataFrame({"track": np.arange(log.n_items), "genre": genres})
    found = track_map(split_log(log), Scores(log).item_vectors, PLAYS)
    assert found.label_name == "genre" and set(found.labels) == {"jazz", "unknown"}
    parts = {"genre": np.arange(log.n_items, 0, -1, dtype=np.float32)[:, None]}
    scores = ScoreParts(parts, {}, np.ones(log.n_items, bool), log.tracks)
    words = [name for ((name, _),) in scores.reasons(Asked(np.ones(1, np.float32), None), np.array([2, 1]))]
    assert words == ["genre", "genre jazz"]
