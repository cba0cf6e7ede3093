"""The chart by age: dots as high as values, intervals upright, counts below, each line with its name beside it."""

import itertools
import re

import numpy as np
import pytest

from mu.report.age_chart import age_chart
from mu.report.interval_chart import FRAME, interval_chart, spread
from mu.report.page import environment
from tests.helpers.chromium import browser, needs_browser
from tests.helpers.comparisons import compared, half_ones, play_result, user_result

N = 400
SERIES = {
    "model": [(0.5, 0.4, 0.6), (0.2, 0.1, 0.3), (0.4, 0.3, 0.8)],
    "chance": [(0.1, 0.0, 0.2), None, (0.0, 0.0, 0.0)],
    "absent": [None, None, None],
}


def chart():
    words = {"x_name": "age", "y_name": "recall@20", "label": "its label", "joined": True}
    return interval_chart(SERIES, ["new <1>", "old", "known"], ["7", "1,234", "9"], **words)


def up(value, high=0.8 * 1.05):
    return FRAME.bottom - value / high * (FRAME.bottom - FRAME.top)


def test_dots_stand_as_high_as_values_and_beside_each_other():
    dots = [path for path in chart().paths if "dots" in path.style]
    assert [path.title for path in dots] == ["model", "chance"]
    places = [[tuple(map(float, pair)) for pair in re.findall(r"M([\d.]+) ([\d.]+)h0", path.d)] for path in dots]
    step = (FRAME.right - FRAME.left) / 3
    for points, values in zip(places, SERIES.values(), strict=False):
        shown = [(place, one[0]) for place, one in enumerate(values) if one is not None]
        assert len(points) == len(shown), "a gap where there is no value"
        for (x, y), (place, value) in zip(points, shown, strict=True):
            assert y == pytest.approx(up(value), abs=0.06)
            assert FRAME.left + place * step < x < FRAME.left + (place + 1) * step
    assert places[0][0][0] < places[1][0][0]


def test_intervals_are_upright_from_low_to_high():
    (bars,) = (path.d for path in chart().paths if path.style == "line s0")
    drawn = [tuple(map(float, pair)) for pair in re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", bars)]
    np.testing.assert_allclose(drawn, [tuple(map(up, one[1:])) for one in SERIES["model"]], atol=0.06)


def test_negative_values_stand_above_the_axis():
    one = interval_chart(
        {"a": [(-0.6, -0.7, -0.5)]}, ["x"], ["3"], x_name="", y_name="log likelihood", label="", joined=False
    )
    (dot,) = (path.d for path in one.paths if "dots" in path.style)
    assert FRAME.top < float(dot.split()[1].removesuffix("h0")) < FRAME.bottom


@pytest.mark.parametrize("seed", range(20))
def test_names_keep_their_order_and_their_distance(seed):
    random = np.random.default_rng(seed)
    heights = np.sort(random.uniform(0, 100, random.integers(1, 8))).tolist()
    places = spread(heights, 12.0, 0.0, 100.0)
    assert all(b - a >= 12.0 - 1e-9 for a, b in itertools.pairwise(places))
    assert min(places) >= -1e-9 and max(places) <= 100 + 1e-9
    far = all(b - a >= 12.0 for a, b in itertools.pairwise(heights))
    assert not far or places == heights, "what has room stays where it is"


def test_where_there_is_no_room_names_share_what_there_is():
    assert spread([5.0] * 11, 12.0, 0.0, 100.0) == pytest.approx([10.0 * place for place in range(11)])


def test_counts_and_names_are_drawn_and_escaped():
    text = environment().from_string('{% from "charts.html" import chart %}{{ chart(one) }}').render(one=chart())
    assert "new &lt;1&gt;" in text and ">1,234</text>" in text and ">age</text>" in text and "its label" in text
    assert [label.text for label in chart().labels] == ["model", "chance"]


SECTIONS = {"discovery": half_ones(N, 40), "day 0": half_ones(N, 160), "weeks 4-": np.zeros(N)}


def test_every_baseline_is_in_the_chart_and_the_variants_of_the_model_are_not():
    names = ("model", "model_unboosted", "b1", "b2", "b3", "b4", "b5", "oracle")
    figure = age_chart(compared({name: play_result(SECTIONS) for name in names}))
    assert figure is not None
    assert {label.text for label in figure.chart.labels} == {"model", "b1", "b2", "b3", "b4", "b5", "oracle"}
    assert [tick.text for tick in figure.chart.x_ticks] == ["day 0", "wk 4+", "known"]
    assert {tick.below for tick in figure.chart.x_ticks} == {"400"}
    assert "model: 0.400, 0.000, 0.100" in figure.chart.label


def test_without_new_tracks_there_is_no_chart():
    assert age_chart(compared({"model": play_result({"discovery": half_ones(N, 40)})})) is None
    assert age_chart(compared({"model": user_result(recall=half_ones(N, 40))})) is None


@needs_browser
def test_no_name_is_cut_off_and_none_lies_on_another(tmp_path):
    names = ("model", "oracle", "artist_popularity", "a_baseline_with_a_very_long_name", "item_knn", "random")
    figure = age_chart(compared({name: play_result(SECTIONS) for name in names}))
    text = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
    <style>{% include "page.css" %}{% include "comparison.css" %}</style>
    {% from "charts.html" import figure %}{{ figure(one) }}"""
    file = tmp_path / "page.html"
    file.write_text(environment().from_string(text).render(one=figure))
    boxes = """[...document.querySelectorAll('svg.chart text')].map(one => one.getBoundingClientRect())
      .map(one => [one.left, one.top, one.right, one.bottom])"""
    with browser(tmp_path / "profile") as tab:
        for width in (390, 1280):
            tab.open(file, width=width)
            left, _, right, _ = tab.tell(
                "(one => [one.left, one.top, one.right, one.bottom])"
                "(document.querySelector('svg.chart').getBoundingClientRect())"
            )
            places = np.array(tab.tell(boxes))
            assert (places[:, 0] >= left - 1).all() and (places[:, 2] <= right + 1).all(), width
            for at, one in enumerate(places):
                for other in places[at + 1 :]:
                    across, high = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
                    assert across <= 1 or high <= 0.3 * (one[3] - one[1]), (width, one, other)
