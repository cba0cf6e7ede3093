"""Intervals and tests that keep their promises: coverage, exactness, size."""

import itertools

import numpy as np
import pytest

import mu.evals.intervals
from mu.evals.intervals import bootstrap, sign_flip_test


def test_bootstrap_agrees_with_the_normal_interval():
    values = np.random.default_rng(1).normal([0.0, 5.0], [1.0, 3.0], (2000, 2))
    low, high = bootstrap(values, samples=2000)
    half = 1.96 * values.std(axis=0) / np.sqrt(2000)
    np.testing.assert_allclose(low, values.mean(axis=0) - half, atol=0.15 * half.max())
    np.testing.assert_allclose(high, values.mean(axis=0) + half, atol=0.15 * half.max())


def test_bootstrap_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(2)
    hits = 0
    for seed in range(200):
        low, high = bootstrap(rng.random((150, 1)) < 0.2, samples=300, seed=seed)
        hits += low[0] <= 0.2 <= high[0]
    assert 180 <= hits <= 199  # 190 expected, standard deviation 3.1


def test_bootstrap_is_a_function_of_its_arguments(monkeypatch):
    values = np.random.default_rng(3).random((50, 3))
    whole = bootstrap(values, samples=100, seed=7)
    monkeypatch.setattr(mu.evals.intervals, "BLOCK_BYTES", 8 * 50 * 7)
    np.testing.assert_allclose(bootstrap(values, samples=100, seed=7), whole, rtol=1e-14)
    assert (np.array(bootstrap(values, samples=100, seed=8)) != np.array(whole)).any()


def test_sign_flip_is_exact_for_few_users():
    differences = np.array([0.3, -0.1, 0.5, 0.2, 0.0, 0.4, -0.2])
    sums = [np.dot(signs, differences) for signs in itertools.product((-1, 1), repeat=7)]
    expected = np.mean(np.abs(sums) >= abs(differences.sum()) - 1e-12)
    assert sign_flip_test(differences[:, None], samples=1000)[0] == pytest.approx(expected)


def test_sign_flip_agrees_with_the_normal_approximation():
    differences = np.random.default_rng(4).normal(0.05, 1, 1500)
    z = abs(differences.sum()) / np.sqrt((differences**2).sum())
    expected = 2 * (1 - _normal_below(z))
    found = sign_flip_test(differences[:, None], samples=20_000)[0]
    assert found == pytest.approx(expected, abs=4 * np.sqrt(expected / 20_000))


def _normal_below(z):
    from math import erf, sqrt

    return (1 + erf(z / sqrt(2))) / 2


def test_sign_flip_rejects_true_nulls_as_often_as_it_says():
    rng = np.random.default_rng(5)
    p = np.array([sign_flip_test(rng.normal(size=(30, 1)), samples=199, seed=s)[0] for s in range(400)])
    assert 8 <= (p <= 0.05).sum() <= 34  # 20 expected, standard deviation 4.4


def test_no_difference_has_p_one_and_p_is_never_zero():
    assert sign_flip_test(np.zeros((10, 2))).tolist() == [1.0, 1.0]
    assert sign_flip_test(np.ones((500, 1)), samples=99)[0] == 0.01


@pytest.mark.parametrize("function", [bootstrap, sign_flip_test])
def test_bad_input_is_refused(function):
    with pytest.raises(ValueError, match="at least one unit"):
        function(np.zeros((0, 1)))
    with pytest.raises(ValueError, match="row 1 of values is not finite"):
        function(np.array([[0.0], [np.nan]]))
    with pytest.raises(ValueError, match="samples is 0"):
        function(np.zeros((3, 1)), samples=0)
