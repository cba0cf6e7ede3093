"""Intervals of few units, and of shares near 0 and 1: they hold the truth as often as they say."""

import json

import numpy as np
import pytest

from mu.commands.compare import main
from mu.evals.compare import differences
from mu.evals.few_units import effective_size, t_factor, wilson
from mu.evals.intervals import bootstrap, clustered_bootstrap
from mu.evals.predictions import ClassPredictions, result_of
from mu.evals.result import Result
from mu.evals.results import save
from mu.evals.table import ResultTable

TRIALS = 1000


@pytest.mark.parametrize("p", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("n", [3, 8, 21, 200])
def test_shares_are_covered(n, p):
    """Of independent units .922 at the least (21 units, a half): the counts 6 and 15 lie just outside, as Wilson's."""
    drawn = np.random.default_rng([n, int(100 * p)]).random((n, TRIALS)) < p
    low, high = bootstrap(drawn, samples=300)
    assert ((low <= p) & (p <= high)).mean() > (0.905 if (n, p) == (21, 0.5) else 0.925)
    assert (high - low > 1 / (n + 4)).all()


@pytest.mark.parametrize("p", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("n", [3, 8, 21, 200])
def test_shares_of_units_that_belong_together_are_covered(n, p):
    """Clusters of 1 to 8 units that are alike: their own shares follow a beta distribution, correlation 1/2."""
    random = np.random.default_rng([n, int(100 * p)])
    clusters = np.repeat(np.arange(n), random.integers(1, 9, n))
    own = random.beta(p, 1 - p, (n, TRIALS)) if 0 < p < 1 else np.full((n, TRIALS), p)
    low, high = clustered_bootstrap(random.random((len(clusters), TRIALS)) < own[clusters], clusters, samples=300)
    assert ((low <= p) & (p <= high)).mean() > 0.925


@pytest.mark.parametrize("n", [3, 8, 21])
def test_means_of_few_numbers_are_covered(n):
    values = np.random.default_rng(n).normal(2.0, 1.0, (n, 4 * TRIALS))
    low, high = bootstrap(values, samples=500)
    assert ((low <= 2) & (high >= 2)).mean() > 0.925


@pytest.mark.parametrize(("better", "worse"), [(0.0, 0.0), (0.01, 0.0), (0.02, 0.02), (0.3, 0.1)])
@pytest.mark.parametrize("n", [8, 21, 200])
def test_differences_of_shares_are_covered(n, better, worse):
    random = np.random.default_rng([n, int(100 * better), int(100 * worse)])
    fate = random.random((n, 300))
    ours, theirs = fate < better, fate > 1 - worse
    names = [f"m{trial}" for trial in range(300)]
    a, b = (
        Result(unit="user", units=np.arange(n), columns=dict(zip(names, one.T.astype(np.float64), strict=True)))
        for one in (theirs, ours)
    )
    rows = differences([(a, b)], samples=300).values()
    assert np.mean([row["low"] <= better - worse <= row["high"] for row in rows]) > 0.925


def test_nothing_of_21_and_all_of_8_are_wilsons_intervals():
    none, every = bootstrap(np.zeros((21, 1))), bootstrap(np.ones((8, 1)))
    assert np.ravel(none) == pytest.approx([0, 0.1546], abs=1e-4)
    assert np.ravel(every) == pytest.approx([0.6756, 1], abs=1e-4)
    # 21 plays of three listeners say no more than three.
    assert clustered_bootstrap(np.zeros((21, 1)), np.arange(21) % 3)[1] == pytest.approx([0.5615], abs=1e-4)
    # One listener with nearly all plays, and four with one each, are worth little more than one.
    of_one = clustered_bootstrap(np.zeros((21, 1)), np.maximum(np.arange(21) - 16, 0))
    assert of_one[1] == wilson(np.array(0.0), 21**2 / (17**2 + 4))[1]


def test_numbers_without_a_bound_have_no_interval_from_one_unit():
    low, high = bootstrap(np.array([[3.7, 0.2]]))
    assert np.isnan([low[0], high[0]]).all() and low[1] < 0.2 < high[1]
    result = Result(unit="user", units=np.arange(1), columns={"bits": np.array([3.7])})
    assert "3.7000 [unknown]" in str(ResultTable({"model": result}))


def test_many_units_are_left_to_the_bootstrap():
    values = np.random.default_rng(0).random((400, 2))
    random = np.random.default_rng(0)
    draws = [np.bincount(random.integers(400, size=400, dtype=np.int32), minlength=400) for _ in range(100)]
    means = np.stack(draws).astype(np.float64) @ values / 400
    assert np.array_equal(bootstrap(values, 100), np.quantile(means, [0.025, 0.975], axis=0))
    assert t_factor(100) == 1.0 and 1.015 < t_factor(99) < 1.02


def test_classes_and_macro_means_count_the_clips_that_they_are_of():
    """8 clips of a class, all right, among 40; recordings of two clips each."""
    truth = np.repeat(np.arange(5), 8).astype(np.int32)
    scores = np.eye(5, dtype=np.float32)[np.where(np.arange(40) == 39, 0, truth)]
    result = result_of(
        {"genre": ClassPredictions(tuple("abcde"), scores, truth)},
        unit="clip",
        units=[f"clip{number}" for number in range(40)],
        cluster="recording",
        clusters=[f"recording{number // 2}" for number in range(40)],
    )
    recalls = {one.name: one for one in result.detail("genre/recall")}
    assert recalls["b"][1:] == (1.0, pytest.approx(wilson(np.array(1.0), 4)[0]), 1.0)
    assert recalls["e"].value == 0.875 and recalls["e"].high == 1.0
    assert result.sampling("genre/accuracy") == (20, 20.0, True)
    assert result.sampling("genre/f1") == (20, pytest.approx(20.0), True)
    assert {one.name: one.low < one.value for one in result.summary(200)}["genre/roc_auc"]


def test_the_same_predictions_twice_are_not_equal_beyond_doubt(tmp_path, capsys):
    for name in "ab":
        columns = {"recall@10": np.arange(21) % 2.0, "bits": np.full(21, 3.0)}
        save(tmp_path / name, {"model": Result(unit="user", units=np.arange(21), columns=columns)}, {}, samples=20)
    assert main([str(tmp_path / "a"), str(tmp_path / "b"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["metrics"]
    assert rows["recall@10"]["low"] == -rows["recall@10"]["high"] == pytest.approx(-0.1546, abs=1e-4)
    assert rows["bits"]["low"] == rows["bits"]["high"] == 0  # no share: what differs by how much is not known


def test_the_effective_size_is_that_of_equal_clusters_or_less():
    assert effective_size(np.array([5.0, 5.0, 5.0])) == 3
    assert effective_size(np.array([[10.0, 0.0], [1.0, 0.0]])) == pytest.approx([121 / 101, 0])
