"""Offsets of scores by age: the observed share of plays comes out, and few plays say little."""

import numpy as np
import pytest

from mu.evals.protocols.age_masses import age_masses
from mu.inference.age_offsets import PRIOR_DEVIATION, age_offsets
from tests.test_expected_recall import DAY_MS, RELEASED, Given, U, V, evaluator


def draws(n, true, seed=0):
    """(masses [n, 3], groups played) under offsets `true`."""
    random = np.random.default_rng(seed)
    masses = random.dirichlet([2.0, 4.0, 30.0], n)
    shares = masses * np.exp([*true, 0.0])
    shares /= shares.sum(axis=1, keepdims=True)
    return masses, (random.random((n, 1)) > shares.cumsum(axis=1)).sum(axis=1)


def test_the_offsets_of_many_plays_are_the_true_ones():
    np.testing.assert_allclose(age_offsets(*draws(200_000, (0.7, -0.4))), (0.7, -0.4), atol=0.04)


def test_the_slope_of_the_penalised_likelihood_is_zero():
    masses, played = draws(500, (1.0, 0.3), seed=1)
    offsets = np.array(age_offsets(masses, played))
    shares = masses * np.exp([*offsets, 0.0])
    shares /= shares.sum(axis=1, keepdims=True)
    expected = shares[:, :2].sum(axis=0) + offsets / PRIOR_DEVIATION**2
    np.testing.assert_allclose(np.bincount(played, minlength=3)[:2], expected, rtol=1e-6)


def test_without_plays_nothing_is_added():
    assert age_offsets(np.zeros((0, 3)), np.zeros(0, np.int64)) == (0.0, 0.0)


@pytest.mark.parametrize("most_scores", [1 << 30, 40 * V])
def test_masses_are_those_of_a_plain_loop(monkeypatch, most_scores):
    monkeypatch.setattr("mu.evals.protocols.age_masses.MOST_SCORES", most_scores)
    scores = np.random.default_rng(2).standard_normal((U, V)).astype(np.float32)
    evaluation = evaluator()
    masses, played = age_masses(evaluation, Given(scores), (7.0, 28.0))
    every = -(-len(evaluation.events) * V // most_scores)
    events = evaluation.events.take(np.arange(0, len(evaluation.events), every))
    held = evaluation.unplayed.mask(events)
    plain = []
    for user, time, track, among in zip(events.users, events.times_ms, events.tracks, held, strict=True):
        if among[track]:
            chance = np.where(among, np.exp(scores[user]), 0.0)
            ages = (time - RELEASED) / DAY_MS
            groups = np.where(ages < 7, 0, np.where(ages < 28, 1, 2))
            plain.append([*np.bincount(groups, chance, minlength=3) / chance.sum(), groups[track]])
    assert 0 < len(plain) <= len(events)
    np.testing.assert_allclose(masses, np.array(plain)[:, :3], rtol=1e-5)
    np.testing.assert_array_equal(played, np.array(plain)[:, 3])
