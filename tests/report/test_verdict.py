"""The verdict of a page says what the paired intervals show, and no more."""

import dataclasses
import re

import numpy as np
import pytest

from mu.evals.compare import differences
from mu.evals.result import Result, Statistic
from mu.report.columns import columns_of, which_is_better
from mu.report.comparison_table import comparison_table
from mu.report.metric_tables import metric_tables
from mu.report.tiles import tiles
from mu.report.verdict import verdict
from tests.helpers.comparisons import compared, half_ones, play_result, user_result

N = 400
LOW, HIGH = half_ones(N, 80), half_ones(N, 240)
DESCRIPTIVE = ("novelty@10", "tail@10")


def said(results, **more):
    found = verdict(compared(results, **more))
    assert len(found.sentences) == 2 and all(sentence.endswith(".") for sentence in found.sentences)
    return *found.sentences, " ".join(found.further)


def swapped(values, seed=0):
    """The same numbers in another order: a level rival, better for some users and worse for as many."""
    return np.random.default_rng(seed).permutation(values)


def test_a_win_over_every_baseline():
    low = user_result(recall=LOW)
    first, second, further = said({"model": user_result(recall=HIGH), "popularity": low, "item_knn": low})
    assert first.startswith("The model is above every baseline (recall@10 0.600 [0.5")
    assert "against 0.200 of popularity, the best of them; difference +0.400 [+0.3" in first
    assert "level" not in first and "below" not in first
    better, worse = int((HIGH > LOW).sum()), int((HIGH < LOW).sum())
    assert second == f"Of 400 users, it is better than popularity for {better} users and worse for {worse}."
    assert further == ""


def test_a_tie_is_called_a_tie_and_explained():
    results = {"model": user_result(recall=HIGH), "item_knn": user_result(recall=swapped(HIGH))}
    first, second, further = said(results)
    assert first.startswith("The model is level with ItemKNN (recall@10 0.600 [") and "above" not in first
    assert "against 0.600, difference 0.000 [-0." in first
    worse = int((swapped(HIGH) > HIGH).sum())
    assert second == f"Of 400 users, it is better than ItemKNN for {worse} users and worse for {worse}."
    assert "cannot be told apart by recall@10: 400 users show differences from about 0.0" in further
    assert f"better for {worse} of them, ItemKNN for {worse}" in further
    assert "same plays that the model learns from" in further


def test_a_loss_is_said():
    results = {"model": user_result(recall=LOW, ndcg=LOW / 2), "item_knn": user_result(recall=HIGH, ndcg=HIGH / 2)}
    first, second, further = said(results)
    assert "is below ItemKNN (recall@10 0.200 [" in first and "against 0.600, difference -0.400 [-0." in first
    assert second.startswith("By ndcg@10 it is below ItemKNN (0.100 [")
    assert "against 0.300, difference -0.200" in second
    assert further == "", "a loss is no tie"


def test_some_are_beaten_and_some_are_not():
    results = {
        "model": user_result(recall=half_ones(N, 160)),
        "item_knn": user_result(recall=HIGH),
        "mine": user_result(recall=swapped(half_ones(N, 160))),
        "popularity": user_result(recall=LOW / 4),
    }
    first, _, _ = said(results)
    below, level, above = (
        first.index(word) for word in ("below ItemKNN (recall", "level with mine (0.4", "above popularity (0.05")
    )
    assert below < level < above


def test_no_baseline_is_no_win():
    first, second, further = said({"model": user_result(recall=HIGH)})
    assert re.fullmatch(r"The model has recall@10 0.600 \[.*\]; there is no baseline beside it\.", first)
    assert (second, further) == ("It was measured on 400 users.", "")


def test_three_users_show_nothing():
    results = {"model": user_result(recall=[1, 1, 0]), "popularity": user_result(recall=[0, 1, 0])}
    first, _, further = said(results)
    assert "level with popularity" in first and ": only 3 users show" in further


def test_one_recording_gives_no_interval_and_no_claim():
    units, clusters = np.arange(3), np.zeros(3, np.int64)
    values = np.array([0.5, 2.5, 3.0])  # no shares, which Wilson's interval would hold for
    results = {
        name: Result("clip", units, {"x/gain": values + more}, "recording", clusters)
        for name, more in (("model", 1.0), ("mine", 0.0))
    }
    first, _, further = said(results)
    assert "level with mine (gain 3.000 [unknown] against 2.000, difference +1.000 [unknown])" in first
    assert "all clips are of one recording" in further


SECTIONS = {
    "discovery": half_ones(N, 40),
    "repeat": half_ones(N, 200),
    "day 0": half_ones(N, 160),
    "weeks 4-": np.zeros(N),
}


def baseline(**changes):
    return play_result(SECTIONS | {name.replace("_", " "): values for name, values in changes.items()})


def test_sections_are_told_apart_and_failures_named():
    results = {
        "model": play_result(SECTIONS),
        "item_knn": baseline(discovery=swapped(SECTIONS["discovery"]), repeat=half_ones(N, 300), day_0=np.zeros(N)),
        "popularity": baseline(discovery=np.zeros(N), repeat=half_ones(N, 100), day_0=np.zeros(N)),
    }
    first, second, _ = said(results)
    assert first.startswith("On known tracks the model is level with ItemKNN (recall@20 0.100 [")
    assert "against 0.100, difference" in first and "above popularity (0.000" in first
    assert second == (
        "It is above every baseline on the day of release (0.400 against 0.000 of ItemKNN) and below ItemKNN on "
        "repeats (0.500 against 0.750); it finds nothing from week 4 after release on (0.000, 400 plays)."
    )


def test_few_units_are_counted_as_they_are():
    """One play is no '1 plays of 1 users', and clips that are recordings of their own are not counted twice."""
    sections = {"discovery": half_ones(N, 200), "day 0": [1.0], "days 1-6": half_ones(7, 3)}
    results = {name: play_result(sections) for name in ("model", "popularity")}
    assert said(results)[2].endswith(
        "There is little to measure on the day of release (1 play) and on days 1-6 after release (7 plays of 2 users), "
        "and intervals are wide."
    )

    def result(values):
        columns = {"a/gain": half_ones(8, 4) * 2, "b/gain": np.array(values)}
        return Result("clip", np.arange(8), columns, "freesound_clip_id", np.array(list("ppppqqqq")))

    labelled = [1.0, 2.0, 3.0, *[np.nan] * 5]
    first, second, further = said({"model": result(labelled), "mine": result(labelled)})
    assert "for b (3 clips of 1 Freesound clip), and intervals are wide" in further
    assert "for a: only 2 Freesound clips show differences" in further
    assert "freesound_clip_id" not in first + second + further


def test_nothing_is_said_of_shares_alone():
    def result(gain):
        return Result("clip", np.arange(4), {"a/accuracy": half_ones(4, 2), "b/gain": np.array(gain)})

    _, second, _ = said({"model": result([-1.0, 1.0, -1.0, 1.0])})
    assert second == "It has gain 0.000 for b (4 clips)."
    _, second, _ = said({"model": result([0.0] * 4)})
    assert second == "It finds nothing for b (gain 0.000, 4 clips)."


def test_the_oracle_is_named_and_where_it_is_beaten_the_page_says_why():
    results = {
        "model": play_result(SECTIONS),
        "model_unboosted": baseline(day_0=half_ones(N, 20)),
        "popularity": baseline(discovery=np.zeros(N), repeat=np.zeros(N), day_0=np.zeros(N)),
        "oracle": baseline(discovery=half_ones(N, 200), repeat=half_ones(N, 20), day_0=half_ones(N, 80)),
    }
    first, second, further = said(results, boost=4.0)
    assert first.endswith("; the oracle has 0.500.")
    assert second.endswith("nothing from week 4 after release on (0.000, 400 plays), where the oracle has 0.000.")
    assert "above the oracle on the day of release: the oracle shows new tracks without a boost" in further
    assert "the model adds 4 to their scores, without which it has 0.050 on the day of release" in further
    assert "above the oracle on repeats: the oracle orders tracks by taste alone" in further
    _, _, unboosted = said(results)
    assert "boost" not in unboosted and "on repeats and on the day of release: the oracle orders" in unboosted


def test_published_rows_are_held_against_the_interval_alone():
    rows = {"LightGCN++": 0.9, "BPR-MF": 0.1, "near": 0.6}
    published = {label: {"recall@10": value} for label, value in rows.items()} | {"other": {"mrr": 1.0}}
    results = {"model": user_result(recall=HIGH), "popularity": user_result(recall=LOW)}
    _, _, further = said(results, published=published)
    assert further == (
        "Published recall@10 beside the interval of the model; above: LightGCN++ (0.900); within: near (0.600); "
        "below: BPR-MF (0.100)."
    )


def test_targets_of_clips_each_have_their_words():
    def result(genre, mood):
        return Result("clip", np.arange(N), {"genre/accuracy": genre, "genre/f1": genre, "mood/roc_auc": mood})

    results = {"model": result(HIGH, LOW), "mfcc_linear": result(LOW, HIGH)}
    first, second, _ = said(results)
    assert first.startswith("For genre the model is above MFCC and a linear model (accuracy 0.600 [")
    assert second == "It is below MFCC and a linear model for mood (roc_auc 0.200 against 0.600)."


def test_each_evaluation_of_a_run_is_judged_by_its_own_metric():
    ranking = {"model": user_result(recall=HIGH), "popularity": user_result(recall=LOW)}
    rated = {"model": user_result(auc=LOW), "popularity": user_result(auc=HIGH)}
    assert said(ranking)[0].startswith("The model is above popularity (recall@10 0.600 [")
    assert said(rated)[0].startswith("The model is below popularity (auc@10 0.200 [")


def test_lists_of_columns_skip_what_no_unit_is_in():
    result = play_result({"discovery": [1.0, 0.0], "day 0": [np.nan, np.nan]})
    assert [column.title for column in columns_of(result)] == ["known tracks"]
    with pytest.raises(ValueError, match="no metric of the evaluation is defined"):
        compared({"model": play_result({"day 0": [np.nan]})})
    with pytest.raises(ValueError, match="no row 'model'; it has popularity"):
        compared({"popularity": user_result(recall=HIGH)})


def test_an_evaluation_that_describes_lists_is_shown_without_a_best():
    def result(novelty):
        return dataclasses.replace(user_result(novelty=novelty, tail=novelty / 2), descriptive=DESCRIPTIVE)

    one = compared({"model": result(HIGH), "popularity": result(LOW), "item_knn": result(HIGH + 1)})
    assert [column.name for column in one.table_columns] == ["novelty@10", "tail@10"]
    found = verdict(one)
    first, second = found.sentences
    assert first.startswith("The metrics of this evaluation describe lists and do not say which are better: the model")
    assert "has novelty@10 0.600 [0.5" in first and first.endswith("; ItemKNN 1.600 and popularity 0.200.")
    assert second == "It was measured on 400 users." and found.further == ()
    assert all(not (tile.outcome or tile.baseline or tile.reference) for tile in tiles(one))
    table = comparison_table(one)
    assert {cell.mark for row in table.rows for cell in row.cells} == {""}
    assert "larger is not always better" in table.how_to_read and "Bold" not in table.how_to_read
    # Beside a metric that says who is better they stay out of it.
    both = {"model": user_result(recall=LOW, novelty=HIGH), "popularity": user_result(recall=HIGH, novelty=LOW)}
    both = {name: dataclasses.replace(one, descriptive=("novelty@10",)) for name, one in both.items()}
    assert [column.name for column in compared(both).table_columns] == ["recall@10"]
    assert which_is_better(both["model"]) == (
        "Larger is better, but novelty describes lists: larger is not always better."
    )
    assert which_is_better(result(HIGH)) == "Novelty and tail describe lists: larger is not always better."


@pytest.mark.parametrize("seed", range(6))
def test_no_claim_goes_beyond_the_paired_interval(seed):
    random = np.random.default_rng(seed)
    results = {
        name: user_result(recall=random.random(60) < random.uniform(0.2, 0.5)) for name in ("model", "a1", "a2", "a3")
    }
    first = said(results)[0]
    for name in ("a1", "a2", "a3"):
        row = differences([(results[name], results["model"])], samples=200)["recall@10"]
        claim = "above" if row["low"] > 0 else "below" if row["high"] < 0 else "level with"
        part = next(one for one in re.split(r"(?=above|below|level with)", first)[1:] if name in one or "every" in one)
        assert part.startswith(claim)


def test_a_metric_that_the_model_has_no_value_in_is_in_tables_alone():
    def result(recall, error):
        rmse = Statistic("mu.evals.metrics.ratings.negative_rmse:negative_rmse", ("squared", "n"))
        users = user_result(recall=recall)
        return dataclasses.replace(
            users, statistics={"negative_rmse": rmse}, arrays={"squared": np.full(N, error), "n": np.ones(N)}
        )

    one = compared({"model": result(HIGH, np.nan), "biases": result(LOW, 1.0)})
    assert [tile.title for tile in tiles(one)] == ["recall@10"]
    assert "rmse" not in " ".join(verdict(one).sentences)
    assert [title for title, _ in comparison_table(one).header] == ["recall@10", "negative_rmse"]
    (table,) = metric_tables(one.rows, {})
    assert dict(table.rows)["model"][1] == ("not defined", "")
