"""Slates of the simulated world: tracks are shown with the logged propensity, and played by the law of the world."""

import dataclasses

import numpy as np
import polars as pl
import pytest
from scipy import stats

from mu.world.contexts import CONTEXTS
from mu.world.settings import SIZES, START_MS, Settings
from mu.world.tables import write
from mu.world.world import World, simulate
from tests.helpers.world_plays import assert_calibrated, opens_session

SETTINGS = dataclasses.replace(SIZES["tiny"], listeners=400, plays=20_000)


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(SETTINGS, seed=5)


def inclusion(world: World) -> np.ndarray:
    """float64 [S, V]: the probability of each track to be in each slate."""
    return world.exposure_probability(world.exposures.listeners, world.exposures.times_ms)


def is_shown(world: World) -> np.ndarray:
    """bool [S, V]: whether each track is in each slate."""
    shown = np.zeros((len(world.exposures), len(world.catalogue)), dtype=bool)
    np.put_along_axis(shown, world.exposures.tracks.astype(np.int64), True, axis=1)
    return shown


def test_a_slate_opens_each_session_and_agrees_with_its_first_play(world: World) -> None:
    plays, exposures = world.plays, world.exposures
    first = np.flatnonzero(opens_session(world))
    assert len(first) == len(exposures)
    np.testing.assert_array_equal(plays.times_ms[first], exposures.times_ms)
    np.testing.assert_array_equal(plays.contexts[first], exposures.contexts)
    np.testing.assert_array_equal(np.searchsorted(plays.indptr, first, side="right") - 1, exposures.listeners)
    accepted = exposures.accepted >= 0
    np.testing.assert_array_equal(plays.origins[first] == 4, accepted)
    assert not np.any(np.delete(plays.origins, first) == 4)
    played = exposures.tracks[accepted, exposures.accepted[accepted]]
    np.testing.assert_array_equal(plays.tracks[first][accepted], played)
    assert 0.2 < accepted.mean() < 0.6


def test_slates_hold_ten_different_tracks_that_are_out(world: World) -> None:
    exposures = world.exposures
    assert exposures.tracks.shape == exposures.propensities.shape == (len(exposures), SETTINGS.slate_tracks)
    assert np.all(np.diff(np.sort(exposures.tracks, axis=1), axis=1) > 0)
    assert np.all(world.catalogue.released_ms[exposures.tracks] <= exposures.times_ms[:, None])


def test_logged_propensities_are_the_truth_and_sum_to_the_places(world: World) -> None:
    probability = inclusion(world)
    np.testing.assert_allclose(probability.sum(1), SETTINGS.slate_tracks)
    out = world.catalogue.released_ms[None, :] <= world.exposures.times_ms[:, None]
    assert np.all((probability > 0) == out)
    logged = np.take_along_axis(probability, world.exposures.tracks.astype(np.int64), axis=1)
    np.testing.assert_allclose(world.exposures.propensities, logged, rtol=1e-10)


def test_tracks_are_shown_as_often_as_their_propensity_says(world: World) -> None:
    probability, shown = inclusion(world), is_shown(world)
    assert_calibrated(shown, probability)
    z = (shown.sum(0) - probability.sum(0)) / np.sqrt((probability * (1 - probability)).sum(0))
    assert stats.chi2.sf((z**2).sum(), SETTINGS.tracks) > 1e-3


def test_places_are_uniform_whatever_the_propensity(world: World) -> None:
    likeliest = np.bincount(world.exposures.propensities.argmax(axis=1), minlength=SETTINGS.slate_tracks)
    assert stats.chisquare(likeliest).pvalue > 1e-3


def test_what_is_played_of_a_slate_follows_examination_times_acceptance(world: World) -> None:
    exposures, examination = world.exposures, world.examination()
    assert examination.sum() == pytest.approx(1) and np.all(np.diff(examination) < 0)
    acceptance = world.acceptance(exposures.listeners, exposures.times_ms, exposures.contexts)
    probability = examination * np.take_along_axis(acceptance, exposures.tracks.astype(np.int64), axis=1)
    played = np.arange(SETTINGS.slate_tracks) == exposures.accepted[:, None]
    assert_calibrated(played, probability)
    z = (played.sum(0) - probability.sum(0)) / np.sqrt((probability * (1 - probability)).sum(0))
    assert stats.chi2.sf((z**2).sum(), SETTINGS.slate_tracks) > 1e-3


def test_inverse_propensities_estimate_another_policy_without_bias(world: World) -> None:
    """What if each listener were shown a track of the third that suits them best? The logs say, without trying it."""
    exposures = world.exposures
    out = world.catalogue.released_ms[None, :] <= exposures.times_ms[:, None]
    acceptance = world.acceptance(exposures.listeners, exposures.times_ms, exposures.contexts)
    best = out & (acceptance > np.quantile(acceptance, 2 / 3, axis=1, keepdims=True))
    other = best / best.sum(axis=1, keepdims=True)
    truth = (other * acceptance).sum(1)

    slates = np.arange(len(exposures))
    played = exposures.tracks[slates, exposures.accepted]
    propensity = exposures.propensities[slates, exposures.accepted]
    accepted = exposures.accepted >= 0
    by_marginal = np.where(accepted, other[slates, played] * SETTINGS.slate_tracks / propensity, 0)
    by_place = np.where(accepted, other[slates, played] / (propensity * world.examination()[exposures.accepted]), 0)
    for estimate in (by_marginal, by_place):
        error = (estimate - truth).std() / np.sqrt(len(slates))
        assert abs(estimate.mean() - truth.mean()) < 4 * error
        assert error < 0.1 * truth.mean()
        # Without the propensities the answer is what the service's own policy reached: far off.
        assert truth.mean() - accepted.mean() > 3 * error


def test_a_catalogue_of_few_tracks_leaves_places_empty() -> None:
    few = simulate(Settings(tracks=3, listeners=20, plays=2_000, weeks=2, released_before=1.0))
    shown = few.exposures.tracks >= 0
    assert np.all(shown.sum(1) == 3)
    assert np.all(few.exposures.propensities[shown] == 1) and np.all(few.exposures.propensities[~shown] == 0)
    examined = few.examination()[None, :] * shown
    acceptance = few.acceptance(few.exposures.listeners, few.exposures.times_ms, few.exposures.contexts)
    probability = (examined * np.take_along_axis(acceptance, few.exposures.tracks.astype(np.int64), axis=1)).sum(1)
    assert_calibrated(few.exposures.accepted >= 0, probability)
    np.testing.assert_allclose(few.exposure_probability(np.array([0]), np.array([START_MS])), 1)


def test_the_file_has_a_row_for_each_track_shown(world: World, tmp_path) -> None:
    write(world, tmp_path / "csv")
    write(world, tmp_path / "parquet", plays_as="parquet")
    table, columnar = (
        pl.read_csv(tmp_path / "csv" / "exposures.csv", try_parse_dates=True),
        pl.read_parquet(tmp_path / "parquet" / "exposures.parquet"),
    )
    columns = ["slate", "user", "time", "context", "track", "position", "propensity", "played"]
    assert table.columns == columnar.columns == columns
    assert len(table) == len(columnar) == (world.exposures.tracks >= 0).sum()
    assert table["time"].dt.epoch("ms").to_list() == columnar["time"].to_list()
    assert table["propensity"].to_list() == columnar["propensity"].to_list()
    assert np.all(np.diff(columnar["time"].to_numpy()) >= 0)
    # What is marked as played is the play of that listener at that time.
    plays = pl.read_parquet(tmp_path / "parquet" / "plays.parquet")
    played = columnar.filter(pl.col("played") == 1)
    assert len(played) == (world.exposures.accepted >= 0).sum()
    assert len(played.join(plays, on=["user", "time", "track", "context"])) == len(played)
    by_user = columnar.sort("user", "time", "position")
    assert by_user["track"].to_list() == [f"track-{one:06d}" for one in world.exposures.tracks.ravel()]
    assert by_user["context"].to_list() == [CONTEXTS[one] for one in np.repeat(world.exposures.contexts, 10)]
