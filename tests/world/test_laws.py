"""Contexts, popularity that feeds back, and groups of listeners of the simulated world."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from mu.world.catalogue import AUDIBLE, weekly_weights
from mu.world.contexts import CONTEXTS, HOURLY, shifts
from mu.world.settings import SIZES, START_MS, WEEK_MS, week_of
from mu.world.world import World, simulate
from tests.helpers.world_plays import before_each_play, opens_session, rows_of

SETTINGS = dataclasses.replace(SIZES["tiny"], listeners=400, plays=20_000)
WORKOUT = CONTEXTS.index("workout")


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(SETTINGS, seed=6)


# Contexts


def test_contexts_follow_the_hour_at_which_the_session_opens(world: World) -> None:
    exposures = world.exposures
    expected = world.context_probability(exposures.times_ms)
    np.testing.assert_allclose(expected.sum(1), 1)
    hours = (exposures.times_ms // 3_600_000) % 24
    np.testing.assert_array_equal(expected, HOURLY[hours])
    for some in (hours < 6, (hours >= 6) & (hours < 12), (hours >= 12) & (hours < 18), hours >= 18):
        counts = np.bincount(exposures.contexts[some], minlength=len(CONTEXTS))
        likely = expected[some].sum(0)
        possible = likely > 5
        assert counts[~possible].sum() <= 15
        z = (counts - likely)[possible] / np.sqrt((expected[some] * (1 - expected[some])).sum(0)[possible])
        assert np.abs(z).max() < 4


def test_a_session_has_one_context(world: World) -> None:
    session = np.cumsum(opens_session(world)) - 1
    np.testing.assert_array_equal(world.plays.contexts, world.exposures.contexts[session])


def test_an_unknown_context_is_the_mean_over_contexts_by_hour(world: World) -> None:
    listeners, times = np.arange(48), START_MS + 20 * WEEK_MS + np.arange(48) * 1_800_000
    shares = world.context_probability(times)
    for law in (world.preference, world.acceptance, world.taste):
        each = np.stack([law(listeners, times, np.full(48, one)) for one in range(len(CONTEXTS))])
        mean = np.einsum("bc,cb...->b...", shares, each)
        np.testing.assert_allclose(law(listeners, times), mean, rtol=1e-5, atol=1e-7)
        some = np.where(np.arange(48) % 2 == 0, WORKOUT, -1)
        expected = np.where((some == WORKOUT)[:, None], each[WORKOUT], mean)
        np.testing.assert_allclose(law(listeners, times, some), expected, rtol=1e-5, atol=1e-7)


def test_sessions_sound_like_their_context(world: World) -> None:
    plays = world.plays
    by_taste = plays.origins == 3
    for context, shift in enumerate(shifts(SETTINGS)[1:], 1):
        along = world.catalogue.vectors[plays.tracks] @ shift
        inside = by_taste & (plays.contexts == context)
        assert along[inside].mean() > along[by_taste & (plays.contexts == 0)].mean() + 0.3
    listeners, times = np.arange(400), np.full(400, START_MS)
    moved = world.taste(listeners, times, np.full(400, WORKOUT)) - world.taste(listeners, times, np.full(400, 0))
    assert np.all(moved[:, len(AUDIBLE) :] == 0), "a context moves audible coordinates alone"
    assert world.listeners.susceptibility.mean() == pytest.approx(1, abs=0.1)
    still = simulate(dataclasses.replace(SETTINGS, context=0.0), seed=6)
    np.testing.assert_allclose(
        still.preference(listeners[:5], times[:5], np.full(5, WORKOUT)), still.preference(listeners[:5], times[:5])
    )


def test_the_oracle_knows_the_context_of_a_session_that_goes_on(world: World) -> None:
    rows, histories = before_each_play(world)
    some = np.flatnonzero(~opens_session(world))[5::400]
    listeners, times, past = rows[some], world.plays.times_ms[some], histories.take(some)
    probability = world.next_play_probability(listeners, times, past)
    in_context = world.next_play_probability(listeners, times, past, contexts=world.plays.contexts[some])
    np.testing.assert_array_equal(probability, in_context)
    sure = world.next_play_probability(listeners, times, past, np.full(len(some), 0.75))
    opening = world.next_play_probability(listeners, times, past, np.zeros(len(some)))
    np.testing.assert_allclose(sure, 0.75 * probability + 0.25 * opening, atol=1e-6)
    other = world.next_play_probability(listeners, times, past, contexts=(world.plays.contexts[some] + 1) % 5)
    assert np.abs(probability - other).max() > 0.01


# Feedback


def test_charts_hold_the_plays_of_the_weeks_before(world: World) -> None:
    weeks = week_of(world.plays.times_ms, SETTINGS)
    segments = world.listeners.segment[rows_of(world)]
    for week in (0, 1, 7, 51):
        before = weeks < week
        worth = np.exp(-(week - 1 - weeks[before]) / SETTINGS.feedback_weeks)
        tracks, who = world.plays.tracks[before], segments[before]
        recent = np.bincount(tracks, weights=worth, minlength=SETTINGS.tracks)
        np.testing.assert_allclose(world.charts.recent[week], recent, rtol=1e-9)
        profile = np.zeros((60, len(AUDIBLE)))
        np.add.at(profile, who, worth[:, None] * world.catalogue.vectors[tracks, : len(AUDIBLE)])
        profile /= (np.bincount(who, weights=worth, minlength=60) + 20)[:, None]
        np.testing.assert_allclose(world.charts.profiles(week), profile, rtol=1e-9, atol=1e-12)


def test_feedback_raises_what_was_played_and_keeps_the_mass(world: World) -> None:
    weeks = np.array([0, 5, 30])
    base = weekly_weights(world.catalogue, weeks, SETTINGS)
    popularity = world.popularity(START_MS + weeks * WEEK_MS + 5)
    np.testing.assert_allclose(popularity[0], base[0])
    np.testing.assert_allclose(popularity.sum(1), base.sum(1))
    assert np.all((popularity > 0) == (base > 0))
    recent = world.charts.recent[weeks[1:]]
    more_than_base = recent / recent.sum(1, keepdims=True) > base[1:] / base[1:].sum(1, keepdims=True)
    out = base[1:] > 0
    np.testing.assert_array_equal((popularity[1:] > base[1:])[out], more_than_base[out])


def test_without_feedback_popularity_is_given_and_with_it_plays_concentrate(world: World) -> None:
    def of_the_top(one: World) -> float:
        counts = np.sort(one.log().counts())
        return float(counts[-SETTINGS.tracks // 20 :].sum() / counts.sum())

    off, strong = (simulate(dataclasses.replace(SETTINGS, feedback=share), seed=6) for share in (0.0, 0.5))
    weeks = np.array([0, 20, 51])
    base = weekly_weights(off.catalogue, weeks, off.settings)
    np.testing.assert_array_equal(off.popularity(START_MS + weeks * WEEK_MS), base)
    assert of_the_top(off) < of_the_top(world) < of_the_top(strong)


# Groups


def test_groups_have_known_sizes_and_minorities_are_named(world: World) -> None:
    groups = world.groups()
    for column in ("country", "age_group"):
        of_column = [group for group in groups if group.column == column]
        everybody = np.concatenate([group.listeners for group in of_column])
        assert np.array_equal(np.sort(everybody), np.arange(SETTINGS.listeners))
        shares = np.array([group.share for group in of_column])
        assert shares.sum() == pytest.approx(1)
        counts = [len(group.listeners) for group in of_column]
        assert stats.chisquare(counts, SETTINGS.listeners * shares).pvalue > 1e-3
    assert {group.value for group in groups if group.minority} == {"NG", "SE", "under 18", "55 and over"}


def test_two_minorities_like_other_music_than_the_majority() -> None:
    settings = dataclasses.replace(SIZES["tiny"], listeners=2_000, plays=10_000, drift=0.0)
    large = simulate(settings, seed=1)
    everybody = np.arange(2_000)
    liked = large.preference(everybody, np.full(2_000, START_MS)).astype(np.float64)
    groups = {group.value: group.listeners for group in large.groups()}
    all_liked = liked.mean(0)

    def distance(group: str) -> float:
        """Total variation between what the group and everybody would play."""
        return float(np.abs(liked[groups[group]].mean(0) - all_liked).sum() / 2)

    assert distance("SE") > 1.5 * max(distance(name) for name in ("NG", "JP", "US", "BR"))
    older, others = groups["55 and over"], np.setdiff1d(everybody, groups["55 and over"])
    taste = large.taste(everybody, np.full(2_000, START_MS), np.zeros(2_000, dtype=int))
    lean = taste[older].mean(0) - taste[others].mean(0)
    assert lean[AUDIBLE.index("energy")] < -0.3 and lean[AUDIBLE.index("acousticness")] > 0.3
    along = liked @ large.catalogue.vectors @ lean
    assert along[older].mean() > along[others].mean() + 0.15
