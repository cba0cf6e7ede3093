"""Logistic recalibration: planted slopes and intercepts are found, and extremes stay finite."""

import numpy as np
import pytest

from mu.inference.calibration import logistic_recalibration


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.4, -1.5), (2.5, 0.7)])
def test_what_was_planted_is_recovered(slope, intercept):
    random = np.random.default_rng(0)
    logits = random.normal(-1, 2, 200_000)
    labels = random.random(len(logits)) < 1 / (1 + np.exp(-slope * logits - intercept))
    found = logistic_recalibration(logits, labels)
    np.testing.assert_allclose(found, (slope, intercept), atol=0.05)


def test_no_other_slope_or_intercept_is_likelier():
    random = np.random.default_rng(1)
    logits, labels = random.normal(size=300), random.random(300) < 0.3

    def log_likelihood(slope, intercept):
        scores = slope * logits + intercept
        return (labels * scores - np.logaddexp(0, scores)).sum()

    slope, intercept = logistic_recalibration(logits, labels)
    best = log_likelihood(slope, intercept)
    for by in ((0.02, 0), (-0.02, 0), (0, 0.02), (0, -0.02)):
        assert log_likelihood(slope + by[0], intercept + by[1]) < best


@pytest.mark.parametrize("labels", [np.zeros(50, bool), np.ones(50, bool), np.arange(50) >= 25])
def test_labels_that_are_alike_or_separated_give_finite_numbers(labels):
    found = logistic_recalibration(np.linspace(-3, 3, 50), labels)
    assert np.isfinite(found).all()
