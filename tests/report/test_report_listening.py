"""The page of a run on plays: a new track, the metric of its listeners, and what an evaluation leaves out."""

import dataclasses
from typing import Any, cast

import numpy as np
import pytest

import mu.report.listening_run
from mu.evals.result import Result
from mu.evals.results import load, save
from mu.files import write_json
from mu.report.cold_start import ColdStartListener, ColdStartTrack, cold_start_track
from mu.report.comparison import comparison
from mu.report.listeners import Listener, Listeners, Row, TrackList
from mu.report.listening import page
from mu.report.listening_run import ListeningRun, Sections, main_metric, read_listening_run
from mu.report.read import RunFacts
from tests.helpers.fixed_scores import TimeAwareScores, split_log
from tests.helpers.listening_logs import make_listening


def test_listeners_are_compared_by_the_metric_that_the_best_step_was_chosen_by():
    result = Result("user", np.arange(2), {"recall@10": np.ones(2), "ndcg@10": np.ones(2)})
    assert main_metric(result, "valid/ranking/ndcg@10") == "ndcg@10"
    assert main_metric(result, "valid/negative_loss") == "recall@10"
    plays = Result("play", np.arange(2), {"discovery/recall@20": np.ones(2), "repeat/recall@20": np.ones(2)})
    assert main_metric(plays, "valid/plays/repeat/recall@20") == "repeat/recall@20"
    lists = Result("user", np.arange(2), {"novelty@10": np.ones(2)}, descriptive=("novelty@10", "coverage@10"))
    assert main_metric(lists, "valid/lists/novelty@10") is None
    assert main_metric(dataclasses.replace(lists, columns={}), "valid/ranking/ndcg@10") is None


def make_run(folder, counts=(("repeat", 7),), **computed):
    facts = RunFacts(
        title="run",
        about=["today"],
        facts=[("Seed", "0")],
        command="mu train",
        config_text="{}",
        curves={"": [{"step": 1, "loss": 1.0, "valid/repeat/recall@20": 0.5, "valid/new: day 0/recall@20": 0.5}]},
        chosen="valid/repeat/recall@20",
        step=1,
        problems=(),
    )
    result = Result("play", np.arange(7), {"repeat/recall@20": np.full(7, 0.5)}, counts=dict(counts))
    save(folder, {"model": result}, {}, samples=5)
    found = load(folder)
    return ListeningRun(facts, found, comparison(found.results, found.rows, samples=5), Sections(**computed))


def test_a_run_that_was_tested_on_repeats_alone_has_a_table_and_no_chart(tmp_path):
    text = page(make_run(tmp_path))
    assert "repeat (7)" in text and "By the age of the track" not in text
    assert "A typical listener" not in text and "A new track" not in text
    assert "Validation: repeat/recall@20" in text and "day 0/recall" not in text


def test_what_the_evaluation_left_out_is_a_fact_and_no_section(tmp_path, monkeypatch):
    counts = {"plays": 9, "plays left out: played before in the test": 2, "repeat": 7}
    columns = {"repeat/recall@20": np.ones(7)}
    save(tmp_path, {"model": Result("play", np.arange(7), columns, counts=counts)}, {}, samples=5)
    write_json(tmp_path / "run.json", {"data_card": {"users": 3}})
    write_json(tmp_path / "config.json", {})
    data = {}
    monkeypatch.setattr(mu.report.listening_run, "run_facts", lambda place, card, facts, problems: data.update(facts))
    run = read_listening_run(tmp_path, load(tmp_path), Sections(), ())
    assert run.counts == {"repeat": 7}
    assert data["Measured"] == "7 of 9 plays, 2 left out: played before in the test"


def person(**changes):
    row = Row(0, "Song & <b>", "Artist", "today")
    values = {
        "tab": "A typical listener", "name": "u<1>", "rule": "Chosen by <lot>.", "values": [("the model", "0.500")],
        "n_events": 3, "n_test": 1, "history": TrackList("Played last", [row]),
        "lists": [TrackList("Recommended", [row])], "played": [("Song & <b>", True)],
    }  # fmt: skip
    return Listener(**{**values, **changes})


def test_the_page_repeats_how_its_cases_were_chosen(tmp_path):
    row = Row(0, "Song & <b>", "Artist", "today")
    cold_start = ColdStartTrack(
        row, "Chosen so: by & by.", [ColdStartListener("u", "", "x", True)], 1, 0.75, "Over all: 60 %.", "its tags"
    )
    text = page(make_run(tmp_path, listeners=Listeners([person()], "recall@20", [], "play"), cold_start=cold_start))
    assert "the model reads its tags alone" in text
    assert "Chosen by &lt;lot&gt;." in text and "Chosen so: by &amp; by." in text
    assert "<b>75%</b> of pairs" in text and "Over all: 60 %." in text
    row = Row(0, "Song", "", why="its sound +1.2", hit=True, badge="played in the test")
    explained = person(lists=[TrackList("Recommended", [row], "1 of 1 played in the test")])
    text = page(make_run(tmp_path, listeners=Listeners([explained], "recall@20", ["What speaks for it."], "play")))
    assert "What speaks for it." in text and "its sound +1.2" in text and text.count("1 of 1 played in the test") == 1


@pytest.mark.parametrize(("sound", "inputs"), [(True, "its sound and its attributes"), (False, "its attributes")])
def test_what_a_model_reads_of_a_new_track_is_what_there_is_of_it(sound, inputs):
    log = make_listening(n_users=60, sound=sound)
    log.items[log.indptr[1:] - 1] = np.where(np.arange(60) < 20, 19, 3)
    log.released_ms[19] = log.times.max()
    track = cold_start_track(split_log(log), cast(Any, TimeAwareScores(log)), reads_audio=sound)
    assert track is not None
    assert track.row.track == 19 and track.inputs == inputs and track.n_players == 20
    scores = TimeAwareScores(log).query_table @ TimeAwareScores(log).item_vectors[19]
    assert [one.listener for one in track.listeners] == [str(user) for user in np.argsort(-scores)[:8]]


def share_in_order(scores, positive):
    """How often a positive has the larger score, ties by half, pair by pair."""
    return np.mean([(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]])


def test_new_tracks_are_measured_together_each_counted_alike():
    log = make_listening(n_users=60)
    log.items[log.indptr[1:] - 1] = np.where(np.arange(60) < 20, 19, np.where(np.arange(60) < 30, 18, 3))
    log.released_ms[18:] = log.times.max()
    track = cold_start_track(split_log(log), cast(Any, TimeAwareScores(log)), reads_audio=True)
    assert track is not None
    scores, users = TimeAwareScores(log), np.arange(60)
    aucs = [
        share_in_order(scores.query_table @ scores.item_vectors[new], played)
        for new, played in ((18, (users >= 20) & (users < 30)), (19, users < 20))
    ]
    assert track.auc == pytest.approx(aucs[1]) and track.row.track == 19
    assert (
        f"Over all 2 new tracks that were played in the test, each counted alike: {np.mean(aucs):.0%}" in track.all_new
    )


def test_a_track_that_every_listener_played_has_no_audience_to_tell_apart():
    log = make_listening(n_users=20)
    log.items[log.indptr[1:] - 1] = 19
    log.released_ms[18:] = log.times.max()
    assert cold_start_track(split_log(log), cast(Any, TimeAwareScores(log)), reads_audio=True) is None
