"""Metrics of clips against scikit-learn, and what their intervals and files promise."""

import json

import numpy as np
import pytest
from sklearn import metrics as oracle

from mu.evals import clip_metrics
from mu.evals.clip_scores import ClipResult, Said, format_scores, load, mean_summary, metric_names, pooled, save

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
    assert clip_metrics.accuracy(scores, classes, ONES)[0] == pytest.approx(oracle.accuracy_score(classes, told))
    assert clip_metrics.f1(scores, classes, ONES)[0] == pytest.approx(oracle.f1_score(classes, told, average="macro"))
    np.testing.assert_allclose(
        clip_metrics.recalls(scores, classes, ONES)[0], oracle.recall_score(classes, told, average=None)
    )
    np.testing.assert_array_equal(
        clip_metrics.confusions(scores, classes, ONES)[0], oracle.confusion_matrix(classes, told)
    )


def test_ranking_metrics_equal_scikit_learn_with_ties():
    scores, _, labels, _ = drawn()
    np.testing.assert_allclose(
        clip_metrics.roc_auc_per_class(scores, labels, ONES)[0], oracle.roc_auc_score(labels, scores, average=None)
    )
    np.testing.assert_allclose(
        clip_metrics.average_precision_per_class(scores, labels, ONES)[0],
        oracle.average_precision_score(labels, scores, average=None),
    )
    probabilities = 1 / (1 + np.exp(-scores))
    np.testing.assert_allclose(
        clip_metrics.log_likelihood_per_class(probabilities, labels, ONES)[0],
        [-oracle.log_loss(labels[:, c], probabilities[:, c]) for c in range(C)],
    )


def test_correlations_equal_numpy():
    scores, _, _, numbers = drawn()
    found = clip_metrics.pearson_per_number(scores, numbers, ONES)[0]
    np.testing.assert_allclose(found, [np.corrcoef(scores[:, c], numbers[:, c])[0, 1] for c in range(C)])
    np.testing.assert_allclose(
        clip_metrics.r2_per_number(scores, numbers, ONES)[0],
        oracle.r2_score(numbers, scores, multioutput="raw_values"),
    )


@pytest.mark.parametrize("kind", clip_metrics.METRICS)
def test_weights_count_clips_as_often_as_copies_would(kind):
    scores, classes, labels, numbers = drawn()
    target = {"class": classes, "tags": labels, "numbers": numbers}[kind]
    counts = np.random.default_rng(1).integers(0, 3, N)
    rows = np.repeat(np.arange(N), counts)
    for metric in clip_metrics.METRICS[kind].values():
        copied = metric(scores[rows], target[rows], np.ones((1, len(rows))))
        np.testing.assert_allclose(metric(scores, target, counts[None].astype(float)), copied, rtol=1e-9)


@pytest.mark.parametrize("kind", clip_metrics.METRICS)
def test_what_is_right_scores_most(kind):
    _, classes, labels, numbers = drawn()
    truth = {"class": classes, "tags": labels, "numbers": numbers}[kind]
    perfect = {"class": np.eye(C)[classes], "tags": labels.astype(float), "numbers": numbers}[kind]
    for name, metric in clip_metrics.METRICS[kind].items():
        most = 0.0 if name == "log_likelihood" else 1.0
        assert metric(perfect, truth, ONES)[0] == pytest.approx(most, abs=1e-6)


def test_a_constant_is_at_chance_and_a_constant_number_has_no_correlation():
    _, classes, labels, numbers = drawn()
    constant = np.full((N, C), 0.25)
    np.testing.assert_allclose(clip_metrics.roc_auc_per_class(constant, labels, ONES), 0.5)
    np.testing.assert_allclose(clip_metrics.average_precision_per_class(constant, labels, ONES)[0], labels.mean(axis=0))
    assert clip_metrics.accuracy(constant, classes, ONES)[0] == pytest.approx((classes == 0).mean())
    assert np.isnan(clip_metrics.pearson_per_number(constant, numbers, ONES)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_far_from_zero_are_told_by_their_differences(dtype):
    """Years, whose squares are 1e7 times their variance; and one year alone, of which there is nothing to explain."""
    _, _, _, numbers = drawn()
    years = (1980.1 + 0.1 * numbers).astype(dtype)
    said = years + 0.05 * np.random.default_rng(3).standard_normal((N, C)).astype(dtype)
    np.testing.assert_allclose(
        clip_metrics.r2_per_number(said, years, ONES)[0],
        oracle.r2_score(years.astype(np.float64), said.astype(np.float64), multioutput="raw_values"),
    )
    expected = [np.corrcoef(said[:, c].astype(np.float64), years[:, c].astype(np.float64))[0, 1] for c in range(C)]
    np.testing.assert_allclose(clip_metrics.pearson_per_number(said, years, ONES)[0], expected)
    few = np.zeros((1, N))
    few[0, :3] = [3, 0, 2]
    for weights in (ONES, few):
        constant = np.full((N, C), 1980.1, dtype)
        assert np.isnan(clip_metrics.r2_per_number(said, constant, weights)).all()
        assert np.isnan(clip_metrics.pearson_per_number(said, constant, weights)).all()
    alone = np.zeros((1, N))
    alone[0, 4] = 2  # one clip, twice: constant under these weights only
    assert np.isnan(clip_metrics.r2_per_number(said, years, alone)).all()


def test_a_class_without_clips_is_left_out_of_the_mean():
    scores, classes, _, _ = drawn()
    without = (classes != 3).astype(float)[None]
    kept = classes != 3
    found = clip_metrics.METRICS["class"]["roc_auc"](scores, classes, without)[0]
    labels = np.eye(C)[classes][kept][:, :3]
    assert found == pytest.approx(oracle.roc_auc_score(labels, scores[kept][:, :3], average="macro"))


def result(seed=0, groups=None):
    scores, classes, _, numbers = drawn(seed)
    clips = tuple(f"clip{at}" for at in range(N))
    said = {
        "genre": Said("class", tuple("abcd"), scores.astype(np.float32), classes.astype(np.int32)),
        "numbers": Said("numbers", tuple("wxyz"), scores.astype(np.float32), numbers.astype(np.float32)),
    }
    return ClipResult(clips, groups or clips, said)


def test_targets_that_are_not_known_are_not_measured():
    whole = result()
    truth = whole.said["genre"].truth.copy()
    truth[:10] = -1
    partly = ClipResult(
        whole.clips, whole.groups, {"genre": Said("class", tuple("abcd"), whole.said["genre"].scores, truth)}
    )
    rest = ClipResult(
        whole.clips[10:],
        whole.groups[10:],
        {"genre": Said("class", tuple("abcd"), whole.said["genre"].scores[10:], truth[10:])},
    )
    assert partly.values() == rest.values()


def test_intervals_hold_the_value():
    for name, value, low, high in result().summary(500):
        assert low <= value <= high, name


def test_intervals_widen_where_clips_of_a_group_are_alike():
    """240 clips in groups of 20 that are right or wrong together: 12 independent things, sqrt(20) times the width."""
    right = np.repeat(np.random.default_rng(0).permutation(12) < 7, 20)
    said = Said("class", ("x", "y"), np.stack([right, ~right], axis=1).astype(np.float32), np.zeros(240, np.int32))
    clips = tuple(map(str, range(240)))
    width = {}
    for name, groups in {"alone": clips, "grouped": tuple(f"group{at // 20}" for at in range(240))}.items():
        found = {metric: high - low for metric, _, low, high in ClipResult(clips, groups, {"a": said}).summary(1000)}
        width[name] = found["a/accuracy"]
    assert width["grouped"] == pytest.approx(np.sqrt(20) * width["alone"], rel=0.15)


def test_classes_are_counted_as_clips_and_numbers_as_what_is_known():
    """A level in dB is negative, and known all the same."""
    found = result()
    found.said["numbers"].truth[:, 0] = -20.0 + found.said["numbers"].truth[:, 0]
    found.said["numbers"].truth[7, 2] = np.nan
    rows = found.per_class("numbers", 20)
    assert [(row.name, row.metric) for row in rows[:3]] == [("w", "pearson"), ("w", "r2"), ("x", "pearson")]
    assert {row.clips for row in rows} == {N - 1}
    counts = {row.name: row.clips for row in found.per_class("genre", 20)}
    assert list(counts.values()) == np.bincount(found.said["genre"].truth).tolist()


def test_what_is_not_defined_is_null_on_disk_and_no_warning(tmp_path):
    """Classes without clips, a constant number, and draws in which no clip is known."""
    said = {
        "genre": Said("class", ("a", "b"), np.eye(2, dtype=np.float32)[[0, 1, 0, 1]], np.array([0, 0, -1, -1])),
        "numbers": Said("numbers", ("x",), np.ones((4, 1), np.float32), np.full((4, 1), 1980.1, np.float32)),
    }
    save(tmp_path, {"model": ClipResult(tuple("abcd"), tuple("gghh"), said)}, {}, samples=50, seed=0)
    text = (tmp_path / "evaluation.json").read_text()
    json.loads(text, parse_constant=pytest.fail)
    _, about = load(tmp_path)
    assert json.loads(text)["rows"]["model"]["genre/roc_auc"] == {"value": None, "low": None, "high": None}
    assert all(np.isnan(value) for value in about["rows"]["model"]["numbers/r2"].values())
    assert about["rows"]["model"]["genre/accuracy"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    recall = next(row for row in about["per_class"] if row["name"] == "b" and row["metric"] == "recall")
    assert recall["clips"] == 0 and np.isnan([recall["value"], recall["low"], recall["high"]]).all()


def test_the_interval_of_accuracy_is_the_binomial_one():
    generator = np.random.default_rng(0)
    right = generator.random(4000) < 0.7
    scores = np.stack([right, ~right], axis=1).astype(np.float32)
    clips = tuple(map(str, range(4000)))
    found = ClipResult(clips, clips, {"a": Said("class", ("x", "y"), scores, np.zeros(4000, np.int32))})
    low, high = next((low, high) for name, _, low, high in found.summary(1000) if name == "a/accuracy")
    expected = 2 * 1.96 * np.sqrt(0.7 * 0.3 / 4000)
    assert high - low == pytest.approx(expected, rel=0.1)


def test_folds_are_pooled_clip_by_clip():
    whole = result()

    def part(rows):
        said = {head: Said(s.kind, s.names, s.scores[rows], s.truth[rows]) for head, s in whole.said.items()}
        return ClipResult(tuple(whole.clips[row] for row in rows), tuple(whole.groups[row] for row in rows), said)

    first, second = part(np.arange(20)), part(np.arange(20, N))
    assert pooled([first, second]).values() == whole.values()
    with pytest.raises(ValueError, match="'clip0' was tested in two folds"):
        pooled([first, first])


def test_the_mean_over_seeds_lies_between_them():
    one, other = result(0), result(0)
    other = ClipResult(
        other.clips,
        other.groups,
        {
            **one.said,
            "genre": Said(
                "class", tuple("abcd"), np.eye(C, dtype=np.float32)[one.said["genre"].truth], one.said["genre"].truth
            ),
        },
    )
    found = {name: value for name, value, _, _ in mean_summary([one, other], 50)}
    for name in one.values():
        assert found[name] == pytest.approx((one.values()[name] + other.values()[name]) / 2)
    with pytest.raises(ValueError, match="same clips"):
        mean_summary([one, ClipResult(one.clips[::-1], one.groups, one.said)], 50).__next__()


def test_saved_and_read_again(tmp_path):
    found = result()
    save(tmp_path, {"model": found}, {"part": "test"}, samples=20, seed=0)
    again, about = load(tmp_path)
    assert again["model"].values() == found.values() and again["model"].clips == found.clips
    assert (
        about["n_clips"] == N and about["rows"]["model"]["genre/accuracy"]["value"] == found.values()["genre/accuracy"]
    )
    assert {row["name"] for row in about["per_class"]} == set("abcdwxyz")
    assert "genre/accuracy" in format_scores({"model": found}, samples=20)
    written = (tmp_path / "evaluation.json").read_text()
    (tmp_path / "evaluation.json").write_text(json.dumps(json.loads(written) | {"format_version": 2}))
    with pytest.raises(ValueError, match="format_version 2; this version of mu reads 1"):
        load(tmp_path)
    (tmp_path / "evaluation.json").write_text(written)
    save(tmp_path / "other", {"model": result(1)}, {"part": "test"}, samples=20, seed=0)
    (tmp_path / "clips.npz").write_bytes((tmp_path / "other" / "clips.npz").read_bytes())
    with pytest.raises(ValueError, match=r"clips.npz is not the file that"):
        load(tmp_path)
    (tmp_path / "evaluation.json").write_text(json.dumps({"kind": "ranking"}))
    with pytest.raises(ValueError, match="no evaluation of clips"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError, match="has evaluation"):
        load(tmp_path / "nowhere")


def test_names():
    assert metric_names({"genre": "class", "numbers": "numbers"})[-2:] == ["numbers/pearson", "numbers/r2"]
