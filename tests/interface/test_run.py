"""A run as an object: answers by names, equal to those by ids and arrays."""

import dataclasses
import datetime
import json
import shutil

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mu import api
from mu.evals.results import load, tables
from mu.files import read_json
from mu.inference.policy import Policy
from mu.interface.frames import TrackFrame
from tests.helpers.own_clips import N_TRACKS, SILENT, config_of, import_clips, import_plays, plays, write_files
from tests.helpers.processes import run_python
from tests.helpers.tiny_runs import N_USERS, tiny_config, train, write_log

START = datetime.datetime(2023, 11, 14, 22, 13, 20, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on plays alone."""
    folder = tmp_path_factory.mktemp("plays")
    train(tiny_config(write_log(folder)), folder / "run")
    return api.open_run(folder / "run")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A run on plays with a context, and the sound of their tracks."""
    folder = tmp_path_factory.mktemp("both")
    write_files(folder, [f"{row},{('home', 'work')[place % 2]}" for place, row in enumerate(plays())])
    lines = (folder / "plays.csv").read_text().splitlines()
    (folder / "plays.csv").write_text("\n".join([f"{lines[0]},context", *lines[1:]]) + "\n")
    assert import_plays(folder, "--event_columns=context") == 0 and import_clips(folder) == 0
    train(config_of(folder), folder / "run")
    return api.open_run(folder / "run")


def test_a_listener_gets_what_the_recommender_says(run):
    frame = run.recommend("u11", 5)
    user = run.users["user"].to_list().index("u11")
    hits = run.recommender.recommend([user], run.log.take([user]), 5)
    assert frame["track"].to_list() == run.tracks["track"][hits.ids[0].astype(np.int64)].to_list()
    np.testing.assert_array_equal(frame["score"], hits.scores[0])
    assert frame.columns == ["rank", "track", "title", "artist", "score"]
    assert frame["rank"].to_list() == [1, 2, 3, 4, 5] and isinstance(frame, pl.DataFrame)


def test_histories_of_the_same_log_need_no_split_and_another_log_is_refused(run, tmp_path, monkeypatch):
    whole = run.trained.open_log()
    with monkeypatch.context() as patch:
        patch.setattr("mu.run.restore.open_split", None)
        assert run.trained.open_histories().hash() == whole.hash()
    (tmp_path / "other").mkdir()
    copy = shutil.copytree(run.folder, tmp_path / "run")
    config = read_json(copy / "config.json")
    config["data"]["path"] = str(write_log(tmp_path / "other", n_users=N_USERS - 1))
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"the data or split that .* was trained on has changed"):
        api.open_run(copy).recommend("u11")


def test_several_listeners_are_one_below_the_other(run):
    frame = run.recommend(["u11", "u3"], 3)
    assert frame["user"].to_list() == ["u11"] * 3 + ["u3"] * 3
    for name in ("u11", "u3"):
        alone = run.recommend(name, 3)
        assert frame.filter(user=name).drop("user").drop("score").equals(alone.drop("score"))
    for users in (("u11", "u3"), pd.Series(["u11", "u3"]), pl.Series(["u11", "u3"]), np.array(["u11", "u3"])):
        assert run.recommend(users, 3).equals(frame)


def test_a_history_may_be_a_text_or_a_list(run):
    text, names = run.recommend(history="t7,Song 3, reprised"), run.recommend(history=["t7", "Song 3, reprised"])
    assert text.equals(names) and not {"t7", "t3"} & set(names["track"])
    assert {"t7", "t3"} <= set(run.recommend(history=["t7", "t3"], k=1000, repeats=True)["track"])
    played = run.history(history=["t7", "Song 3, reprised"])
    assert played["track"].to_list() == ["t7", "t3"] and "time" not in played.columns


def test_candidates_and_what_is_excluded_are_names(run):
    frame = run.recommend(history=["t7"], candidates=["t1", "Song 2", "t7", "t5"], exclude=["t5"])
    assert set(frame["track"]) == {"t1", "t2"}
    assert run.recommend(history=["t7"], candidates="t1,Song 2", exclude="t1")["track"].to_list() == ["t2"]


def test_a_moment_ends_the_history(run):
    everything = run.history("u11")
    moment = everything["time"][5]
    before = run.history("u11", at=moment)
    assert before.equals(everything.filter(pl.col("time") <= moment)) and 0 < len(before) < len(everything)
    frame = run.recommend("u11", 1000, at=moment)
    assert set(frame["track"]) == {f"t{n}" for n in range(40)} - set(before["track"])
    for same in (moment.isoformat(), int(moment.timestamp() * 1000), np.datetime64(moment.replace(tzinfo=None), "ms")):
        assert run.recommend("u11", 1000, at=same).equals(frame)


def test_similar_tracks_are_those_of_the_largest_cosine(run):
    frame = run.similar("Song 5", 3)
    vectors = run.recommender.item_vectors
    row = run.tracks["track"].to_list().index("t5")
    cosine = vectors @ vectors[row] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[row])
    cosine[row] = -np.inf
    best = np.argsort(-cosine)[:3]
    assert frame["track"].to_list() == run.tracks["track"][best].to_list()
    np.testing.assert_allclose(frame["score"], cosine[best], rtol=1e-5)
    assert frame["track"][0] not in run.similar("Song 5", 3, exclude=[frame["track"][0]])["track"]


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda run: run.recommend("u111"), "no listener 'u111'; near it: u11"),
        (lambda run: run.recommend(["u111", "u1", "u222"]), "(?s)no listener 'u111'; near it: u11.*no listener 'u222'"),
        (lambda run: run.recommend(history=["t99"]), "no track 't99'; near it: t9"),
        (lambda run: run.recommend(history="t99,t7,t98"), "(?s)no track 't99'; near it: t9.*no track 't98'"),
        (lambda run: run.recommend("u1", exclude=5), "no track '5'; near it: t5"),
        (lambda run: run.recommend("u1", exclude=["Song 77"]), "no track 'Song 77'; near it: Song 7"),
        (lambda run: run.similar("Song 77"), "no track 'Song 77'; near it: Song 7"),
        (lambda run: run.recommend(), "give a listener's id in the log, or history"),
        (lambda run: run.recommend("u1", history=["t1"]), "one of the two"),
        (lambda run: run.recommend("u1", 0), "k is 0; it must be a whole number of at least 1"),
        (lambda run: run.recommend("u1", k="5"), "k is '5'; it must be a whole number of at least 1"),
        (lambda run: run.similar("t1", 2.5), "k is 2.5; it must be a whole number of at least 1"),
        (lambda run: run.recommend("u1", at="yesterday"), "at is 'yesterday'; it must be ISO 8601"),
        (
            lambda run: run.recommend("u1", at=1_700_000_000),
            r"at is 1700000000, .* is 1970-01-20T16:13:20.000Z; if these are seconds, give 1000 times as many",
        ),
        (lambda run: run.history("u1", at=np.int64(1_500_000_000)), "at is 1500000000, which as unix milliseconds"),
        (lambda run: run.recommend("u1", at=1.5), "at is 1.5; it must be a datetime"),
        (lambda run: run.recommend("u1", context={"context": "home"}), "event columns that the model knows: none"),
        (lambda run: run.recommend("u1", at=np.datetime64("NaT")), "at is .*NaT.*; it must be a datetime"),
        (lambda run: run.recommend("u1", context=["home"]), "it must be a mapping of event columns to values"),
        (lambda run: run.explain("u1", "t1"), "the scores of TrainedRecommender are no sums of parts"),
        (lambda run: run.audience("new.wav"), "is no run on plays and audio"),
        (lambda run: run.evaluate("train"), "part is 'train'; it must be 'test' or 'valid'"),
    ],
)
def test_what_cannot_be_answered_is_said(run, ask, words):
    with pytest.raises(ValueError, match=words):
        ask(run)


def test_an_evaluation_is_a_table_and_a_frame(run):
    again = run.evaluate()
    saved = load(run.folder)
    frame = again.frame.filter(recommender="model")
    assert dict(zip(frame["metric"], frame["value"], strict=True)) == {
        name: one.value for name, one in saved.rows["model"].items()
    }
    assert saved.samples == 20, "not what a table draws where nothing is said"
    assert {(name, low, high) for _, _, name, _, low, high, _ in frame.iter_rows()} == {
        (name, one.low, one.high) for name, one in saved.rows["model"].items()
    }
    assert repr(again) == tables(run.folder).rstrip("\n")
    recall = saved.rows["model"]["recall@10"]
    assert f"[{recall.low:.4f}, {recall.high:.4f}]" in again._repr_html_() and "<table>" in again._repr_html_()
    assert again.results["ranking"]["model"].values() == saved.results["model"].values()
    assert "<table>" in run._repr_html_() and "SASRec" in run._repr_html_() and "SASRec" in repr(run)


def test_reasons_and_contributions(both):
    frame = both.recommend("u7", 4)
    assert frame.columns == ["rank", "track", "title", "artist", "score", "reason_1", "reason_2"]
    parts = both.explain("u7", frame["track"][0])
    assert set(parts["part"].str.split(" ").list.first()) == {"who", "its", "artist", "tags"}
    assert parts["contribution"].sum() == pytest.approx(frame["score"][0], abs=1e-3)
    assert parts["beyond_mean"].is_sorted(descending=True)
    largest = parts.filter(pl.col("beyond_mean") > 0.05)["part"].to_list()
    assert [frame["reason_1"][0], frame["reason_2"][0]] == [*largest, None, None][:2]
    assert both.explain(None, "t3", history=["t8", "t4"])["contribution"].sum() == pytest.approx(
        both.recommend(history=["t8", "t4"], k=N_TRACKS).filter(track="t3")["score"][0], abs=1e-3
    )


def test_a_process_that_answers_once_waits_for_nothing_that_it_does_not_need(both):
    """Under 2 s, said without a clock: the packages it does not import, and a collector that does not walk."""
    code = (
        "import gc, sys, mu.api\n"
        "walks = []\n"
        "gc.callbacks.append(lambda phase, what: walks.append(what['generation']))\n"
        "frame = mu.api.open_run(sys.argv[1]).recommend('u11', 3)\n"
        "print(*frame['track'], gc.isenabled(), 2 in walks)\n"
        "print(*sys.modules)"
    )
    answer, modules = run_python(code, both.folder).splitlines()
    assert answer.split() == [*both.recommend("u11", 3)["track"], "True", "False"]
    packages = {name.partition(".")[0] for name in modules.split()}
    assert {"jax", "numba", "polars", "tensorstore"} <= packages
    assert packages & {"array_record", "grain", "jinja2", "mutagen", "orbax", "sklearn", "tensorflow_datasets"} == set()
    assert "scipy.special" not in modules.split()


def test_the_context_of_the_latest_play_matters(both):
    names = {"home", "work"}
    user = both.users["user"].to_list().index("u7")
    log = both.log.take([user])
    last = both.log.vocabulary("context")[log.columns["context"][-1]]
    as_it_was = both.recommend("u7", 5)
    assert both.recommend("u7", 5, context={"context": last}).equals(as_it_was)
    (other,) = names - {last}
    assert not np.allclose(both.recommend("u7", 5, context={"context": other})["score"], as_it_was["score"])
    nobody = both.recommend(history=["t8", "t4"], k=5)
    assert not np.allclose(
        both.recommend(history=["t8", "t4"], k=5, context={"context": last})["score"], nobody["score"]
    )
    with pytest.raises(ValueError, match=r"context='homme' \(did you mean 'home'\?\); the plays of the log have"):
        both.recommend("u7", context={"context": "homme"})
    with pytest.raises(ValueError, match=r"context names 'contxt' \(did you mean 'context'\?\)"):
        both.recommend("u7", context={"contxt": "home"})


def test_tracks_come_out_when_they_do(both):
    everything = set(both.recommend("u7", 1000)["track"])
    early = set(both.recommend("u7", 1000, at=START + datetime.timedelta(days=20))["track"])
    new = {f"t{track}" for track in range(30, N_TRACKS)}
    assert new & everything and not new & early
    assert both.recommend(history=["t1"], candidates=list(new), at=START).is_empty()


def test_before_any_release_there_is_nothing_to_recommend_or_explain(both):
    before = START - datetime.timedelta(days=10_000)
    nothing = both.recommend(["u7", "u3"], at=before)
    assert nothing.is_empty() and {"reason_1", "reason_2"} < set(nothing.columns)
    with pytest.raises(ValueError, match=r"at=.*: no track is out yet"):
        both.explain("u7", "t1", at=before)


def test_a_new_recording_has_an_audience(both):
    file = both.folder.parent / "audio" / "7.wav"
    about = {"artist": "Artist 3", "tags": ["low", "dark"]}
    frame = both.audience(file, 4, about=about)
    assert frame.columns[:3] == ["rank", "user", "times_mean"] and frame["times_mean"].is_sorted(descending=True)
    assert frame.equals(both.audience(str(file), 4, about="artist=Artist 3;tags=low|dark"))
    row = both.tracks["track"].to_list().index("t7")
    sound = both.log.sound
    waveform = sound.waveform(row, 0, int(sound.lengths[row]))
    from_memory = both.audience(waveform, 4, about=about, sample_rate_hz=sound.sample_rate_hz)
    assert from_memory["user"].equals(frame["user"])
    np.testing.assert_allclose(from_memory["times_mean"], frame["times_mean"], rtol=1e-3)
    with pytest.raises(ValueError, match="a waveform needs its sample_rate_hz"):
        both.audience(waveform)
    with pytest.raises(ValueError, match="audio has the shape"):
        both.audience(np.stack([waveform, waveform]), sample_rate_hz=8000)
    with pytest.raises(ValueError, match="k is 0; it must be a whole number"):
        both.audience(file, 0)
    with pytest.raises(ValueError, match="'mood' is no column=value"):
        both.audience(file, about={"mood": "sad"})


def test_a_notebook_shows_players(both):
    silent = [f"t{track}" for track in SILENT]
    frame = both.recommend(history=["t1"], k=5, exclude=silent)
    assert isinstance(frame, TrackFrame)
    assert frame._repr_html_().count('<audio controls preload="none" src="data:audio/mpeg;base64,') == 5
    assert "<audio" not in both.recommend(history=["t1"], candidates=silent)._repr_html_()
    assert both._repr_html_().count("<audio") == 3 and "A run of mu" in both._repr_html_()
    assert "<audio" not in frame.head(2)._repr_html_() and len(frame.head(2)) == 2


def test_a_playlist_names_the_files_of_tracks_that_have_one(both, tmp_path):
    frame = both.recommend(history=["t1"], candidates=["t7", "t5"])
    both.write_playlist(frame, tmp_path / "list.m3u8")
    lines = (tmp_path / "list.m3u8").read_text().splitlines()
    file = (both.folder.parent / "audio" / "7.wav").resolve()
    names = {"t7": ["#EXTINF:0,Artist 2 - Song 7", str(file)], "t5": ["#EXTINF:-1,Artist 0 - Song 5", "t5"]}
    assert lines == ["#EXTM3U", *(line for track in frame["track"] for line in names[track])]


def test_the_page(both, tmp_path):
    assert both.report(tmp_path / "page.html").read_text().startswith("<!doctype html>")
    with pytest.raises(
        IsADirectoryError, match=rf"{tmp_path} is a folder: give a file, such as {tmp_path}/report.html"
    ):
        both.report(tmp_path)


def test_an_evaluation_that_fits_the_policy_changes_the_open_run(both, tmp_path, monkeypatch):
    policy = Policy.load(both.folder)
    folder = shutil.copytree(both.folder, tmp_path / "run")
    dataclasses.replace(policy, new_release_boost=policy.new_release_boost + 9).save(folder)
    run = api.open_run(folder)
    other = run.recommend("u7", 3)

    def evaluate_again(place, part, progress):
        policy.save(place)
        return {"plays": {}}, place / "evaluation"

    monkeypatch.setattr("mu.run.reevaluation.evaluate_again", evaluate_again)
    run.evaluate()
    assert run.recommender.policy == run.trained.policy == policy
    assert run.recommend("u7", 3).equals(both.recommend("u7", 3)) and not run.recommend("u7", 3).equals(other)
