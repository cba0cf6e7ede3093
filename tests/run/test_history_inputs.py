"""Runs whose models are told more than track ids: they learn what ids do not say, and are opened without their data."""

import json

import numpy as np
import pytest

from mu.commands import recommend
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.run.restore import open_run
from tests.helpers.tiny_runs import tiny_config, train

N_TRACKS = 24
TINY = {"dim": 16, "layers": 1, "dropout": 0.0}
SASREC = {"name": "mu.models.sasrec:SASRec", "heads": 2, "window": 8, **TINY}
MODELS = {
    "sasrec": {"model": SASREC},
    "hstu": {"model": {"name": "mu.models.hstu:HSTU", "heads": 2, "window": 8, **TINY}},
    "gru4rec": {"model": {"name": "mu.models.gru4rec:GRU4Rec", **TINY}},
}
TOLD = {
    "data": {
        "name": "mu.data.listening.listening:load",
        "item_columns": ("artist",),
        "item_numbers": ("tempo",),
        "event_columns": (),
    },
    "batches__time_deltas": True,
    "batches__outcomes": True,
    "batches__earlier_plays": True,
    "batches__event_columns": ("device",),
    "batches__track_features": True,
    "batches__neighbours": 3,
}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """After a finished play a listener goes on by one track, after a skipped one by five."""
    folder, random = tmp_path_factory.mktemp("log"), np.random.default_rng(0)
    lines = ["user,track,time,artist,tempo,device,finished"]
    for user in range(8 * N_TRACKS):
        track = user % N_TRACKS
        for play in range(10):
            finished = int(random.random() < 0.5)
            device = ("phone", "car")[int(random.random() < 0.5)]
            moment = 1_500_000_000 + 1000 * user + 90 * play
            lines.append(f"u{user},t{track},{moment},Artist {track % 6},{60 + track},{device},{finished}")
            track = (track + (1 if finished else 5)) % N_TRACKS
    (folder / "plays.csv").write_text("\n".join(lines) + "\n")
    options = LogImportOptions(
        track_attributes=("artist", "tempo"), event_columns=("device",), finished="finished", track_features=("tempo",)
    )
    import_log([str(folder / "plays.csv")], folder / "log", options)
    return folder / "log"


@pytest.mark.parametrize(
    "name", [name if name == "sasrec" else pytest.param(name, marks=pytest.mark.slow) for name in MODELS]
)
def test_how_a_play_ended_is_learnt_and_kept(name, log, tmp_path, capsys):
    rates = {"optimizer__learning_rate": 1e-2, "tables__learning_rate": 1e-2}
    once = dict.fromkeys(("total_steps", "evaluate_every_steps", "checkpoint_every_steps", "log_every_steps"), 200)
    told = {**TOLD, "data": {**TOLD["data"], "path": str(log)}}
    config = tiny_config(log, **told, **MODELS[name], **rates, **once, batches__negatives=6, evals__ranking__ks=(1, 10))
    results = train(config, tmp_path)
    # Plays of before are not ranked: chance among those that are left is below .1, and without outcomes .5 is the most.
    assert results["ranking"]["model"].values()["recall@1"] > 0.8
    run = open_run(tmp_path)
    assert run.features.model_inputs == {
        "time_deltas": True,
        "outcomes": True,
        "earlier_plays": True,
        "event_columns": {"device": len(run.log.card["event_columns"]["device"])},
        "hash_size": 4096,
        "item_numbers": 1,
        "neighbours": N_TRACKS,
    }
    histories = run.open_histories().take(np.arange(40))
    scores = run.recommender().scores(np.arange(40), histories)
    last = histories.indptr[1:] - 1
    names = run.log.tracks["track"].to_list()
    now = np.array([int(names[item][1:]) for item in histories.items[last]])
    step = np.where(histories.outcomes[last] == 1, 1, 5)
    place = {int(one[1:]): at for at, one in enumerate(names)}
    expected = np.array([place[(track + by) % N_TRACKS] for track, by in zip(now, step, strict=True)])
    assert (scores.argmax(axis=1) == expected).mean() > 0.8
    capsys.readouterr()
    assert recommend.main([str(tmp_path), "--history=t7,t8,t9", "--k=3", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 3
