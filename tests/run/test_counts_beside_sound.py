"""A run of tracks and listeners with evidence of counts: trained, resumed, asked for tracks and for reasons."""

import numpy as np
import polars as pl
import pytest

from mu import api
from mu.cli import main
from mu.config.resolve import resolve
from mu.report.score_parts import COUNTS
from mu.run.build import build_run
from mu.run.evaluation import model_of
from mu.run.initialise import initialise
from mu.run.restore import open_run
from mu.training.state import weights
from tests.helpers.own_clips import N_TRACKS, NEW_FROM, config_of, import_plays, write_files
from tests.helpers.tiny_runs import Breaking, assert_same_run, one_device, train

EVIDENCE = {"name": "mu.baselines.pctm:PCTM", "tau": 100.0}


def config(folder, **more):
    """A config without sound, which is quick to compile; all else is that of an experiment, and one key."""
    made = config_of(folder, clips="none")
    with made.ignore_type():
        made.model.audio, made.batches.evidence = None, EVIDENCE
        made.checkpoint_every_steps, made.baselines = 3, {}
        made.update(more)
    return resolve(made)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    write_files(folder)
    assert import_plays(folder) == 0
    return folder


@pytest.fixture(scope="module")
def run(folder):
    train(config(folder), folder / "run")
    return folder / "run"


def test_scores_have_the_offset_and_tracks_without_plays_have_none(run):
    opened = open_run(run)
    recommender, users = opened.recommender(), np.arange(8)
    histories = opened.open_histories().take(users)
    weights_of_offset = np.asarray(opened.params["evidence_offset"]["weights"])
    assert (weights_of_offset != np.float32([2.9, 3.5, 0.11, 0.73])).all()
    evidence, popularity = opened.features.evidence(histories), opened.features.popularity
    alpha, beta, gamma, delta = weights_of_offset
    added = np.where(evidence > 0, alpha * evidence + beta + gamma * popularity, delta * popularity)
    products = recommender.queries(users, histories) @ recommender.item_vectors.T
    times_ms = np.full(8, opened.log.now_ms)
    scores = recommender.scores(users, histories, times_ms)
    np.testing.assert_allclose(scores, products + recommender.item_bias(times_ms) + added, rtol=1e-4, atol=1e-4)
    unplayed = np.asarray(recommender.rows["plays"])[:, 0] == 0
    assert 0 < unplayed.sum() <= N_TRACKS - NEW_FROM and (recommender.offsets(histories)[:, unplayed] == 0).all()
    assert (np.abs(recommender.offsets(histories)[:, ~unplayed]).max(axis=0) > 0).all()
    assert not recommender.dot_product and not recommender.with_policy(recommender.policy).dot_product


def test_counts_are_a_part_of_their_own_and_the_parts_sum_to_the_score(run, capsys):
    opened = api.open_run(run)
    best = opened.recommend("u3", k=4)
    for row in best.iter_rows(named=True):
        parts = opened.explain("u3", row["track"])
        assert parts["contribution"].sum() == pytest.approx(row["score"], rel=1e-4, abs=1e-4)
        assert parts.filter(pl.col("part") == COUNTS).height == 1
    assert COUNTS in {*best["reason_1"], *best["reason_2"]}
    capsys.readouterr()
    assert main(["recommend", str(run), "--history=t7,t8,t9", "--k=3"]) == 0
    assert COUNTS in capsys.readouterr().out
    assert main(["report", str(run)]) == 0
    page = (run / "report.html").read_text()
    assert COUNTS in page and "A typical listener" in page


def test_a_run_that_is_resumed_is_the_unbroken_one(run, folder, tmp_path, monkeypatch):
    def stop():
        raise KeyboardInterrupt

    broken = config(folder, writers=("tests.helpers.tiny_runs:Breaking",))
    monkeypatch.setattr(Breaking, "at", 7)
    monkeypatch.setattr(Breaking, "what", staticmethod(stop))
    with pytest.raises(KeyboardInterrupt):
        train(broken, tmp_path)
    monkeypatch.setattr(Breaking, "at", -1)
    train(broken, tmp_path)
    assert_same_run(run, tmp_path)


def test_without_weights_scores_are_those_of_the_model(folder):
    counted, plain = config(folder), config(folder)
    with plain.ignore_type():
        plain.batches.evidence = None
    plain = resolve(plain)
    scores = []
    for one in (counted, plain):
        built = build_run(one, one_device())
        state = initialise(built)
        if "evidence_offset" in state["params"]["model"]:
            state["params"]["model"]["evidence_offset"]["weights"] *= 0
        recommender = model_of(built, *weights(state))
        assert recommender.dot_product == (one is plain)
        scores.append(recommender.scores(np.arange(6), built.train.take(np.arange(6))))
    np.testing.assert_array_equal(*scores)
