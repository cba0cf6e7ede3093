"""The commands that take up a run: `mu recommend`, a listener or a history in, titles out; and `mu evaluate`."""

import csv
import json
import re
import shlex
import shutil

import numpy as np
import polars as pl
import pytest

from mu.cli import main
from mu.commands import evaluate, recommend
from mu.commands.recommended import SHOWN_HISTORY, Answer, as_text
from mu.commands.train import closing
from mu.data.logs.interactions import Interactions
from mu.evals.group_tables import read_groups
from mu.evals.results import load
from mu.files import read_json
from mu.run.evaluation import model_of
from mu.run.rebuild import rebuild
from mu.training.state import weights
from tests.helpers.tiny_runs import N_TRACKS, N_USERS, tiny_config, train, write_log


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_log(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def run(log, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train(tiny_config(log, model__dropout=0.2), folder)  # as in test_training_run.py: compiled once for both
    return folder


@pytest.fixture(scope="module")
def restored(run):
    restored = rebuild(run)
    return restored.run, restored.state, restored.step


def called(capsys, *arguments):
    """(exit status, output, errors) of `mu recommend ...`."""
    status = recommend.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def history_and_tracks(output):
    """([title of the history, ...], [(score, title), ...])."""
    history, recommended = output.split("recommended\n")
    header, _, *rows = recommended.splitlines()[:-1]
    at = header.index("title"), header.index("artist"), header.index("score")
    lines = [(row[at[0] : at[1]].strip(), row[at[1] : at[2] - 1].strip(), row.split()[-1]) for row in rows]
    titles = [(float(score), f"{title}, {artist}") for title, artist, score in lines]
    return [line.strip() for line in history.splitlines()[1:]], titles


def titles(log):
    names = [track.removeprefix("t") for track in log.tracks["track"]]
    return [f"Song {'3, reprised' if name == '3' else name}, Artist {int(name) % 5}" for name in names]


def test_a_listener_gets_the_best_tracks_they_have_not_played(run, restored, capsys):
    setup, state, _ = restored
    status, output, _ = called(capsys, run, "--user=u11", "--k=5")
    user = setup.data.users["user"].to_list().index("u11")
    plays = setup.data.row(user)
    scores = model_of(setup, *weights(state)).scores(np.array([user]), setup.data.take(np.array([user])))[0]
    scores[plays] = -np.inf
    best, names = np.argsort(-scores, kind="stable")[:5], titles(setup.data)
    history, recommended = history_and_tracks(output)
    assert status == 0
    assert output.startswith(f"After {len(plays)} plays, ")
    assert history == [names[item] for item in plays[-SHOWN_HISTORY:]]
    assert recommended == [(pytest.approx(scores[item], abs=0.006), names[item]) for item in best]


def test_a_history_may_be_given_by_ids_and_titles(run, restored, capsys):
    by_id = called(capsys, run, "--history=t7,t3, t8", "--k=4")
    by_title = called(capsys, run, "--history=Song 7,Song 3, reprised,t8", "--k=4")  # a title with a comma of its own
    assert by_id == by_title and by_id[0] == 0
    history, recommended = history_and_tracks(by_id[1])
    assert history == ["Song 7, Artist 2", "Song 3, reprised, Artist 3", "Song 8, Artist 3"]
    assert len(recommended) == 4 and not set(history) & {title for _, title in recommended}
    # Order matters: it is a history.
    assert called(capsys, run, "--history=t8,t3,t7", "--k=4") != by_id


def test_more_than_there_is_gives_what_there_is(run, capsys):
    _, recommended = history_and_tracks(called(capsys, run, "--history=t7,t3,t8", "--k=1000")[1])
    assert len(recommended) == N_TRACKS - 3
    assert [score for score, _ in recommended] == sorted((score for score, _ in recommended), reverse=True)


def test_tracks_may_come_again_on_request(run, capsys):
    _, recommended = history_and_tracks(called(capsys, run, "--history=t7,t3,t8", "--k=1000", "--repeats")[1])
    assert len(recommended) == N_TRACKS
    assert "Song 7, Artist 2" in {title for _, title in recommended}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--user=u111"], "the log has no listener 'u111'; near it: u11"),
        (["--history=t99,t7,t98"], "the log has no track 't99'; near it: t9, t39, t29\nthe log has no track 't98'"),
        (["--history=Song 77"], "the log has no track 'Song 77'; near it: Song 7"),
        (["--history="], "the log has no track ''"),
    ],
)
def test_unknown_names_are_said_with_near_ones(run, capsys, arguments, words):
    status, output, errors = called(capsys, run, *arguments)
    assert status == 1 and output == ""
    assert errors.startswith("mu recommend: ") and words in errors


def test_programs_get_json_or_csv(run, capsys):
    recommended = history_and_tracks(called(capsys, run, "--history=t7,t3", "--k=3")[1])[1]
    document = json.loads(called(capsys, run, "--history=t7,t3", "--k=3", "--json")[1])
    assert [row["rank"] for row in document["rows"]] == [1, 2, 3] and "score:" in document["means"]
    rows = [(pytest.approx(row["score"], abs=0.006), f"{row['title']}, {row['artist']}") for row in document["rows"]]
    assert recommended == rows
    header, *lines = csv.reader(called(capsys, run, "--history=t7,t3", "--k=3", "--csv")[1].splitlines())
    assert header == ["rank", "track", "title", "artist", "score"]
    assert [line[1] for line in lines] == [row["track"] for row in document["rows"]]


def test_a_track_without_a_title_is_shown_by_its_id():
    frame = pl.DataFrame({"rank": [1, 2], "track": ["t7", "t8"], "title": [None, "Song 8"], "score": [2.0, 1.0]})
    rows = [line.split() for line in as_text(Answer(frame, "recommended", "means")).splitlines()[3:5]]
    assert rows == [["1", "t7", "2.00"], ["2", "Song", "8", "1.00"]]


def test_a_playlist_holds_the_names(run, capsys, tmp_path):
    file = tmp_path / "tonight.m3u"
    titles = [
        title for _, title in history_and_tracks(called(capsys, run, "--history=t7,t3", "--k=2", f"--m3u={file}")[1])[1]
    ]
    pairs = [title.rpartition(", ") for title in titles]
    assert [line for line in file.read_text().splitlines() if line.startswith("#EXTINF")] == [
        f"#EXTINF:-1,{artist} - {title}" for title, _, artist in pairs
    ]
    for wrong in ("--m3u=tonight.txt", "--m3u=a.m3u --audio=x.wav"):
        with pytest.raises(SystemExit):
            called(capsys, run, *([] if "audio" in wrong else ["--user=u1"]), *wrong.split())


@pytest.mark.parametrize("file", ["tonight.txt", "tonight", ".m3u"])
def test_a_playlist_of_another_extension_is_refused_before_the_run_is_opened(file, capsys):
    with pytest.raises(SystemExit) as caught:
        recommend.main(["no-such-run", "--history=t7", f"--m3u={file}"])
    assert caught.value.code == 2
    assert f"--m3u={file}: a playlist is written as .m3u, .m3u8, .xspf, .jspf" in capsys.readouterr().err


def test_a_folder_without_a_run_is_said(tmp_path, capsys):
    status, _, errors = called(capsys, tmp_path, "--user=u1")
    assert status == 1 and "holds no run (config.json is missing); make one with `mu train`" in errors


def test_factorization_knows_listeners_by_name_only(log, tmp_path, capsys):
    pairs = {"name": "mu.data.batches.pairs:PairBatches", "pairs": 32, "negatives": 4}
    model = {"name": "mu.models.factorization:Factorization", "dim": 8}
    train(tiny_config(log, batches=pairs, model=model, total_steps=2), tmp_path)
    status, _, errors = called(capsys, tmp_path, "--history=t7")
    assert status == 1 and "knows users by their ids alone: give a listener of the log" in errors
    status, output, _ = called(capsys, tmp_path, "--user=u7", "--k=3")
    assert status == 0 and len(history_and_tracks(output)[1]) == 3


@pytest.mark.parametrize(
    "arguments", [[], ["--user=u1", "--history=t1"], ["--user=u1", "--k=0"], ["--user=u1", "--csv", "--json"]]
)
def test_calls_that_make_no_sense_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        called(capsys, "anywhere", *arguments)
    assert stopped.value.code == 2


def test_without_its_log_a_run_knows_histories_and_not_listeners(run, log, tmp_path, capsys):
    """A run is its folder: the log may be gone."""
    shutil.copytree(run, tmp_path / "run")
    config = read_json(run / "config.json")
    config["data"]["path"] = str(tmp_path / "gone")
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    history = "--history=t7,Song 3, reprised"
    assert called(capsys, tmp_path / "run", history) == called(capsys, run, history)
    status, output, errors = called(capsys, tmp_path / "run", "--user=u7")
    assert status == 1 and not output
    assert "the data that" in errors and "was trained on is needed" in errors and "gone" in errors


# ---- mu train


def test_training_ends_with_commands_that_can_be_run(run, log, tmp_path, capsys, monkeypatch):
    """The same command on a complete run learns no more, and says the same."""
    (tmp_path / "config.py").write_text(
        "from tests.helpers.tiny_runs import tiny_config\n"
        "def get_config(arg=None):\n"
        "    baselines = {'popularity': {'name': 'mu.baselines.popularity:Popularity'}}\n"
        f"    return tiny_config({str(log)!r}, model__dropout=0.2, baselines=baselines)\n"
    )
    folder = tmp_path / "my run"
    shutil.copytree(run, folder)
    assert main(["train", f"--config={tmp_path / 'config.py'}", f"--workdir={folder}"]) == 0
    out = capsys.readouterr().out
    assert f"Results are in {folder}/evaluation" in out and "recall@10" in out
    lines = closing(str(folder))
    assert len(lines) == 4 and out.splitlines()[-4:] == lines
    assert [main(shlex.split(line)[1:]) for line in lines[1:]] == [0, 0, 0]
    shutil.copytree(folder / "evaluation" / "ranking", folder / "evaluation" / "second")
    assert [main(shlex.split(line)[1:]) for line in closing(str(folder))[1:]] == [0, 0, 0]

    def nothing_saved(workdir):
        raise FileNotFoundError(f"{workdir} keeps nothing of its data for inference")

    monkeypatch.setattr("mu.run.saved_inputs.load_inputs", nothing_saved)  # as of data of a kind of one's own
    assert [shlex.split(line)[1] for line in closing(str(folder))[1:]] == ["report", "compare"]


# ---- mu evaluate


def test_evaluating_again_gives_what_training_wrote(run, capsys, tmp_path):
    before = load(run)
    assert evaluate.main([str(run), f"--output={tmp_path / 'again'}"]) == 0
    again = load(tmp_path / "again")
    assert again.card["split_hash"] == before.card["split_hash"]
    for name, values in before.results["model"].columns.items():
        np.testing.assert_array_equal(again.results["model"].columns[name], values)
    out, err = capsys.readouterr()
    assert "recall@10" in out
    assert f"Measuring step {again.card['step']} of {run}, the best by valid/ranking/ndcg@10, on test." in err


def test_other_measures_go_to_a_folder_of_their_own(run, capsys, tmp_path):
    with pytest.raises(SystemExit):
        evaluate.main([str(run), "--ks=3"])
    assert "need --output" in capsys.readouterr().err
    assert evaluate.main([str(run), "--metrics=nope", f"--output={tmp_path / 'mine'}"]) == 2
    assert "config.evals.ranking: " in (error := capsys.readouterr().err) and "'nope'" in error
    arguments = [
        str(run),
        "--ks=3,5",
        "--metrics=reciprocal_rank,precision",
        "--part=valid",
        f"--output={tmp_path / 'mine'}",
    ]
    assert evaluate.main(arguments) == 0
    names = ("reciprocal_rank", "precision")
    assert set(load(tmp_path / "mine").results["model"].columns) == {f"{name}@{k}" for name in names for k in (3, 5)}


def test_metrics_in_groups_of_listeners(run, capsys, tmp_path, monkeypatch):
    output = tmp_path / "again"
    assert evaluate.main([str(run), "--by=gender", f"--output={output}"]) == 2
    assert (
        "the listeners of the log have no column 'gender' to group them by; nothing is known" in capsys.readouterr().err
    )
    assert not output.exists()
    even = [number % 2 == 0 for number in range(N_USERS)]
    monkeypatch.setattr(Interactions, "users", pl.DataFrame({"user": range(N_USERS), "even": even}))
    assert evaluate.main([str(run), "--by=even", f"--output={output}"]) == 0
    assert re.search(r"^recall@10 by even +listeners +model ", capsys.readouterr().out, re.MULTILINE)
    model = load(output).results["model"]
    rows = read_groups(output / "ranking").filter(recommender="model", metric="ndcg@10")
    mean = model.columns["ndcg@10"][model.units % 2 == 0].mean()
    assert rows.filter(group="True")["value"][0] == pytest.approx(mean, rel=1e-6)
    assert rows["listeners"].sum() == len(model)


def test_results_that_cannot_be_written_are_said(run, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert evaluate.main([str(run), f"--output={tmp_path / 'file' / 'there'}"]) == 1
    printed = capsys.readouterr()
    line = printed.err.splitlines()[-1]
    assert line.startswith("mu evaluate: ") and str(tmp_path / "file") in line and "Written" not in printed.out


def test_a_run_whose_log_has_changed_is_refused(run, tmp_path, capsys):
    """Its ids would mean other tracks."""
    (tmp_path / "other").mkdir()
    other = write_log(tmp_path / "other", n_users=N_USERS - 1)
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    config = read_json(copy / "config.json")
    config["data"]["path"] = str(other)
    (copy / "config.json").write_text(json.dumps(config))
    assert evaluate.main([str(copy)]) == 1
    assert "the data or split" in capsys.readouterr().err
