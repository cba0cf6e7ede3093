"""Where the players of a new track stand among listeners (benchmarks/audience.py), and what anybody could know."""

import numpy as np

from tests.helpers.scripts import benchmark
from tests.test_expected_recall import RELEASED, Given, U, V, evaluator

audience = benchmark("audience").audience


def test_places_are_those_of_a_plain_loop():
    random = np.random.default_rng(1)
    scores, law = random.standard_normal((U, V)), random.random((U, V)).astype(np.float32)
    evaluation = evaluator()
    found = audience(evaluation, Given(scores), Given(law))
    events, candidates = evaluation.events, evaluation.unplayed.mask(evaluation.events)
    for row, track in enumerate(np.flatnonzero(evaluation.new)):
        there = np.flatnonzero(candidates[:, track])
        assert (events.times_ms[there] >= RELEASED[track]).all()
        logits = [scores[user].astype(np.float32)[held] for user, held in zip(events.users, candidates, strict=True)]
        share = np.array([scores[events.users[e], track] - np.log(np.exp(logits[e]).sum()) for e in there])
        share = np.round(share, 6)  # a listener with several plays at which the same tracks are out ties
        place = [((share > one).sum() + (share >= one).sum()) / 2 / len(there) for one in share]
        weights = law[events.users[there], track]
        np.testing.assert_allclose(found["expected"][row], [np.dot(place, weights), weights.sum()], rtol=1e-3)
        played = events.tracks[there] == track
        np.testing.assert_allclose(found["observed"][row], [np.dot(place, played), played.sum()], atol=1e-2)
        np.testing.assert_allclose(found["predicted"][row], np.exp(share).sum(), rtol=1e-4)


def test_chance_is_the_middle_and_the_law_itself_is_ahead_of_it():
    law = np.exp(2 * np.random.default_rng(2).standard_normal((U, V)))
    law /= law.sum(axis=1, keepdims=True)
    for scores, low, high in ((np.zeros((U, V)), 0.45, 0.55), (np.log(law), 0.0, 0.3)):
        places, weights = audience(evaluator(2000), Given(scores), Given(law))["expected"].sum(axis=0)
        assert low < places / weights < high


def test_the_law_expects_what_it_predicts():
    law = np.exp(np.random.default_rng(2).standard_normal((U, V)))
    found = audience(evaluator(500), Given(np.log(law)), Given(law / law.sum(axis=1, keepdims=True)))
    assert (found["predicted"] > 0).any()
    np.testing.assert_allclose(found["likely"], found["predicted"], rtol=1e-4)


def test_a_taste_is_found_in_many_plays_and_is_the_prior_without():
    bound, random = benchmark("release_day_bound"), np.random.default_rng(3)
    vectors, weights, taste = random.standard_normal((60, 3)), random.standard_normal(60), np.array([0.8, -0.5, 0.2])
    chance = np.exp(weights + vectors @ taste)
    plays = np.stack([1e5 * chance / chance.sum(), np.zeros(60)])
    prior = np.array([0.1, 0.2, 0.3])
    found = bound.tastes(vectors, weights, plays, prior, np.eye(3))
    np.testing.assert_allclose(found, [taste, prior], atol=2e-3)


def test_the_appeal_of_an_artist_is_shrunk_to_the_mean_and_unknown_artists_have_it():
    bound = benchmark("release_day_bound")
    weights, artists = np.array([1.0, 1.0, -2.0, 0.0, 9.0, 9.0]), np.array([0, 0, 1, 1, 1, 2])
    known = np.array([True, True, True, True, False, False])
    found = bound.appeal_of_artists(weights, artists, known)
    plain = np.array([2 / 2.49, -2 / 2.49, 0.0])[artists]
    np.testing.assert_allclose(found, plain + ((weights - plain)[known] ** 2).mean() / 2)
