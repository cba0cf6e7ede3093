"""One's own log and one's own audio, from files to recommendations: experiments/plays_and_clips.py in small."""

import dataclasses
import functools
import json
import re
import shutil
from typing import Any

import numpy as np
import polars as pl
import pytest

from mu.audio import io
from mu.cli import main
from mu.config.base import ConfigError, base
from mu.config.resolve import resolve
from mu.data.clips.clips import load as load_clips
from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.run import import_audio
from mu.data.embeddings import load as load_embeddings
from mu.data.listening.clip_rows import clip_rows
from mu.data.listening.listening import load
from mu.data.track_names import track_titles
from mu.embedding.cold_start import described, listeners_of, open_embedded, recordings_for
from mu.embedding.encoder import clip_encoder, hash_of
from mu.embedding.recording import vector_of_file
from mu.embedding.run import embed
from mu.evals.result import Result
from mu.evals.results import load as load_evaluation
from mu.files import read_json
from mu.histories import TrackHistories
from mu.inference import track_content
from mu.inference.policy import POLICY, Policy
from mu.inference.track_content import CONTENT
from mu.run.evaluation import content_encoder, model_of
from mu.run.rebuild import rebuild
from mu.run.reevaluation import evaluate_again
from mu.run.restore import open_run
from mu.training.state import weights
from tests.helpers.audio_files import write
from tests.helpers.own_clips import (
    N_TRACKS,
    NEW_FROM,
    RATE_HZ,
    SILENT,
    config_of,
    config_words,
    import_clips,
    import_plays,
    plays,
    write_files,
)
from tests.helpers.tiny_runs import Breaking, assert_same_run, train


@functools.cache
def restored_once(workdir) -> Any:
    """Restoring a run takes seconds, which every call here would pay."""
    return rebuild(workdir)


@functools.cache
def opened_once(workdir) -> Any:
    return open_run(workdir)


@pytest.fixture(autouse=True)
def restored_runs(monkeypatch):
    """A run is restored once for all tests."""
    monkeypatch.setattr("mu.run.rebuild.rebuild", lambda workdir: restored_once(str(workdir)))
    for module in ("mu.run.restore", "mu.embedding.encoder", "mu.interface.run"):
        monkeypatch.setattr(f"{module}.open_run", lambda workdir: opened_once(str(workdir)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """plays.csv and so on, and log/ and clips/ made of them."""
    folder = tmp_path_factory.mktemp("own")
    write_files(folder)
    assert import_plays(folder) == 0 and import_clips(folder) == 0
    return folder


@pytest.fixture(scope="module")
def run(folder):
    """A run on all that there is, as the command line makes it."""
    train(config_of(folder), folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def restored(run):
    return restored_once(str(run))


def opened(folder, **options) -> Any:
    return load(folder / "log", clips=str(folder / "clips"), sample_rate_hz=RATE_HZ, **options)


# ---- the data


def test_each_track_sounds_as_its_file(folder):
    data = opened(folder)
    names = data.tracks["track"].to_list()
    assert data.sample_rate_hz == RATE_HZ and len(names) == N_TRACKS
    for row, name in enumerate(names):
        track = int(name[1:])
        if track in SILENT:
            assert data.sound.lengths[row] == 0
            continue
        whole, _ = io.read(folder / "audio" / f"{track}.wav")
        assert data.sound.lengths[row] == len(whole)
        np.testing.assert_allclose(data.sound.waveform(row, 0, len(whole)), whole, atol=1e-6)
        np.testing.assert_allclose(data.sound.waveform(row, 700, 400), whole[700:1100], atol=1e-6)
        assert len(data.sound.waveform(row, len(whole) - 10, 400)) == 10
    assert data.card["audio"] == {"tracks_with": 34, "tracks_without": 2, "clips_of_no_track": 1}


def test_what_is_known_of_tracks_and_listeners_is_read(folder):
    options = {"item_columns": ("artist", "tags"), "user_columns": ("country",), "tags": "tags", "released": "released"}
    data = opened(folder, **options)
    number = {name: row for row, name in enumerate(data.tracks["track"])}
    assert data.item_features.shape == (N_TRACKS, 3) and data.tag_names == ("dark", "high", "low")
    assert data.tags[number["t3"]].tolist() == [1, 0, 1] and data.tags[number["t4"]].tolist() == [0, 1, 0]
    assert (
        data.item_features[number["t1"], 0]
        == data.item_features[number["t6"], 0]
        != data.item_features[number["t2"], 0]
    )
    assert len(set(data.user_features[:, 0].tolist())) == 3
    new = data.released_ms > data.released_ms.min()
    assert {number[f"t{track}"] for track in range(NEW_FROM, N_TRACKS)} == set(np.flatnonzero(new).tolist())
    plain = opened(folder)
    assert (plain.item_features == -1).all() and plain.tags.shape[1] == 0 and (plain.released_ms == -1).all()
    assert plain.hash() != data.hash() == opened(folder, **options).hash()


def test_vectors_of_an_encoder_are_numbers_of_the_tracks(folder, tmp_path):
    """By the content of the recording of each; trained, evaluated and asked without any sound."""
    embed("mel_mean", folder / "clips", tmp_path / "vectors")
    embeddings = load_embeddings(tmp_path / "vectors")
    data: Any = load(folder / "log", embeddings=tmp_path / "vectors")
    assert data.sound is None and data.item_numbers[-1] == "embedding[127]" and data.number_columns == ()
    assert data.card["embeddings"] == {
        "encoder": "mel_mean",
        "licence": None,
        "tracks_with": N_TRACKS - len(SILENT),
        "tracks_without": len(SILENT),
    }
    of_clip = dict(zip(embeddings.table["clip"], embeddings.table["row"], strict=True))
    for row, name in enumerate(data.tracks["track"].to_list()):
        track = int(name[1:])
        vector = np.nan if track in SILENT else embeddings.vectors[of_clip[f"{track}.wav"]]
        np.testing.assert_array_equal(data.numeric_features[row], np.broadcast_to(vector, 128))
    assert data.hash() != load(folder / "log").hash()
    changes = {"clips": None, "sample_rate_hz": 16_000, "embeddings": str(tmp_path / "vectors")}
    config = config_of(folder)
    config.data.update(changes)
    del config.baselines["content"]  # MFCCs of the sound
    config.model.audio, config.task.tags, config.batches.clips, config.data.tags = None, 0.0, 0, None
    train(config, tmp_path / "run")
    run: Any = open_run(tmp_path / "run")
    assert run.log.number_columns == () and len(run.log.item_numbers) == 128
    assert run.recommender().item_vectors.shape[0] == N_TRACKS


def test_embeddings_of_another_library_or_without_one_are_refused(folder, tmp_path):
    for name in ("a", "b"):
        write(tmp_path / "other" / f"{name}.wav", np.random.default_rng(0).standard_normal(4000) * 0.1, RATE_HZ)
    import_audio(str(tmp_path / "other"), tmp_path / "clips", AudioImportOptions(workers=1))
    embed("mel_mean", tmp_path / "clips", tmp_path / "vectors")
    with pytest.raises(ValueError, match="the clips have no column 'track'"):
        load(folder / "log", embeddings=tmp_path / "vectors")
    with pytest.raises(ValueError, match="have a vector of none of the log's tracks"):
        load(folder / "log", clips=folder / "clips", sample_rate_hz=RATE_HZ, embeddings=tmp_path / "vectors")
    shutil.rmtree(tmp_path / "clips")
    with pytest.raises(FileNotFoundError, match=r"name it as data\.clips"):
        load(folder / "log", embeddings=tmp_path / "vectors")


def test_other_audio_is_other_data(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "own", ignore=shutil.ignore_patterns("run"))
    assert opened(tmp_path / "own").hash() == opened(folder).hash()
    write(tmp_path / "own" / "audio" / "0.wav", np.full(2400, 0.25), RATE_HZ)
    shutil.rmtree(tmp_path / "own" / "clips")
    assert import_clips(tmp_path / "own") == 0
    assert opened(tmp_path / "own").hash() != opened(folder).hash()
    assert load(folder / "log").hash() != opened(folder).hash()


def test_clips_that_cannot_be_told_apart_or_belong_to_no_track_are_refused(folder, caplog):
    data, clips = opened(folder), load_clips(folder / "clips", sample_rate_hz=RATE_HZ)
    with pytest.raises(ValueError, match=r"no column 'isrc' .* they have clip, file, .*name it as data.clip_column"):
        clip_rows(clips, data, "isrc")
    with pytest.raises(ValueError, match=r"none of the 35 clips is of a track of the log: column 'clip' has '0.wav'"):
        clip_rows(clips, data, "clip")
    form = pl.col("track").str.to_uppercase()
    loud = dataclasses.replace(clips, table=clips.table.with_columns(form))
    with pytest.raises(ValueError, match=r"; 34 of them are there in another form, such as 't7' in the log and 'T7'"):
        clip_rows(loud, data, "track")
    some = dataclasses.replace(
        clips, table=clips.table.with_columns(pl.when(pl.col("track") == "t1").then(form).otherwise("track"))
    )
    assert np.count_nonzero(clip_rows(some, data, "track") >= 0) == 33
    assert "1 of them are there in another form, such as 't1' in the log and 'T1' in the table" in caplog.text
    twice = load_clips(folder / "clips", sample_rate_hz=RATE_HZ).take(np.array([0, 1, 1]))
    with pytest.raises(ValueError, match=r"two clips are of track 't1': 1\.wav and 1\.wav"):
        clip_rows(twice, data, "track")
    with pytest.raises(ValueError, match=r"holds no clips: .*no audio"):
        clip_rows(clips.take(np.array([], np.int64)), data, "track")


def test_releases_without_times_are_refused(folder, tmp_path):
    words = [f"--track_table={folder / 'tracks.csv'}", "--time=none", f"--output={tmp_path / 'log'}"]
    assert main(["import", str(folder / "plays.csv"), *words]) == 0
    with pytest.raises(ValueError, match="the log has no times, only an order"):
        load(tmp_path / "log", released="released")


# ---- bad input, end to end


def test_a_play_of_a_track_that_the_catalogue_does_not_have(folder, tmp_path, capsys):
    write_files(tmp_path, [*plays(), "u1,t77,1700000500,1", "u2,t77,1700000600,0"])
    assert import_plays(tmp_path, "--unknown_tracks=error") == 1
    error = capsys.readouterr().err
    assert "t77" in error and "plays.csv, line 902" in error and not (tmp_path / "log").exists()
    assert import_plays(tmp_path, "--unknown_tracks=skip") == 0
    assert "dropped by unknown_tracks: 2" in capsys.readouterr().out
    card = read_json(tmp_path / "log" / "card.json")
    assert card["unknown_tracks"] == {"tracks": 1, "plays": 2} and card["events"] == 900
    assert load(tmp_path / "log").n_items == N_TRACKS
    # Kept, it is a track of which nothing is known.
    assert import_plays(tmp_path, output="kept") == 0
    kept = load(tmp_path / "kept", item_columns=("artist",), released="released")
    row = kept.tracks["track"].to_list().index("t77")
    assert (kept.item_features[row] == -1).all() and kept.released_ms[row] == -1


def test_a_clock_that_runs_backwards_is_said_and_put_in_order(folder, tmp_path, capsys):
    rows = plays()
    rows[4], rows[9] = rows[9], rows[4]
    write_files(tmp_path, rows)
    assert import_plays(tmp_path) == 0
    assert "backwards" in capsys.readouterr().err
    assert read_json(tmp_path / "log" / "card.json")["clock_backwards"] > 0
    data, whole = load(tmp_path / "log"), load(folder / "log")
    user = data.users["user"].to_list().index("u0")
    assert (np.diff(data.times[data.indptr[user] : data.indptr[user + 1]]) >= 0).all()

    def told(log, user):
        return [log.tracks["track"][int(track)] for track in log.row(user)]

    assert told(data, user) == told(whole, whole.users["user"].to_list().index("u0"))


def test_a_catalogue_without_audio_trains_on_the_rest(folder, tmp_path, capsys):
    config = config_of(folder, clips="none")
    config.total_steps = 2
    with pytest.warns(UserWarning, match="no track has audio: the model's audio part is switched off"):
        train(config, tmp_path)
    assert "content_of_model" not in capsys.readouterr().out and not (tmp_path / CONTENT).exists()
    with pytest.warns(UserWarning):
        assert main(["recommend", str(tmp_path), "--user=u3", "--k=3"]) == 0
        capsys.readouterr()
        assert main(["recommend", str(tmp_path), f"--audio={folder / 'audio' / '3.wav'}"]) == 1
        assert "is no run on plays and audio: it cannot recommend new recordings" in capsys.readouterr().err
        assert main(["report", str(tmp_path)]) == 0
    text = (tmp_path / "report.html").read_text()
    assert "A typical listener" in text and "<audio" not in text and "Tracks near each other" in text


def test_what_is_learnt_from_sound_needs_sound(folder, tmp_path, capsys):
    words = ["--config.task.tags=0.5", f"--workdir={tmp_path}"]
    assert main(["train", *config_words(folder, clips="none"), *words]) == 1
    error = capsys.readouterr().err
    assert "tags=0.5, contrastive=0.0 need audio, and no track has any: set both 0" in error


def test_more_clips_a_batch_than_there_are_is_refused(folder, tmp_path, capsys):
    assert main(["train", *config_words(folder), "--config.batches.clips=64", f"--workdir={tmp_path}"]) == 1
    assert "clips=64, but 28 tracks that are out have audio" in capsys.readouterr().err


def test_a_policy_by_a_metric_that_no_evaluation_has_is_refused(folder, tmp_path):
    config = config_of(folder)
    config.policy.metric = "plays/discovery/recal@3"
    message = r"policy\.metric='plays/discovery/recal@3' is measured by no .* mean 'plays/discovery/recall@3'"
    with pytest.raises(ConfigError, match=message):
        train(config, tmp_path)
    assert not (tmp_path / "config.json").exists()


# ---- a run


def test_the_run_says_how_many_tracks_have_no_audio(run):
    card = read_json(run / "run.json")["data_card"]
    assert card["audio"] == {"tracks_with": 34, "tracks_without": 2, "clips_of_no_track": 1}


def test_content_is_kept_with_the_run_and_gives_what_encoding_anew_gives(run, restored, tmp_path, caplog):
    setup, state = restored.run, restored.state
    policy, content = Policy.load(run), np.load(run / CONTENT)
    kept = opened_once(str(run))
    anew = model_with_content(setup, state, policy)
    assert kept.is_complete and kept.up_to_date() is kept and kept.policy == policy
    trained, played = np.asarray(weights(state)[1]["content"]), np.asarray(kept.rows["plays"]) > 0
    assert np.abs(trained - content)[played[:, 0]].max() > 0 and not played.all()
    np.testing.assert_array_equal(kept.rows["content"], np.where(played, trained, content))
    np.testing.assert_allclose(anew.rows["content"], kept.rows["content"], atol=1e-5)
    recommender = kept.recommender()
    assert recommender.policy.new_release_boost == anew.policy.new_release_boost
    np.testing.assert_allclose(recommender.item_vectors, anew.item_vectors, atol=1e-5)
    silent = [setup.data.tracks["track"].to_list().index(f"t{track}") for track in SILENT]
    assert not content[silent].any() and np.delete(content, silent, axis=0).any(axis=1).all()
    # It is read, not computed.
    shutil.copytree(run, tmp_path / "run")
    sha256 = track_content.save(tmp_path / "run", content + 1)
    dataclasses.replace(policy, content_sha256=sha256).save(tmp_path / "run")
    np.testing.assert_array_equal(open_run(tmp_path / "run").rows["content"], np.where(played, trained, content + 1))
    # Of other weights it is not taken.
    Policy(new_release_boost=policy.new_release_boost, weights_hash="0" * 64).save(tmp_path / "run")
    other = open_run(tmp_path / "run")
    assert not other.is_complete and other.policy == Policy()
    np.testing.assert_allclose(other.up_to_date().rows["content"], kept.rows["content"], atol=1e-5)
    assert "the policy of these weights is missing: new releases get no boost" in caplog.text


class Always:
    """An evaluator without cut-offs."""

    names, bootstrap_samples = ("one",), 20

    def __init__(self, *, part):
        self.part = part

    def run(self, recommender):
        return Result(unit="user", units=np.arange(2), columns={"one": np.ones(2)})


def test_other_cut_offs_leave_the_policy_and_evaluations_without_any_as_they_are(run, restored, tmp_path, monkeypatch):
    """The policy of a run that was cut off before its evaluation is chosen by the metric that its config names."""
    config = restored.run.config.copy_and_resolve_references()
    config.evals.always = {"name": f"{__name__}:Always"}
    several = dataclasses.replace(restored, run=dataclasses.replace(restored.run, config=config))
    monkeypatch.setattr("mu.run.reevaluation.rebuild", lambda workdir: several)
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / POLICY).unlink()
    results, folder = evaluate_again(tmp_path / "run", output=tmp_path / "at_2", changes={"ks": (2,)})
    assert set(results["plays"]["model"].names) == {
        name.replace("@3", "@2") for name in load_evaluation(run).rows["model"]
    }
    assert Policy.load(tmp_path / "run") == Policy.load(run) and folder == tmp_path / "at_2"
    assert results["always"]["model"].values() == {"one": 1} and tuple(config.evals.plays.ks) == (3,)
    with pytest.raises(ConfigError, match=r"no evaluation of this run takes 'k' \(did you mean 'ks'\?\)"):
        evaluate_again(tmp_path / "run", output=tmp_path / "at_2", changes={"k": 2})


def test_a_run_needs_no_log_for_a_history(run, folder, tmp_path, capsys):
    """The folder of the run is all there is; listeners and recordings need the log, and errors say so."""
    shutil.copytree(run, tmp_path / "run")
    config = read_json(run / "config.json")
    config["data"] |= {"path": str(tmp_path / "gone"), "clips": str(tmp_path / "gone")}
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    alone, there = ([tmp_path / "run", "--history=t3,Song 8,t4"], [run, "--history=t3,Song 8,t4"])
    assert called(capsys, *alone) == called(capsys, *there)
    for words in (["--user=u7"], [f"--audio={folder / 'audio' / '7.wav'}"]):
        assert main(["recommend", str(tmp_path / "run"), *words]) == 1
        assert "was trained on is needed and cannot be opened" in capsys.readouterr().err


def model_with_content(run, state, policy):
    """The recommender of a run, whose content embeddings are computed anew."""
    params, rows = weights(state)
    encoder = content_encoder(run)
    assert encoder is not None
    content = encoder.content(params, np.asarray(rows["content"]))
    return model_of(run, params, track_content.scored(rows, content), policy)


def tracks_and_scores(output):
    """[(title, score), ...] of what was recommended, of `--json`."""
    return [(f"{row['title']}, {row['artist']}", row["score"]) for row in json.loads(output)["rows"]]


def by_hand(restored, user, log, policy):
    """[V] scores at the moment of the log's last play, -inf for what has been played or is not out."""
    setup, state = restored.run, restored.state
    recommender = model_with_content(setup, state, policy)
    scores = recommender.scores(np.array([user]), log, np.array([setup.data.end_ms]))[0]
    scores[np.r_[log.items]] = -np.inf
    scores[setup.data.released_ms > setup.data.end_ms] = -np.inf
    return scores


def called(capsys, *words):
    capsys.readouterr()
    assert main(["recommend", *map(str, words)]) == 0
    return capsys.readouterr().out


def test_a_listener_is_recommended_after_all_that_is_known_of_their_plays(run, restored, capsys):
    setup = restored.run
    user = setup.data.users["user"].to_list().index("u7")
    log = setup.data.take(np.array([user]))
    scores = by_hand(restored, user, log, Policy.load(run))
    best = np.argsort(-scores, kind="stable")[:5]
    recommended = tracks_and_scores(called(capsys, run, "--user=u7", "--k=5", "--json"))
    titles = track_titles(setup.data.tracks)
    assert recommended == [(titles[track], pytest.approx(scores[track], abs=0.02)) for track in best]
    # Times, endings and the listener's words tell something: without them it is another question.
    bare = by_hand(restored, -1, TrackHistories.of(log.items), Policy.load(run))
    assert np.abs(bare[best] - scores[best]).max() > 0.02


def test_a_history_is_nobodys(run, restored, capsys):
    setup = restored.run
    ids = setup.data.tracks["track"].to_list()
    log = TrackHistories.of(np.array([ids.index(name) for name in ("t3", "t8", "t4")]))
    scores = by_hand(restored, -1, log, Policy.load(run))
    best = np.argsort(-scores, kind="stable")[:4]
    titles = track_titles(setup.data.tracks)
    recommended = tracks_and_scores(called(capsys, run, "--history=t3,Song 8,t4", "--k=4", "--json"))
    assert recommended == [(titles[track], pytest.approx(scores[track], abs=0.02)) for track in best]
    assert recommended != tracks_and_scores(called(capsys, run, "--history=t4,t8,t3", "--k=4", "--json"))
    first = by_hand(restored, 0, log, Policy.load(run))
    assert np.abs(first[best] - scores[best]).max() > 1e-3, "listener 0 would have been told otherwise"


def test_what_is_not_out_yet_is_not_recommended(run):
    log = opened_once(str(run)).log
    late = int(np.argmax(log.released_ms))
    before, nobody, history = log.released_ms[late], np.array([-1]), TrackHistories.of(np.array([0]))
    recommender = opened_once(str(run)).recommender()

    def recommended(**options):
        out = np.flatnonzero(log.out_at(log.now_ms))
        hits = recommender.recommend(nobody, history, 1000, candidates=out, time_ms=log.now_ms, **options)
        return hits.ids[0, : hits.count[0]]

    everything = recommended()
    assert late in everything and 0 not in everything and len(everything) == N_TRACKS - 1
    try:
        log.released_ms[late] = log.now_ms + 1
        some = recommended(filter_already_played=False)
    finally:
        log.released_ms[late] = before
    assert late not in some and 0 in some and len(some) == N_TRACKS - 1


def test_a_new_recording_finds_its_listeners(run, folder, capsys):
    words = [f"--audio={folder / 'audio' / '7.wav'}", "--k=4", "--json"]
    rows = json.loads(called(capsys, run, *words, "--about=artist=Artist 3;tags=high"))["rows"]
    shares = [row["times_mean"] for row in rows]
    assert len(rows) == 4 and shares == sorted(shares, reverse=True) and shares[0] > 1
    assert json.loads(called(capsys, run, *words))["rows"] != rows, "what is known of it counts"


def test_a_value_that_no_track_has_is_named_and_is_no_error(run, folder, capsys):
    log = opened_once(str(run)).log
    assert described(log, "artist=Artist 3;tags=high|dark").unknown == []
    assert (described(log, "artist=Artist 33;tags=high|drak").features >= 0).sum() == 3
    called(capsys, run, f"--audio={folder / 'audio' / '7.wav'}")
    assert (
        main(["recommend", str(run), f"--audio={folder / 'audio' / '7.wav'}", "--about=artist=Artist 33;tags=drak"])
        == 0
    )
    assert [line.partition(",")[0] for line in capsys.readouterr().err.splitlines()] == [
        "warning: no track of the log has artist 'Artist 33'; near it: Artist 3",
        "warning: no track of the log has tags 'drak'; near it: dark",
    ]


def test_a_recording_has_the_vector_that_mu_embed_gives_it(run, folder, restored, tmp_path, capsys):
    setup = restored.run
    opened = opened_once(str(run))
    assert main(["embed", str(run), str(folder / "clips"), f"--output={tmp_path / 'vectors'}"]) == 0
    library = open_embedded(tmp_path / "vectors", hash_of(opened), str(run))
    encoder = clip_encoder(opened)
    row = library.table["row"][library.table["clip"].to_list().index("7.wav")]
    np.testing.assert_array_equal(library.vectors[row], vector_of_file(encoder, folder / "audio" / "7.wav"))
    recommender = opened.recommender()
    track = setup.data.tracks["track"].to_list().index("t7")
    np.testing.assert_allclose(np.load(run / CONTENT)[track], library.vectors[row], rtol=1e-4, atol=1e-5)
    out = called(capsys, run, "--user=u7", f"--embeddings={tmp_path / 'vectors'}", "--k=40").splitlines()
    assert len(out) == 3 + 35 + 1 and "other.wav" in "".join(out)
    user = setup.data.users["user"].to_list().index("u7")
    expected = recordings_for(setup.data, recommender, user, library, 40)
    assert [line.split()[1] for line in out[3:-1]] == [clip for clip, _ in expected]
    # The mean over all listeners of their shares, each over the mean's, is 1.
    everyone = listeners_of(setup.data, recommender, library.vectors[row], np.full(1, -1), 1000)
    assert np.mean([share for _, share in everyone]) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--user=u99"], "the log has no listener 'u99'"),
        (["--history=t3,t99"], "the log has no track 't99'"),
        (["--audio=nowhere.wav"], "nowhere.wav"),
        (
            ["--audio=nowhere.wav", "--about=mood=sad"],
            "'mood' is no column=value of tracks that this run's model is given",
        ),
        (
            ["--audio=nowhere.wav", "--about=artist"],
            "'artist' is no column=value of tracks that this run's model is given; write",
        ),
        (["--user=u3", "--embeddings=nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_recommended_is_said(run, capsys, words, message):
    capsys.readouterr()
    assert main(["recommend", str(run), *words]) == 1
    printed = capsys.readouterr()
    assert message in printed.err and not printed.out and printed.err.startswith("mu recommend: ")


def test_recordings_that_another_encoder_heard_are_refused(run, folder, tmp_path, capsys):
    assert main(["embed", str(run), str(folder / "clips"), f"--output={tmp_path / 'vectors'}"]) == 0
    card = read_json(tmp_path / "vectors" / "card.json")
    card["encoder"]["hash"] = "0" * 64
    (tmp_path / "vectors" / "card.json").write_text(json.dumps(card))
    capsys.readouterr()
    assert main(["recommend", str(run), "--user=u3", f"--embeddings={tmp_path / 'vectors'}"]) == 1
    assert "was embedded with another encoder" in capsys.readouterr().err


def test_a_run_that_breaks_off_and_goes_on_equals_one_that_does_not(run, folder, tmp_path, monkeypatch):
    """Broken between two checkpoints: sound, targets and kept vectors are those of the steps that come again."""
    config = config_of(folder)
    config.writers = ("tests.helpers.tiny_runs:Breaking",)

    def fail():
        raise OSError("no space left")

    monkeypatch.setattr(Breaking, "at", 9)
    monkeypatch.setattr(Breaking, "what", staticmethod(fail))
    with pytest.raises(OSError, match="no space left"):
        train(config, tmp_path)
    monkeypatch.setattr(Breaking, "at", -1)
    train(config, tmp_path)
    assert_same_run(tmp_path, run)


def test_the_page_says_how_its_listener_and_its_track_were_chosen(run, capsys):
    assert main(["report", str(run)]) == 0
    text = (run / "report.html").read_text()
    assert re.search(r"The recall@\d+ of \d+ listeners is 0 for \d+, and this is the median of the others", text)
    assert "that came out after training ended and were first played in the test, it was played most there" in text
    assert "not a typical one" in text


def test_a_missing_file_is_named(run, folder, tmp_path, capsys):
    shutil.copytree(folder, tmp_path / "own")
    (tmp_path / "own" / "audio" / "7.wav").unlink()
    (tmp_path / "own" / "run" / POLICY).unlink()
    config = read_json(tmp_path / "own" / "run" / "config.json")
    config["data"] |= {"path": str(tmp_path / "own" / "log"), "clips": str(tmp_path / "own" / "clips")}
    (tmp_path / "own" / "run" / "config.json").write_text(json.dumps(config))
    assert main(["recommend", str(tmp_path / "own" / "run"), "--user=u3"]) == 1
    assert "7.wav" in capsys.readouterr().err


def test_a_model_of_ids_alone_is_told_of_and_compared(run, folder, tmp_path, capsys):
    """SASRec on the same plays: it has no reasons and knows no new track, and the rest is as for others."""
    config, plain = config_of(folder), base()
    config.model, config.batches, config.task = plain.model, plain.batches, plain.task
    config.recommender, config.policy = plain.recommender, plain.policy
    config.model.update(dim=8, layers=1, heads=1, window=10)
    config.batches.update(window=10, rows=4, negatives=4)
    config.total_steps = 2
    train(resolve(config), tmp_path)
    assert main(["report", str(tmp_path)]) == 0
    text = (tmp_path / "report.html").read_text()
    assert "A typical listener" in text and "A new track" not in text and "What speaks for" not in text
    recommended = tracks_and_scores(called(capsys, tmp_path, "--history=t3,t8", "--k=40", "--json"))
    assert len(recommended) == N_TRACKS - 2
    assert main(["compare", str(tmp_path), str(run), "--metrics=recall@3", "--samples=20"]) == 0
    out = capsys.readouterr().out
    assert "plays of 30 users, the same in both" in out and "discovery, heavy/recall@3" in out


def test_arguments_of_the_experiment(folder):
    config = config_of(folder, told="", clips="none")
    assert config.data.clips is None and config.task.tags == 0 and "content" not in config.baselines
    told = config_of(folder, told="item_columns=artist|tags,clip_column=isrc")
    assert tuple(told.data.item_columns) == ("artist", "tags") and told.data.clip_column == "isrc"
    with pytest.raises(ConfigError, match="did you mean 'clip_column'"):
        config_of(folder, told="clip_colum=isrc")
