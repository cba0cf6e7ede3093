"""Predictions as a page shows them, a class a kind: errors, verdicts, labels, what is listed, neighbours."""

import numpy as np
import pytest

from mu.evals.predictions import KINDS, ClassPredictions, NumberPredictions, TagPredictions
from mu.report.class_view import ClassView
from mu.report.clip_run import VIEWS
from mu.report.number_view import NumberView
from mu.report.tag_view import TagView
from mu.report.target_view import Score

CLASSES = ClassView(
    ClassPredictions(
        ("a", "b", "c"),
        np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.4, 0.35, 0.25], [0.3, 0.3, 0.4]], np.float32),
        np.array([0, 2, 1, -1], np.int32),
    )
)
TAGS = TagView(
    TagPredictions(("t", "u"), np.array([[0.9, 0.2], [0.5, 0.5]], np.float32), np.array([[1.0, 0], [0, 1]], np.float32))
)
NUMBERS = NumberView(
    NumberPredictions(
        ("n", "m"),
        np.array([[0.5, 100], [1, 500], [0, 0]], np.float32),
        np.array([[0.0, 100.0], [1.0, 300.0], [2.0, np.nan]], np.float32),
    )
)


def test_every_kind_of_predictions_has_a_view():
    assert set(VIEWS) == set(KINDS.values())


def test_errors_rank_the_clips_whose_truth_is_known():
    np.testing.assert_allclose(CLASSES.errors, [-0.5, 0.7, 0.05, np.nan], atol=1e-6)
    assert CLASSES.by_error(("w", "x", "y", "z")) == [1, 2, 0]
    np.testing.assert_allclose(TAGS.errors, [-(np.log(0.9) + np.log(0.8)) / 2, np.log(2)], atol=1e-6)
    np.testing.assert_allclose(NUMBERS.errors, [np.sqrt(0.5), np.sqrt(2), np.nan], atol=1e-6)
    assert NUMBERS.by_error(("x", "y", "z")) == [1, 0]


def test_verdicts_and_labels():
    assert CLASSES.verdict(0) == (True, "Is a, predicted a (0.70).") and CLASSES.verdict(1)[0] is False
    assert CLASSES.truth_words(3) == "not known"
    assert TAGS.verdict(1) == (None, "Mean cross-entropy over tags 0.69.") and TAGS.truth_words(0) == "t"
    words = "Off by 1.4 standard deviations of the truth (root mean square)."
    assert NUMBERS.verdict(1) == (None, words) and NUMBERS.truth_words(1) == "n 1, m 300"


def test_what_is_listed_of_a_clip():
    assert CLASSES.listed_places(2) == [0, 1, 2] and NUMBERS.listed_places(1) == [1, 0]
    assert CLASSES.score(2, 1) == Score("b", "yes", "0.350", pytest.approx(0.35))
    assert TAGS.score(1, 0) == Score("t", "", "0.500", 0.5)
    assert NUMBERS.score(1, 1) == Score("m", "300", "500", None)


def test_neighbours_share_a_class_or_a_tag_where_both_are_known():
    assert CLASSES.same_label(0, 1) is False and CLASSES.same_label(1, 1) is True and CLASSES.same_label(0, 3) is None
    assert TAGS.same_label(0, 1) is False and TAGS.same_label(0, 0) is True
    assert NUMBERS.same_label(0, 1) is None


def test_points_are_styled_by_class_and_by_the_fifth_of_the_first_number():
    styles, legend = CLASSES.styles([0, 1, 2, 3])
    assert styles == [0, 2, 1, -1]
    assert legend == [("a (1)", 0), ("b (1)", 1), ("c (1)", 2), ("others, or not known", -1)]
    assert TAGS.styles([0, 1]) == ([0, 0], [])
    styles, legend = NUMBERS.styles([0, 1, 2])
    assert styles == sorted(styles) and [style for _, style in legend] == [0, 1, 2, 3, 4]
    gaps = NumberView(NumberPredictions(("n",), np.zeros((3, 1), np.float32), np.array([[0.0], [np.nan], [1.0]])))
    assert gaps.styles([0, 1, 2])[0] == [0, -1, 4] and gaps.styles([0, 1, 2])[1][-1] == ("not known", -1)
    assert gaps.styles([1]) == ([-1], [("not known", -1)])


def test_neighbours_agree_as_often_as_their_classes_do():
    truth = np.arange(12, dtype=np.int32) % 2
    vectors, view = np.eye(2, dtype=np.float32)[truth], ClassView(ClassPredictions(("a", "b"), np.eye(2)[truth], truth))
    words = "Of all clips' 5 nearest 100% have the same pitch (45% by chance)."
    assert view.agreement("pitch", list(range(12)), vectors) == words
    assert CLASSES.agreement("pitch", [0, 3], vectors[:2]) == "" == TAGS.agreement("mood", [0, 1], vectors[:2])
