"""Tables of a run on audio: confusions, values that are not defined."""

import numpy as np

from mu.evals.predictions import ClassPredictions
from mu.evals.result import Estimate
from mu.report import clip_tables


def test_confusions_of_many_classes_are_a_list():
    names = tuple(f"c{number}" for number in range(50))
    truth = np.arange(100, dtype=np.int32) % 50
    scores = np.eye(50, dtype=np.float32)[np.where(truth == 7, 8, truth)]
    many = clip_tables.confusion(ClassPredictions(names, scores, truth), "target")
    assert many.pairs == [("c7", "c8", "2", "100%")] and not many.matrix
    two = ClassPredictions(names[:2], np.eye(2, dtype=np.float32), np.array([0, 1], np.int32))
    few = clip_tables.confusion(two, "target")
    assert few.summary == "Every clip is predicted right."
    assert [[(one.count, one.share, one.right) for one in row] for row in few.matrix] == [
        [(1, 1.0, True), (0, 0.0, False)], [(0, 0.0, False), (1, 1.0, True)],
    ]  # fmt: skip


def test_a_value_that_is_not_defined_says_so():
    nan = float("nan")
    assert clip_tables.cell(Estimate("kind/recall", nan, nan, nan)) == clip_tables.Cell("not defined")
    assert clip_tables.cell(Estimate("kind/recall", 1.0, nan, nan)) == clip_tables.Cell("1.000", "[unknown]")
    whole = clip_tables.cell(Estimate("kind/f1", 0.5, 0.25, 0.75))
    assert whole == clip_tables.Cell("0.500", "[0.250, 0.750]", clip_tables.Bar(25.0, 50.0, 49.25))
    correlation = clip_tables.cell(Estimate("numbers/pearson", 0.0, -0.5, 0.5))
    assert correlation.bar == clip_tables.Bar(25.0, 50.0, 49.25), "its scale begins at -1"
    assert clip_tables.cell(Estimate("mood/log_likelihood", -0.5, -0.6, -0.4)).bar is None, "its scale has no end"


def test_classes_without_clips_are_not_defined():
    predictions = ClassPredictions(
        ("a", "b"), np.array([[0.9, 0.1], [0.8, 0.2]], np.float32), np.array([0, 0], np.int32)
    )
    nan = float("nan")
    recalls = {"a": Estimate("a", 1.0, 1.0, 1.0), "b": Estimate("b", nan, nan, nan)}
    table = clip_tables.per_class(predictions, "class", "h", {"h/recall": recalls, "h/f1": recalls})
    values = [(name, count, [cell.value for cell in cells]) for name, count, cells in table.rows]
    assert values == [("a", "2", ["1.000", "1.000"]), ("b", "0", ["not defined", "not defined"])]
