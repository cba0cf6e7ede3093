"""Metrics in groups of listeners: planted gaps, conservation, and that nothing is said of a few."""

import numpy as np
import polars as pl
import pytest

from mu.evals.group_tables import group_frame, group_text
from mu.evals.groups import OTHERS, by_group, group_names, merged, range_names
from mu.evals.result import Result

NAMES = np.array(["f"] * 60 + ["m"] * 140, object)


def result_of(values, users=None):
    columns = {"recall@10": np.asarray(values, np.float64)}
    units = np.arange(len(values))
    if users is None:
        return Result("user", units, columns)
    return Result("play", units, columns, cluster="user", clusters=np.asarray(users))


def test_the_gap_is_the_difference_to_all_others_and_groups_sum_to_the_whole():
    values = np.random.default_rng(0).random(200)
    f, m = by_group(result_of(values), "recall@10", NAMES)
    assert (f.group, f.n_listeners, m.group, m.n_listeners) == ("f", 60, "m", 140)
    assert f.value.value == pytest.approx(values[:60].mean())
    assert f.gap.value == pytest.approx(values[:60].mean() - values[60:].mean()) == pytest.approx(-m.gap.value)
    assert (60 * f.value.value + 140 * m.value.value) / 200 == pytest.approx(values.mean())
    # Two independent means: the standard error of the gap is the root of the summed squares of theirs.
    error = np.hypot(values[:60].std() / np.sqrt(60), values[60:].std() / np.sqrt(140))
    assert f.gap.high - f.gap.low == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_a_planted_gap_is_in_its_interval_and_none_is_seen_where_there_is_none():
    random, inside, seen = np.random.default_rng(0), 0, 0
    for trial in range(100):
        values = random.random(200) < np.where(NAMES == "f", 0.5, 0.3)
        gap = by_group(result_of(values), "recall@10", NAMES, 300, trial)[0].gap
        inside += gap.low <= 0.2 <= gap.high
        even = by_group(result_of(random.random(200) < 0.4), "recall@10", NAMES, 300, trial)[0].gap
        seen += not even.low <= 0 <= even.high
    assert inside >= 88 and seen <= 12  # 95 and 5 of 100, with four standard errors to spare, nearly


def test_plays_of_a_listener_are_drawn_together():
    users = np.repeat(np.arange(200), 5)
    values = np.repeat(np.random.default_rng(0).random(200), 5)  # all plays of a listener alike
    of_plays = by_group(result_of(values, users), "recall@10", np.repeat(NAMES, 5))
    of_listeners = by_group(result_of(values[::5]), "recall@10", NAMES)
    for plays, listeners in zip(of_plays, of_listeners, strict=True):
        assert plays.n_listeners == listeners.n_listeners
        assert plays.value.high - plays.value.low == pytest.approx(listeners.value.high - listeners.value.low, rel=0.2)


def test_few_listeners_are_put_together_and_none_follow_from_the_whole():
    def sizes(**counts):
        names = np.repeat(list(counts), list(counts.values())).astype(object)
        together = merged(names, np.arange(len(names)), 10)
        return {name: int((together == name).sum()) for name in set(together)}

    assert sizes(a=30, b=20, c=6, d=5) == {"a": 30, "b": 20, OTHERS: 11}
    assert sizes(a=30, b=20, c=9) == {"a": 30, OTHERS: 29}  # 9 alone would be the whole less the others
    assert sizes(a=30, b=20) == {"a": 30, "b": 20}
    assert sizes(a=30, b=9) == {OTHERS: 39}
    assert by_group(result_of(np.ones(39)), "recall@10", np.array(["a"] * 30 + ["b"] * 9, object)) == []


def test_listeners_without_a_value_are_in_no_group():
    values = np.where(np.arange(200) < 55, np.nan, 0.5)  # 5 of the 60 are left
    assert by_group(result_of(values), "recall@10", NAMES) == []


def test_numbers_are_put_into_ranges_of_equally_many():
    ages = np.arange(18, 58)
    assert list(dict.fromkeys(group_names(ages))) == ["18 to 27", "28 to 37", "38 to 47", "48 to 57"]
    assert group_names([3, None, 4, float("nan")]).tolist() == ["3", "unknown", "4", "unknown"]
    assert group_names(["x", None, True]).tolist() == ["x", "unknown", "True"]
    assert set(range_names(np.array([1] * 50 + [2] * 30 + [3] * 20))) == {"1", "2 to 3"}


def test_a_frame_holds_every_metric_and_a_text_the_one_that_is_asked_for():
    results = {"model": result_of(np.arange(200) / 200), "popularity": result_of(np.zeros(200))}
    users = pl.DataFrame({"user": range(200), "gender": NAMES.tolist(), "city": ["a", *["b"] * 199]})
    frame = group_frame(results, users, ["gender", "city"], 50)
    assert frame["by"].unique().to_list() == ["gender"] and len(frame) == 4
    row = frame.row(by_predicate=(pl.col("group") == "m") & (pl.col("recommender") == "model"), named=True)
    assert row["listeners"] == 140 and row["value"] == pytest.approx(np.arange(60, 200).mean() / 200)
    text = group_text(frame, "recall@10", ["gender", "city"], None)
    (line,) = (line for line in text.splitlines() if line.startswith("m "))
    assert line.split()[1:5] == ["140", f"{row['value']:.4f}", f"[{row['low']:.4f},", f"{row['high']:.4f}]"]
    assert "by city: there are not two groups of 10 listeners or more." in text
    with pytest.raises(ValueError, match="no column 'gendr' to group them by; they have gender, city"):
        group_frame(results, users, ["gendr"])
    with pytest.raises(ValueError, match="nothing is known of them but their ids"):
        group_frame(results, users.select("user"), ["user"])
    with pytest.raises(ValueError, match="units are clips of no listeners"):
        group_frame({"model": Result("clip", np.arange(3), {"a": np.ones(3)})}, users, ["gender"])


def test_a_group_in_which_one_recommender_has_no_value_has_an_empty_cell():
    """Short lists have no diversity: of the second recommender all lists of the first group."""
    values = np.random.default_rng(0).random((2, 60))
    values[1, :25] = np.nan
    results = {
        name: Result("user", np.arange(60), {"d@10": own}) for name, own in zip(("one", "two"), values, strict=True)
    }
    users = pl.DataFrame({"user": np.arange(60), "city": np.repeat(["a", "b", "c"], 20)})
    frame = group_frame(results, users, ["city"])
    lines = {line.split()[0]: line.split() for line in group_text(frame, "d@10", ["city"], None).splitlines() if line}
    assert [len(lines[name]) for name in "abc"] == [2 + 2 * 3, 2 + 3 * 3, 2 + 3 * 3]
    assert lines["a"][2] == f"{values[0, :20].mean():.4f}" and lines["b"][5] == f"{values[1, 25:40].mean():.4f}"
    assert lines["b"][1] == "20"
