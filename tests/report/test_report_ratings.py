"""The page of a run on ratings: shares of each track, calibration, and what it shows without the clips."""

import json

import numpy as np
import pytest

from mu.evals.predictions import TagPredictions
from mu.evals.protocols.ratings import rating_result
from mu.evals.results import load, save
from mu.report.calibration import grouped
from mu.report.rated_tracks import LEAST_RATINGS, rated_tracks, track_lists
from mu.report.ratings import page, read_rating_run, with_ratings
from tests.helpers.rating_clips import load_rated_clips, write_ratings


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return load_rated_clips(write_ratings(tmp_path_factory.mktemp("ratings") / "ratings.csv"))


@pytest.fixture(scope="module")
def folder(clips, tmp_path_factory):
    """A run's folder as its page reads it: of the evaluation of two predictors that know nothing."""
    folder = tmp_path_factory.mktemp("run")
    random, n = np.random.default_rng(0), len(clips.ratings)

    def predicted():
        return {label: random.random((n, 1)).astype(np.float32) for label in clips.label_names}

    results = {name: rating_result(predicted(), clips) for name in ("model", "cohort_mean")}
    card = {"config": "experiments/mine.py", "step": 3, "split": "by_column", "part": "test"}
    save(folder / "evaluation" / "ratings", results, card, samples=20)
    spec = {"name": "a.b:c"}
    config = {"data": {**spec, "ratings": "its/ratings.csv"}, "model": spec, "task": spec, "split": spec, "seed": 0}
    config |= {"total_steps": 3, "refit": False, "best": {"metric": "valid/ratings/liked/roc_auc"}, "title": "Likes"}
    (folder / "config.json").write_text(json.dumps(config))
    run = {
        "versions": {"jax": "1"},
        "machine": "m",
        "cpus": 2,
        "devices": ["cpu"],
        "python": "3",
        "command": "mu train",
    }
    (folder / "run.json").write_text(json.dumps(run))
    return folder


def test_shares_of_tracks_are_means_over_their_ratings(clips):
    ratings = clips.ratings
    random = np.random.default_rng(1)
    one = TagPredictions(("liked",), random.random((len(ratings), 1)).astype(np.float32), ratings.labels[:, [0]])
    rated = rated_tracks(ratings.clips, {"model": one})
    assert rated.counts.min() >= LEAST_RATINGS and len(rated.tracks) < len(clips)
    for place, track in enumerate(rated.tracks):
        own = ratings.clips == track
        assert rated.counts[place] == own.sum()
        assert rated.observed[place] == pytest.approx(ratings.labels[own, 0].mean())
        assert rated.predicted["model"][place] == pytest.approx(one.scores[own, 0].mean())
    most, least, far = track_lists("liked", rated, clips)
    order = np.argsort(-rated.predicted["model"])
    assert [row.track for row in most.rows] == rated.tracks[order[:6]].tolist()
    assert [row.track for row in least.rows] == rated.tracks[order[::-1][:6]].tolist()
    assert far.rows[0].track == rated.tracks[np.argmax(rated.surprise)]
    assert most.rows[0].artist == str(clips.table["pitch"][most.rows[0].track])


def test_the_more_ratings_a_share_is_of_the_more_surprising_it_is():
    of_rating = np.repeat([0, 1, 2], [40, 10, 40])
    truth = np.concatenate([np.arange(40) < 30, np.arange(10) < 7.5, np.arange(40) < 20]).astype(np.float32)
    half = np.full((90, 1), 0.5, np.float32)
    rated = rated_tracks(of_rating, {"model": TagPredictions(("liked",), half, truth[:, None])})
    errors = (30 / 40 - 0.5) / np.sqrt(0.25 / 40), (8 / 10 - 0.5) / np.sqrt(0.25 / 10), 0.0
    np.testing.assert_allclose(rated.surprise, errors)


def test_groups_of_ratings_are_in_the_order_of_what_was_predicted():
    predicted, truth = np.linspace(0, 1, 100), (np.arange(100) % 4 == 0).astype(np.float64)
    truth[3] = np.nan
    means, shares = grouped(predicted, truth)
    assert len(means) == 10 and (np.diff(means) > 0).all()
    assert means[-1] == pytest.approx(predicted[91:].mean()) and shares[-1] == pytest.approx(truth[91:].mean())


def test_the_page_plays_the_tracks_and_compares(folder, clips):
    run = read_rating_run(folder, load(folder, "ratings"), clips, ())
    text = page(run)
    for words in ("Likes", "liked: tracks and listeners", "disliked: tracks and listeners", "Predicted liked most",
                  "Farthest from what listeners said", "predicted and observed", "the cohort&#39;s rate",
                  "roc_auc", "Run it again", "its/ratings.csv".rpartition("/")[2]):  # fmt: skip
        assert words in text, words
    assert text.count("<audio") == 2 * 3 * 6 and run.sounds.lost == {} and len(text) < 6e6
    assert text.count("<script>") == 1


def test_without_clips_the_numbers_remain(folder):
    text = page(read_rating_run(folder, load(folder, "ratings"), None, ["Without tracks and their sound: gone"]))
    assert "Without tracks and their sound: gone" in text and "predicted and observed" in text
    assert "<audio" not in text and "<script" not in text and "Predicted liked most" not in text


def test_other_ratings_than_those_of_the_test_are_refused(folder, clips):
    units = load(folder, "ratings").results["model"].units
    assert with_ratings(clips, units) is clips
    fewer = clips.take(np.arange(10))
    with pytest.raises(ValueError, match="no longer those that the run was tested on"):
        with_ratings(fewer, units)
