"""A run with offsets of played tracks, from its config lines to its lists."""

import json

import numpy as np
import pytest

from mu.commands import recommend
from mu.config.base import ConfigError
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.run.build import build_run
from mu.run.restore import open_run
from tests.helpers.tiny_runs import one_device, tiny_config, train

OFFSET = {
    "model__positions": "rotary",
    "task": {"name": "mu.tasks.repeats:RepeatRetrieval"},
    "recommender": {"name": "mu.inference.repeats:RepeatRecommender"},
}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Everybody plays a track again two plays later, and again, and then goes on to new ones."""
    folder = tmp_path_factory.mktemp("log")
    lines = ["user,track,time"]
    for user in range(120):
        start = 7 * user
        plays = [start, start + 1, start, start + 1, start, start + 1, start + 2, start + 3, start + 2, start + 3]
        for at, track in enumerate(plays[: 7 + user % 4]):
            lines.append(f"u{user},t{track % 40},{1_500_000_000 + 1000 * user + 60 * at}")
    (folder / "plays.csv").write_text("\n".join(lines) + "\n")
    import_log([str(folder / "plays.csv")], folder / "log", LogImportOptions())
    return folder / "log"


def test_repeats_and_discoveries_are_learnt_in_one_score(log, tmp_path, capsys):
    rates = {"optimizer__learning_rate": 1e-2, "tables__learning_rate": 1e-2}
    once = dict.fromkeys(("total_steps", "evaluate_every_steps", "checkpoint_every_steps", "log_every_steps"), 250)
    train(tiny_config(log, **OFFSET, **rates, **once), tmp_path)
    run = open_run(tmp_path)
    whole, recommender = run.open_histories(), run.recommender()
    names = np.array([int(name[1:]) for name in run.log.tracks["track"].to_list()])
    hits = {True: [], False: []}
    for user in range(40):
        plays = whole.row(user)
        for stop in range(3, len(plays)):
            history = whole.take(np.array([user])).where(np.arange(len(plays)) < stop)
            scores = recommender.scores(np.array([user]), history)[0]
            hits[plays[stop] in plays[:stop]].append(names[scores.argmax()] == names[plays[stop]])
    # One network tells when a repeat is due and which, and what else comes, of 40 tracks.
    assert np.mean(hits[True]) > 0.75 and np.mean(hits[False]) > 0.1
    capsys.readouterr()
    assert recommend.main([str(tmp_path), "--history=t7,t8,t7", "--k=3", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"recommender": {"name": "mu.inference.recommender:TrainedRecommender"}},
            r"leaves out the offsets of repeats.*set recommender.name='mu.inference.repeats:RepeatRecommender'",
        ),
        ({"task": {"name": "mu.tasks.retrieval:Retrieval", "loss": "bpr"}}, r"learns none: set task.name="),
    ],
)
def test_task_and_recommender_go_together(changes, words, log):
    with pytest.raises(ConfigError, match=words):
        build_run(tiny_config(log, **{**OFFSET, **changes}), one_device())
