"""What short or few tracks leave undefined has no score."""

import numpy as np
import pytest

from mu.suite.estimators.rhythm import autocorrelation
from mu.suite.retrieval import mean_with_interval


@pytest.mark.parametrize("length", [173, 416, 900])
def test_autocorrelation_is_that_of_sums_and_0_beyond_the_sound(length):
    x = np.random.default_rng(0).standard_normal((length, 2))
    found, centred = autocorrelation(x, 416), x - x.mean(axis=0)
    wanted = np.zeros((416, 2))
    for lag in range(min(length, 416)):
        wanted[lag] = (centred[lag:] * centred[: length - lag]).mean(axis=0)
    np.testing.assert_allclose(found, wanted / wanted[0], atol=1e-6)


def test_the_mean_of_nothing_is_not_defined():
    assert np.isnan(mean_with_interval(np.array([np.nan, np.nan]), np.array(["a", "b"]), 10)).all()
    assert mean_with_interval(np.array([0.5, np.nan]), np.array(["a", "b"]), 10)[0] == 0.5
