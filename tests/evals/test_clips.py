"""Metrics of clips against scikit-learn, and what their intervals and files promise."""

import dataclasses
import errno
import json
import os

import numpy as np
import pytest
from sklearn import metrics as oracle

from mu.evals.folds import mean_summary, pooled
from mu.evals.metrics.clips import accuracy, average_precision, f1, log_likelihood, pearson, r2, recall, roc_auc
from mu.evals.metrics.clips.confusion import confusions
from mu.evals.metrics.loading import metric_path, own_metrics
from mu.evals.predictions import (
    CLIP_METRICS,
    KINDS,
    METRICS,
    ClassPredictions,
    NumberPredictions,
    metric_names,
    predictions_of,
    result_of,
)
from mu.evals.result import Result
from mu.evals.results import load, save
from mu.evals.table import ResultTable
from mu.files import read_json
from mu.locks import Locked, writing
from mu.names import locate

N, C = 60, 4


def drawn(seed=0):
    """(scores with ties [N, C], classes [N], labels [N, C], numbers [N, C])."""
    generator = np.random.default_rng(seed)
    scores = np.round(generator.random((N, C)), 1)
    classes = np.concatenate([np.arange(C), generator.integers(0, C, N - C)])
    labels = generator.random((N, C)) < 0.3
    return scores, classes, labels, generator.standard_normal((N, C))


ONES = np.ones((1, N))


def test_class_metrics_equal_scikit_learn():
    scores, classes, _, _ = drawn()
    told = scores.argmax(axis=1)
    assert accuracy.accuracy(scores, classes, ONES)[0] == pytest.approx(oracle.accuracy_score(classes, told))
    assert f1.f1(scores, classes, ONES)[0] == pytest.approx(oracle.f1_score(classes, told, average="macro"))
    np.testing.assert_allclose(
        recall.recall_per_class(scores, classes, ONES)[0], oracle.recall_score(classes, told, average=None)
    )
    np.testing.assert_array_equal(confusions(scores, classes, ONES)[0], oracle.confusion_matrix(classes, told))


def test_ranking_metrics_equal_scikit_learn_with_ties():
    scores, _, labels, _ = drawn()
    np.testing.assert_allclose(
        roc_auc.roc_auc_per_class(scores, labels, ONES)[0], oracle.roc_auc_score(labels, scores, average=None)
    )
    np.testing.assert_allclose(
        average_precision.average_precision_per_class(scores, labels, ONES)[0],
        oracle.average_precision_score(labels, scores, average=None),
    )
    probabilities = 1 / (1 + np.exp(-scores))
    np.testing.assert_allclose(
        log_likelihood.log_likelihood_per_class(probabilities, labels, ONES)[0],
        [-oracle.log_loss(labels[:, c], probabilities[:, c]) for c in range(C)],
    )


def test_correlations_equal_numpy():
    scores, _, _, numbers = drawn()
    found = pearson.pearson_per_class(scores, numbers, ONES)[0]
    np.testing.assert_allclose(found, [np.corrcoef(scores[:, c], numbers[:, c])[0, 1] for c in range(C)])
    np.testing.assert_allclose(
        r2.r2_per_class(scores, numbers, ONES)[0],
        oracle.r2_score(numbers, scores, multioutput="raw_values"),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_weights_count_clips_as_often_as_copies_would(kind):
    scores, classes, labels, numbers = drawn()
    target = {"class": classes, "tags": labels, "numbers": numbers}[kind]
    counts = np.random.default_rng(1).integers(0, 3, N)
    rows = np.repeat(np.arange(N), counts)
    for name in KINDS[kind].metrics:
        metric = locate(metric_path(name, CLIP_METRICS))
        copied = metric(scores[rows], target[rows], np.ones((1, len(rows))))
        np.testing.assert_allclose(metric(scores, target, counts[None].astype(float)), copied, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_right_scores_most(kind):
    _, classes, labels, numbers = drawn()
    truth = {"class": classes, "tags": labels, "numbers": numbers}[kind]
    perfect = {"class": np.eye(C)[classes], "tags": labels.astype(float), "numbers": numbers}[kind]
    for name in KINDS[kind].metrics:
        metric = locate(metric_path(name, CLIP_METRICS))
        most = 0.0 if name == "log_likelihood" else 1.0
        assert metric(perfect, truth, ONES)[0] == pytest.approx(most, abs=1e-6)


def test_a_constant_is_at_chance_and_a_constant_number_has_no_correlation():
    _, classes, labels, numbers = drawn()
    constant = np.full((N, C), 0.25)
    np.testing.assert_allclose(roc_auc.roc_auc_per_class(constant, labels, ONES), 0.5)
    np.testing.assert_allclose(
        average_precision.average_precision_per_class(constant, labels, ONES)[0], labels.mean(axis=0)
    )
    assert accuracy.accuracy(constant, classes, ONES)[0] == pytest.approx((classes == 0).mean())
    assert np.isnan(pearson.pearson_per_class(constant, numbers, ONES)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_far_from_zero_are_told_by_their_differences(dtype):
    """Years, whose squares are 1e7 times their variance; and one year alone, of which there is nothing to explain."""
    _, _, _, numbers = drawn()
    years = (1980.1 + 0.1 * numbers).astype(dtype)
    said = years + 0.05 * np.random.default_rng(3).standard_normal((N, C)).astype(dtype)
    np.testing.assert_allclose(
        r2.r2_per_class(said, years, ONES)[0],
        oracle.r2_score(years.astype(np.float64), said.astype(np.float64), multioutput="raw_values"),
    )
    expected = [np.corrcoef(said[:, c].astype(np.float64), years[:, c].astype(np.float64))[0, 1] for c in range(C)]
    np.testing.assert_allclose(pearson.pearson_per_class(said, years, ONES)[0], expected)
    few = np.zeros((1, N))
    few[0, :3] = [3, 0, 2]
    for weights in (ONES, few):
        constant = np.full((N, C), 1980.1, dtype)
        assert np.isnan(r2.r2_per_class(said, constant, weights)).all()
        assert np.isnan(pearson.pearson_per_class(said, constant, weights)).all()
    alone = np.zeros((1, N))
    alone[0, 4] = 2  # one clip, twice: constant under these weights only
    assert np.isnan(r2.r2_per_class(said, years, alone)).all()


def test_a_class_without_clips_is_left_out_of_the_mean():
    scores, classes, _, _ = drawn()
    without = (classes != 3).astype(float)[None]
    kept = classes != 3
    found = roc_auc.roc_auc(scores, classes, without)[0]
    labels = np.eye(C)[classes][kept][:, :3]
    assert found == pytest.approx(oracle.roc_auc_score(labels, scores[kept][:, :3], average="macro"))


def measured(said, clips, groups=None):
    return result_of(said, unit="clip", units=clips, cluster="recording", clusters=groups or clips)


def answers(seed=0):
    scores, classes, _, numbers = drawn(seed)
    return {
        "genre": ClassPredictions(tuple("abcd"), scores.astype(np.float32), classes.astype(np.int32)),
        "numbers": NumberPredictions(tuple("wxyz"), scores.astype(np.float32), numbers.astype(np.float32)),
    }


CLIPS = tuple(f"clip{at}" for at in range(N))


def result(seed=0):
    return measured(answers(seed), CLIPS)


def test_targets_that_are_not_known_are_not_measured():
    whole = answers()["genre"]
    truth = whole.truth.copy()
    truth[:10] = -1
    partly = measured({"genre": ClassPredictions(whole.names, whole.scores, truth)}, CLIPS)
    rest = measured({"genre": ClassPredictions(whole.names, whole.scores[10:], truth[10:])}, CLIPS[10:])
    assert partly.values() == rest.values()
    nothing = measured({"genre": ClassPredictions(whole.names, whole.scores, np.full(N, -1))}, CLIPS)
    with pytest.raises(ValueError, match="genre/accuracy: of none of the 60 clips the truth is known"):
        nothing.values()


def test_intervals_hold_the_value():
    for name, value, low, high in result().summary(500):
        assert low <= value <= high, name


def test_intervals_widen_where_clips_of_a_group_are_alike():
    """240 clips in groups of 20 that are right or wrong together: 12 independent things, sqrt(20) times the width."""
    right = np.repeat(np.random.default_rng(0).permutation(12) < 7, 20)
    scores = np.stack([right, ~right], axis=1).astype(np.float32)
    said = {"a": ClassPredictions(("x", "y"), scores, np.zeros(240, np.int32))}
    clips = tuple(map(str, range(240)))
    width = {}
    for name, groups in {"alone": clips, "grouped": tuple(f"group{at // 20}" for at in range(240))}.items():
        found = {metric: high - low for metric, _, low, high in measured(said, clips, groups).summary(1000)}
        width[name] = found["a/accuracy"]
    assert width["grouped"] == pytest.approx(np.sqrt(20) * width["alone"], rel=0.15)


def test_classes_are_counted_as_clips_and_numbers_as_what_is_known():
    """A level in dB is negative, and known all the same."""
    said = answers()
    said["numbers"].truth[:, 0] = -20.0 + said["numbers"].truth[:, 0]
    said["numbers"].truth[7, 2] = np.nan
    found = measured(said, CLIPS)
    assert list(found.details) == ["genre/recall", "genre/f1", "numbers/pearson", "numbers/r2"]
    assert [row.name for row in found.detail("numbers/pearson", 20)] == list("wxyz")
    again = predictions_of(found)
    assert {again["numbers"].count(place) for place in range(C)} == {N - 1}
    assert [again["genre"].count(place) for place in range(C)] == np.bincount(said["genre"].truth).tolist()


def test_what_is_not_defined_is_null_on_disk_and_no_warning(tmp_path):
    """Classes without clips, a constant number, and draws in which no clip is known."""
    said = {
        "genre": ClassPredictions(("a", "b"), np.eye(2, dtype=np.float32)[[0, 1, 0, 1]], np.array([0, 0, -1, -1])),
        "numbers": NumberPredictions(("x",), np.ones((4, 1), np.float32), np.full((4, 1), 1980.1, np.float32)),
    }
    save(tmp_path, {"model": measured(said, tuple("abcd"), tuple("gghh"))}, {}, samples=50)
    text = (tmp_path / "evaluation.json").read_text()
    json.loads(text, parse_constant=pytest.fail)
    evaluation = load(tmp_path)
    assert json.loads(text)["rows"]["model"]["genre/roc_auc"] == {"value": None, "low": None, "high": None}
    assert np.isnan(evaluation.rows["model"]["numbers/r2"][1:]).all()
    value, low, high = evaluation.rows["model"]["genre/accuracy"][1:]
    assert value == 0.5 and low == pytest.approx(0.5 - high + 0.5) and low < 0.06  # one recording says little
    assert np.isnan(evaluation.details["genre/recall"]["b"][1:]).all()


def test_the_interval_of_accuracy_is_the_binomial_one():
    generator = np.random.default_rng(0)
    right = generator.random(4000) < 0.7
    scores = np.stack([right, ~right], axis=1).astype(np.float32)
    clips = tuple(map(str, range(4000)))
    found = measured({"a": ClassPredictions(("x", "y"), scores, np.zeros(4000, np.int32))}, clips)
    low, high = next((low, high) for name, _, low, high in found.summary(1000) if name == "a/accuracy")
    expected = 2 * 1.96 * np.sqrt(0.7 * 0.3 / 4000)
    assert high - low == pytest.approx(expected, rel=0.1)


def test_folds_are_pooled_clip_by_clip():
    whole = result()
    first, second = whole.take(np.arange(20)), whole.take(np.arange(20, N))
    assert pooled([first, second]).values() == whole.values()
    with pytest.raises(ValueError, match="clip 'clip0' was tested in two folds"):
        pooled([first, first])
    with pytest.raises(ValueError, match="predict different targets"):
        pooled([first, measured({"genre": answers()["genre"]}, CLIPS).take(np.arange(20, N))])


def test_the_mean_over_seeds_lies_between_them():
    one = result()
    genre = answers()["genre"]
    right = ClassPredictions(genre.names, np.eye(C, dtype=np.float32)[genre.truth], genre.truth)
    other = measured({**answers(), "genre": right}, CLIPS)
    found = {name: value for name, value, _, _ in mean_summary([one, other], 50)}
    for name in one.values():
        assert found[name] == pytest.approx((one.values()[name] + other.values()[name]) / 2)
    with pytest.raises(ValueError, match="same clips"):
        mean_summary([one, one.take(np.arange(N)[::-1])], 50)


def test_the_mean_over_seeds_of_a_column_is_over_the_units_that_have_a_number():
    units, values = np.arange(40), np.random.default_rng(0).random(40)
    values[::4] = np.nan
    one = Result(unit="clip", units=units, columns={"x": values}, cluster="speaker", clusters=units // 2)
    other = dataclasses.replace(one, columns={"x": values + 1})
    (estimate,) = mean_summary([one, other], samples=400)
    assert estimate.name == "x" and estimate.value == pytest.approx(np.nanmean(values) + 0.5)
    (alone,) = mean_summary([one], samples=400)
    np.testing.assert_allclose(alone[1:], one.summary(400)[0][1:])
    np.testing.assert_allclose(estimate[2:], np.array(alone[2:]) + 0.5)


def test_saved_and_read_again(tmp_path):
    found = result()
    save(tmp_path, {"model": found}, {"part": "test"}, samples=20)
    evaluation = load(tmp_path)
    again = evaluation.results["model"]
    assert again.values() == found.values() and (again.units == found.units).all() and len(again) == N
    assert again.statistics == found.statistics and again.details == found.details
    assert evaluation.card == {"part": "test"}
    assert evaluation.rows["model"]["genre/accuracy"].value == found.values()["genre/accuracy"]
    assert {name for rows in evaluation.details.values() for name in rows} == set("abcdwxyz")
    assert "genre/accuracy" in str(ResultTable({"model": found}, samples=20))
    written = (tmp_path / "evaluation.json").read_text()
    (tmp_path / "evaluation.json").write_text(
        json.dumps(read_json(tmp_path / "evaluation.json") | {"format_version": 3})
    )
    with pytest.raises(ValueError, match="format_version 3; this version of mu reads 2"):
        load(tmp_path)
    (tmp_path / "evaluation.json").write_text(written)
    save(tmp_path / "other", {"model": result(1)}, {"part": "test"}, samples=20)
    (tmp_path / "units.npz").write_bytes((tmp_path / "other" / "units.npz").read_bytes())
    with pytest.raises(ValueError, match=r"units.npz is not the file that"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError, match="no evaluation at"):
        load(tmp_path / "nowhere")


def test_where_the_disk_is_full_the_evaluation_before_stays(tmp_path, monkeypatch):
    save(tmp_path, {"model": result()}, {"part": "test"}, samples=20)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(path, value):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError) as failed:
        patch.setattr("mu.evals.results.write_json", full)
        save(tmp_path, {"model": result(1)}, {"part": "test"}, samples=20)
    assert os.path.dirname(failed.value.filename) == str(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    with writing(tmp_path), pytest.raises(Locked):
        save(tmp_path, {"model": result(1)}, {"part": "test"}, samples=20)


def test_names():
    assert metric_names({"genre": ClassPredictions, "numbers": NumberPredictions})[-2:] == [
        "numbers/pearson",
        "numbers/r2",
    ]
    assert {name for names in METRICS.values() for name in names} <= set(own_metrics(CLIP_METRICS))
