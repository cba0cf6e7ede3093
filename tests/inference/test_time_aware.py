"""A recommender that knows the time: every number against the plain sum that it is."""

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest

from mu.data.listening.hashed_features import hashed_features
from mu.inference.policy import NEW_RELEASE_DAYS, Policy
from mu.inference.time_aware import TimeAwareRecommender
from tests.helpers.audio_users import DIM, LOG, split
from tests.helpers.listening_logs import DAY_MS


def made(parts, rows, boost=0.0):
    model, batches, task = parts
    graph, params = split(model)
    options = {"params": params, "rows": rows, "end_ms": LOG.end_ms, "policy": Policy(new_release_boost=boost)}
    return TimeAwareRecommender(graph=graph, task=task, features=batches.features, **options)


def make_scores(parts, boost=0.0):
    """(recommender, its rows)."""
    model, _, _ = parts
    random = np.random.default_rng(1)
    rows = {name: np.asarray(array) for name, array in LOG.track_rows().items()}
    rows["items"] = random.standard_normal((LOG.n_items, DIM)).astype(np.float32)
    rows["content"] = random.standard_normal((LOG.n_items, model.content_dim)).astype(np.float32)
    rows["content"][3] = 0
    return made(parts, rows, boost), rows


def test_the_parts_sum_to_the_score(parts):
    recommender, _ = make_scores(parts)
    columns = features_by_column()
    found = recommender.score_parts(columns)
    assert set(found) == {"own", "sound", "artist", "all"}
    np.testing.assert_allclose(sum(found.values()), recommender.item_vectors, rtol=1e-4, atol=1e-5)
    users = np.arange(5)
    queries = recommender.queries(users, LOG.take(users))
    by_parts = sum(queries @ part.T for part in found.values()) + recommender.item_bias()
    np.testing.assert_allclose(by_parts, recommender.scores(users, LOG.take(users)), rtol=1e-4, atol=1e-4)


def features_by_column():
    return {"artist": LOG.item_features[:, :1], "all": LOG.item_features[:, 1:]}


def test_the_columns_need_not_have_equally_many_features(parts):
    """Some tracks have three features in one column and none in another."""
    _, rows = make_scores(parts)
    table = pl.DataFrame({"artist": ["a"] * 10 + [None] * 10, "tags": ["x|y|z", "x"] * 10})
    columns = {name: hashed_features(table, [name], 64) for name in table.columns}
    rows = {**rows, "item_features": hashed_features(table, ["artist", "tags"], 64)}
    recommender = made(parts, rows)
    np.testing.assert_allclose(
        sum(recommender.score_parts(columns).values()), recommender.item_vectors, rtol=1e-4, atol=1e-5
    )


def test_features_that_training_never_saw_say_nothing_of_a_new_track(parts):
    """Nor of a track of the log; the parts are still its vector."""
    recommender, rows = make_scores(parts)
    content, unseen = rows["content"][:1], np.array([[63]], np.int32)
    assert not (LOG.item_features == 63).any() and np.abs(parts[0].track_features(jnp.asarray(unseen))).min() > 0
    bare, _ = recommender.cold_start(content, np.full((1, 1), -1, np.int32))
    np.testing.assert_array_equal(recommender.cold_start(content, unseen)[0], bare)
    seen, _ = recommender.cold_start(content, np.array([[1]], np.int32))
    np.testing.assert_array_equal(recommender.cold_start(content, np.array([[63, 1]], np.int32))[0], seen)
    assert np.abs(seen - bare).max() > 0
    columns = {**features_by_column(), "label": np.full((LOG.n_items, 1), 63, np.int32)}
    found = recommender.score_parts(columns)
    np.testing.assert_array_equal(found.pop("label"), 0)
    np.testing.assert_allclose(sum(found.values()), recommender.item_vectors, rtol=1e-4, atol=1e-5)


def test_biases_depend_on_the_time(parts):
    model, _, _ = parts
    recommender, rows = make_scores(parts)
    boosted, _ = make_scores(parts, boost=3.0)
    times = np.array([LOG.end_ms, LOG.end_ms + 5 * DAY_MS])
    bias = recommender.item_bias(times)
    np.testing.assert_array_equal(bias[0], recommender.item_bias())
    for row, days in enumerate((0.0, 5.0)):
        age = rows["age_days"][:, 0] + days
        np.testing.assert_allclose(bias[row], model.age_bias(jnp.asarray(age)), rtol=1e-5)
        new = (age >= 0) & (age < NEW_RELEASE_DAYS)
        assert new.any() and not new.all()
        np.testing.assert_allclose(boosted.item_bias(times)[row] - bias[row], 3.0 * new, atol=1e-5)
    assert np.abs(bias[0] - bias[1]).max() > 0
    np.testing.assert_array_equal(
        recommender.with_policy(Policy(new_release_boost=3.0)).item_bias(), boosted.item_bias()
    )


def test_each_copy_to_the_device_is_asked_for(parts):
    recommender, rows = make_scores(parts, boost=3.0)
    assert isinstance(rows["content"], np.ndarray) and isinstance(recommender.rows["content"], jax.Array)
    users, times = np.arange(3), LOG.end_ms + np.arange(3) * DAY_MS
    expected = recommender.scores(users, LOG.take(users), times)
    with jax.transfer_guard("disallow"):
        np.testing.assert_array_equal(recommender.scores(users, LOG.take(users), times), expected)


@pytest.mark.parametrize("boost", [0.0, 3.0])
def test_age_steps_are_the_biases_of_ages(parts, boost):
    """Between the edges; at an edge, which a float32 may miss, the later step begins."""
    recommender, rows = make_scores(parts, boost)
    edges_ms, values = recommender.age_steps()
    assert edges_ms.dtype == np.int64 and (edges_ms[:3] == np.array([0, 1, 7]) * DAY_MS).all()
    times = LOG.end_ms + np.array([0, 5, 300]) * DAY_MS + DAY_MS // 3
    ages_ms = np.where(LOG.released_ms < 0, edges_ms[-1], times[:, None] - LOG.released_ms)
    steps = np.searchsorted(edges_ms, ages_ms, side="right")
    assert (steps == 0).any() and len(np.unique(steps)) > 3
    np.testing.assert_array_equal(values[steps], recommender.item_bias(times))
    one_day = np.asarray(rows["age_days"])[:, 0] == 1
    assert one_day.any()
    np.testing.assert_array_equal(recommender.item_bias()[one_day], values[2])


def test_a_share_is_that_of_the_softmax_over_what_is_out(parts):
    recommender, _ = make_scores(parts)
    users = np.arange(6)
    queries = recommender.queries(users, LOG.take(users)).astype(np.float64)
    random = np.random.default_rng(2)
    vectors, bias = random.standard_normal((3, DIM)).astype(np.float32), np.array([0.5, 0, -1], np.float32)
    out = LOG.released_ms <= LOG.end_ms
    assert not out.all()
    catalogue = np.where(out, recommender.item_bias(), -np.inf)
    found = recommender.log_share(queries.astype(np.float32), LOG.take(users), vectors, bias, catalogue)
    likely = np.exp(queries @ recommender.item_vectors.T + recommender.item_bias())[:, out].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(found), np.exp(queries @ vectors.T + bias) / likely, rtol=1e-4)
    # Tracks of the catalogue: their shares are the softmax.
    of_catalogue = recommender.item_vectors, recommender.item_bias(), catalogue
    whole = recommender.log_share(queries.astype(np.float32), LOG.take(users), *of_catalogue)
    np.testing.assert_allclose(np.exp(whole[:, out]).sum(axis=1), 1.0, rtol=1e-4)


def test_a_cold_start_track_scores_as_a_track_that_comes_out_at_the_end(parts):
    recommender, rows = make_scores(parts)
    vectors, bias = recommender.cold_start(rows["content"][:2], rows["item_features"][:2])
    found = recommender.score_parts(features_by_column())
    missing = np.asarray(parts[0].missing[0])
    np.testing.assert_allclose(vectors, recommender.item_vectors[:2] - found["own"][:2] + missing, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bias, parts[0].age_bias(jnp.zeros(2)), rtol=1e-6)


def test_offsets_by_age_are_added_to_recent_releases_alone(parts):
    recommender, rows = make_scores(parts)
    day_ms = 86_400_000
    calibrated = recommender.with_policy(Policy(age_offsets=(1.5, -0.5)))
    times_ms = LOG.end_ms + np.array([0, 10, 100]) * day_ms
    ages = rows["age_days"][:, 0] + np.array([0, 10, 100])[:, None]
    expected = np.where((ages >= 0) & (ages < 7), 1.5, np.where((ages >= 7) & (ages < 28), -0.5, 0.0))
    assert {1.5, -0.5, 0.0} == set(expected.flat)
    np.testing.assert_allclose(calibrated.item_bias(times_ms) - recommender.item_bias(times_ms), expected, atol=1e-5)
    edges, values = calibrated.age_steps()
    added = values - recommender.age_steps()[1]
    middles = np.append((edges[:-1] + edges[1:]) / 2, edges[-1] + 1) / day_ms
    np.testing.assert_allclose(added, [0.0, *np.where(middles < 7, 1.5, np.where(middles < 28, -0.5, 0.0))], atol=1e-5)


def test_the_posterior_of_a_new_track_is_the_spread_of_own_rows_around_what_stands_for_them(parts):
    recommender, rows = make_scores(parts)
    missing, played = np.asarray(parts[0].missing[...])[0], rows["plays"][:, 0] > 0
    residuals = (rows["items"] - missing)[played].astype(np.float64)
    queries = np.random.default_rng(3).standard_normal((4, DIM))
    variance = ((queries @ residuals.T) ** 2).mean(axis=1)
    np.testing.assert_allclose(recommender.cold_start_variance(queries), variance, rtol=1e-5)
    random = np.random.default_rng(4)
    drawn = np.stack([recommender.sampled(random).item_vectors for _ in range(3000)])
    scores = (drawn - recommender.item_vectors) @ queries.T
    assert not scores[:, played].any()
    np.testing.assert_allclose(scores[:, ~played].var(axis=(0, 1)), variance, rtol=0.1)
    np.testing.assert_allclose(scores[:, ~played].mean(axis=(0, 1)) / np.sqrt(variance), 0.0, atol=0.05)
