"""A run with evidence of counts: trained, resumed, evaluated, opened without its log and asked for tracks."""

import json

import numpy as np
import pytest

from mu import api
from mu.commands import recommend
from mu.config.base import ConfigError
from mu.report.score_parts import COUNTS, MODEL
from mu.run.build import build_run
from mu.run.evaluation import model_of
from mu.run.initialise import initialise
from mu.run.restore import open_run
from mu.training.state import weights
from tests.helpers.tiny_runs import Breaking, assert_same_run, one_device, tiny_config, train, write_log

KEYS = {
    "batches__evidence": {"name": "mu.baselines.pctm:PCTM", "tau": 100.0},
    "batches__negatives": 16,
    "batches__negatives_per": "batch",
    "recommender": {"name": "mu.inference.evidence:EvidenceRecommender", "model_weight": 0.5},
}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_log(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def run(log, tmp_path_factory):
    """(the folder of a run, its results)."""
    folder = tmp_path_factory.mktemp("run") / "whole"
    return folder, train(tiny_config(log, **KEYS), folder)


def test_a_run_learns_and_answers(run, log, capsys):
    folder, results = run
    # Listeners go on by one, mostly: counts know that from the start, which so small a model does not.
    assert results["ranking"]["model"].values()["recall@10"] > 0.6
    trained = open_run(folder)
    offset = np.asarray(trained.params["evidence_offset"]["weights"])
    assert offset.shape == (4,) and (offset != np.float32([2.9, 3.5, 0.11, 0.73])).all()
    histories = trained.open_histories().take(np.arange(5))
    recommender = trained.recommender()
    scores = recommender.scores(np.arange(5), histories)
    features = trained.features
    evidence = features.evidence(histories)
    with_evidence = offset[0] * evidence + offset[1] + offset[2] * features.popularity
    added = np.where(evidence > 0, with_evidence, offset[3] * features.popularity)
    products = recommender.queries(np.arange(5), histories) @ recommender.item_vectors.T
    np.testing.assert_allclose(scores, products + added, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(recommender.item_vectors, 0.5 * np.asarray(recommender.rows["items"]), rtol=1e-6)
    capsys.readouterr()
    assert recommend.main([str(folder), "--history=t7,t8,t9", "--k=3", "--json"]) == 0
    assert "t10" in [row["track"] for row in json.loads(capsys.readouterr().out)["rows"]]


def test_the_parts_of_the_model_and_of_counts_sum_to_the_score(run):
    opened = api.open_run(run[0])
    (best,) = opened.recommend(history="t7,t8,t9", k=1).iter_rows(named=True)
    parts = opened.explain(None, best["track"], history="t7,t8,t9")
    assert set(parts["part"]) == {MODEL, COUNTS} and best["reason_1"] == COUNTS
    assert parts["contribution"].sum() == pytest.approx(best["score"], rel=1e-4)


def test_a_run_that_is_resumed_is_the_unbroken_one(run, log, tmp_path, monkeypatch):
    def stop():
        raise KeyboardInterrupt

    writers = {"writers": ("tests.helpers.tiny_runs:Breaking",)}
    monkeypatch.setattr(Breaking, "at", 7)
    monkeypatch.setattr(Breaking, "what", staticmethod(stop))
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config(log, **KEYS, **writers), tmp_path / "broken")
    monkeypatch.setattr(Breaking, "at", -1)
    train(tiny_config(log, **KEYS, **writers), tmp_path / "broken")
    assert_same_run(run[0], tmp_path / "broken")


def test_without_weights_scores_are_those_of_the_model(log):
    with_evidence = build_run(tiny_config(log, **{**KEYS, "recommender__model_weight": 1.0}), one_device())
    plain = build_run(tiny_config(log, batches__negatives=16, batches__negatives_per="batch"), one_device())
    state, plain_state = initialise(with_evidence), initialise(plain)
    state["params"]["model"]["evidence_offset"]["weights"] *= 0
    users = np.arange(6)
    histories = with_evidence.train.take(users)
    first, second = (
        model_of(one, *weights(values)).scores(users, histories)
        for one, values in ((with_evidence, state), (plain, plain_state))
    )
    np.testing.assert_array_equal(first, second)


def test_a_run_does_not_start_from_one_without_evidence(run, log):
    plain = build_run(tiny_config(log, init_from=str(run[0]), batches__negatives=16), one_device())
    with pytest.raises(ConfigError, match=r"evidence of counts"):
        initialise(plain)
