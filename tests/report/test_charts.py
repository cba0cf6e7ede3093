"""Charts: round ticks, thinned curves."""

import pytest

from mu.report import charts, training


def test_ticks_are_round_and_inside():
    assert charts.ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1] and charts.ticks(-3.1, 4.2) == [-2, 0, 2, 4]
    assert charts.ticks(0.298, 0.302) == [0.298, 0.299, 0.3, 0.301, 0.302]
    assert [charts.tick_text(value) for value in (0, 0.25, 1000, 20_000)] == ["0", "0.25", "1,000", "20 k"]
    assert [charts.upright_text(value) for value in (0.25, 999, 5000, -1500)] == ["0.25", "999", "5 k", "-1.5 k"]


def test_long_curves_are_thinned_and_one_point_is_seen():
    points = [(step, float(step % 2)) for step in range(10_000)]
    thin = charts.thinned(points)
    assert len(thin) == charts.MOST_POINTS and thin[0] == (12.0, pytest.approx(0.48, abs=0.05))
    axes = charts.Axes.around([(5, 1.0)], "step", "loss")
    assert charts.line_chart({"a": [(5, 1.0)]}, axes, "one").paths[0].style == "dots s0"
    lines = [
        {"step": 1, "loss": float("nan")},
        {"step": 2, "loss": 1.0, "valid/x/f1": 0.5, "valid/negative_loss": -2.0},
    ]
    figures = training.training({"": lines}, "valid/x/f1", 2).figures
    labels = " ".join(figure.chart.label for figure in figures)
    assert "validation 2.000 at step 2" in labels and "f1 0.500 at step 2" in labels and "nan" not in labels
