"""Each sequence model from its config lines to its answer: trained on a cycle of tracks, it knows the next one."""

import json

import pytest

from mu.commands import recommend
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from tests.helpers.tiny_runs import tiny_config, train

N_TRACKS = 24
TINY = {"dim": 16, "layers": 1, "dropout": 0.0}
SASREC = {"name": "mu.models.sasrec:SASRec", "heads": 2, "window": 8, **TINY}
CONFIGS = {
    "esasrec": {"model": {**SASREC, "block": "ligr"}},
    "gsasrec": {"model": SASREC, "task__loss": "gbce", "task__calibration": 0.5},
    "bert4rec": {
        "model": {**SASREC, "attention": "bidirectional"},
        "task": {"name": "mu.tasks.cloze:Cloze", "loss": "sampled_softmax", "last": 0.5},
    },
    "multi_interest": {
        "model": {**SASREC, "interests": 2},
        "task": {"name": "mu.tasks.multi_interest:MultiInterest", "loss": "sampled_softmax"},
        "recommender": {"name": "mu.inference.multi_interest:MultiInterestRecommender"},
    },
    "hstu": {"model": {"name": "mu.models.hstu:HSTU", "heads": 2, "window": 8, **TINY}},
    "gru4rec": {"model": {"name": "mu.models.gru4rec:GRU4Rec", **TINY}},
}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Listeners go round the tracks in steps of one, from every track, for 8 to 22 plays; pauses grow."""
    folder = tmp_path_factory.mktemp("log")
    lines = ["user,track,time"]
    for user in range(8 * N_TRACKS):
        for play in range(8 + 2 * (user // N_TRACKS)):
            lines.append(f"u{user},t{(user + play) % N_TRACKS},{1_500_000_000 + user * 1000 + 90 * play**2}")
    (folder / "plays.csv").write_text("\n".join(lines) + "\n")
    import_log([str(folder / "plays.csv")], folder / "log", LogImportOptions())
    return folder / "log"


# gSASRec is SASRec with a loss that tests/tasks hold to its equation; eSASRec and GRU4Rec are other layers in the same
# task and recommender, which tests/models hold to their equations.
NIGHTLY = ("gsasrec", "esasrec", "gru4rec")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in NIGHTLY else name for name in CONFIGS]
)
def test_a_cycle_is_learnt_and_recommended(name, log, tmp_path, capsys):
    rates = {"optimizer__learning_rate": 1e-2, "tables__learning_rate": 1e-2}
    once = dict.fromkeys(("total_steps", "evaluate_every_steps", "checkpoint_every_steps", "log_every_steps"), 200)
    config = tiny_config(log, **CONFIGS[name], **rates, **once, batches__negatives=6, evals__ranking__ks=(1, 10))
    results = train(config, tmp_path)
    # A listener's negatives hold the track that is held out. Who sees a history from both sides learns a few by heart.
    assert results["ranking"]["model"].values()["recall@1"] >= (0.9 if name == "bert4rec" else 1.0)
    capsys.readouterr()
    # A listener of the log, with times, and a history of tracks alone, without.
    for who in ("--user=u3", "--history=t7,t8,t9,t10,t11,t12"):
        assert recommend.main([str(tmp_path), who, "--k=3", "--json"]) == 0
        best = [row["track"] for row in json.loads(capsys.readouterr().out)["rows"]]
        assert ("t11" if who.startswith("--user") else "t13") in best[: 3 if name == "bert4rec" else 1]
