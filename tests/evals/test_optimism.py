"""The optimism of a maximum over trials, on cases with a known answer."""

import numpy as np
import pytest

from mu.evals.optimism import optimism
from mu.evals.result import Result, Statistic


def users(values):
    return Result("user", np.arange(len(values)), {"recall@10": values})


def test_of_trials_that_are_noise_alone_the_correction_is_their_common_mean():
    """20 trials of mean 0.5 and standard deviation 0.2 over 100 users.

    The largest of 20 standard normals is 1.8675 on average: the best trial is at 0.5 + 1.8675 * 0.2 / 10.
    """
    rng = np.random.default_rng(0)
    estimates = [
        optimism([users(rng.normal(0.5, 0.2, 100)) for _ in range(20)], "recall@10", 50, at) for at in range(60)
    ]
    assert np.mean([one.value for one in estimates]) == pytest.approx(0.5373, abs=0.005)
    assert np.mean([one.corrected for one in estimates]) == pytest.approx(0.5, abs=0.005)
    assert np.mean([one.optimism for one in estimates]) == pytest.approx(0.0373, abs=0.007)


def test_a_trial_that_is_clearly_the_best_is_worth_what_it_measured():
    rng = np.random.default_rng(0)
    one = optimism([users(rng.normal(mean, 0.1, 400)) for mean in (0.2, 0.3, 0.8)], "recall@10")
    assert one.optimism == pytest.approx(0.0, abs=0.001) and one.value == pytest.approx(0.8, abs=0.02)
    alone = optimism([users(rng.normal(0.5, 0.1, 400))], "recall@10")
    assert alone.optimism == pytest.approx(0.0, abs=0.001)


def test_clusters_are_drawn_whole_and_statistics_are_corrected_as_columns():
    """A unit beside its copies tells no more than once: the copies of a drawn one are not outside."""
    rng = np.random.default_rng(1)
    values = rng.normal(0.5, 0.2, (6, 40))
    copied = [
        Result("play", np.arange(120), {"recall@10": np.repeat(one, 3)}, "user", np.repeat(np.arange(40), 3))
        for one in values
    ]
    once = optimism([users(one) for one in values], "recall@10", 200)
    assert optimism(copied, "recall@10", 200) == pytest.approx(once)
    mean = Statistic("tests.evals.test_optimism:mean", ("hits",))
    whole = [Result("user", np.arange(40), statistics={"mean": mean}, arrays={"hits": one}) for one in values]
    assert optimism(whole, "mean", 200) == pytest.approx(once)


def test_units_without_a_number_are_left_out_of_their_trial_alone():
    """Against means of every draw, one trial at a time."""
    values = np.random.default_rng(2).normal(0.5, 0.2, (3, 30))
    values[0, :12] = values[2, 20:] = np.nan
    results, outside = [users(one) for one in values], []
    for weights in np.concatenate(list(results[0].weights(40, 0))):
        means = []
        for where in (weights, weights == 0):
            known = [np.isfinite(one) for one in values]
            means.append([np.average(one[k], weights=where[k]) for one, k in zip(values, known, strict=True)])
        outside.append(means[1][int(np.argmax(means[0]))])
    assert optimism(results, "recall@10", 40, 0).corrected == pytest.approx(np.mean(outside))


def mean(values, weights):
    return weights @ values / weights.sum(axis=1)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="the same users in the same order"):
        optimism([users(np.ones(3)), users(np.ones(4))], "recall@10")
    with pytest.raises(ValueError, match=r"lacks the metric 'ndcg@10'; it has recall@10"):
        optimism([users(np.ones(3))], "ndcg@10")
    with pytest.raises(ValueError, match="there is one user alone"):
        optimism([users(np.ones(1))], "recall@10")
