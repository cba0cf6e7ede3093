"""What `benchmarks/release_day.py` claims: by hand on a few plays."""

import numpy as np
import pytest

from mu.inference.policy import Policy
from tests.helpers.scripts import benchmark


@pytest.fixture(scope="module")
def release_day():
    return benchmark("release_day")


def pooled(release_day, **values):
    arrays = {name: np.asarray(value, np.float64) for name, value in values.items()}
    n = len(next(iter(arrays.values())))
    return release_day.Pooled(np.arange(n), arrays, np.linspace(1, 2, n))


def test_means_are_weighed_and_lie_in_their_intervals(release_day):
    random = np.random.default_rng(0)
    ours, theirs = random.random(200), random.random(200)
    found = pooled(release_day, model=ours, oracle=theirs).of(model=1.0, oracle=-0.6)
    np.testing.assert_allclose(found.mean, np.average(ours - 0.6 * theirs, weights=np.linspace(1, 2, 200)))
    assert found.low < found.mean < found.high


def test_a_claim_is_met_beyond_the_interval_or_in_the_mean_or_not(release_day):
    random = np.random.default_rng(1)
    noise = random.normal(0, 0.2, 100)
    noise -= np.average(noise, weights=np.linspace(1, 2, 100))
    table = pooled(release_day, nothing=np.zeros(100), good=0.5 + noise, near=0.31 + noise, other=np.full(100, 0.5))

    def answer(ours, factor, other):
        return release_day.pooled_claim(table, "day 0", ours, factor, other)[2]

    assert answer("good", 0.6, "other") == "met"
    assert answer("near", 0.6, "other") == "met in the mean, not beyond the interval"
    assert answer("nothing", 0.6, "other") == "not met"
    assert answer("nothing", 5.0, "nothing") == "not met"  # five times nothing is no achievement


def test_the_boosted_oracle_raises_fresh_tracks_alone(release_day):
    day_ms, chance = 86_400_000, np.array([[0.5, 0.3, 0.2]], np.float32)

    class Oracle:
        def scores(self, users, histories, times_ms):
            return chance

    released_ms = np.array([0, 95, 101]) * day_ms
    oracle = release_day.BoostedOracle(Oracle(), released_ms)
    scores = oracle.with_policy(Policy(new_release_boost=2.0)).scores(np.zeros(1, int), None, np.array([100 * day_ms]))
    np.testing.assert_allclose(scores - np.log(chance), [[0.0, 2.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(oracle.scores(np.zeros(1, int), None, np.array([100 * day_ms])), np.log(chance))
