"""What stands for a track without a row of its own, where earlier tracks of its artist are known."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from flax import nnx

from mu.data.batches.listening import ListeningBatches
from mu.data.summary import LogSummary
from mu.embedding.cold_start import described, listeners_of
from mu.inference.policy import Policy
from mu.inference.time_aware import TimeAwareRecommender
from mu.nn.earlier_tracks import EarlierTracks
from mu.tasks.next_play import NextPlay
from tests.data.listening.test_earlier_tracks import make_log
from tests.helpers.audio_users import split
from tests.models.test_audio_user import make_model, make_rows

D = 8


def test_at_first_it_is_the_mean_shrunk_by_one_track():
    random = np.random.default_rng(0)
    items, described = (jnp.asarray(random.standard_normal((6, D)), jnp.float32) for _ in range(2))
    nothing = jnp.full((1, D), 0.5, jnp.float32)
    earlier = jnp.asarray([[1, 2, 3], [4, -1, -1], [-1, -1, -1]] + [[-1] * 3] * 3, jnp.int32)
    found = EarlierTracks(D, 3, rngs=nnx.Rngs(0))(items, described, earlier, nothing)
    sums = [items[1] + items[2] + items[3], items[4], jnp.zeros(D, jnp.float32)]
    expected = np.stack([(total + 0.5) / (n + 1) for total, n in zip(sums, (3, 1, 0), strict=True)])
    np.testing.assert_allclose(found[:3], expected, atol=1e-6)


def test_attention_is_its_equation_and_moves_no_rows():
    random = np.random.default_rng(1)
    items, described = (jnp.asarray(random.standard_normal((4, D)), jnp.float32) for _ in range(2))
    layer = EarlierTracks(D, 2, rngs=nnx.Rngs(0))
    layer.query.kernel[...] = jnp.asarray(random.standard_normal((D, D)), jnp.float32)
    layer.bias[...] = jnp.asarray([0.3, -0.2], jnp.float32)
    earlier, nothing = jnp.asarray([[1, 2], [3, -1], [-1, -1], [0, 1]], jnp.int32), jnp.ones((1, D), jnp.float32)
    found = layer(items, described, earlier, nothing)
    x, r, w, u = (np.asarray(a, np.float64) for a in (described, items, layer.query.kernel[...], layer.key.kernel[...]))
    for track, places in enumerate(np.asarray(earlier)):
        there = [(e, b) for e, b in zip(places, (0.3, -0.2), strict=True) if e >= 0]
        logits = np.array([0.0] + [b + (x[track] @ w) @ (x[e] @ u) / np.sqrt(D) for e, b in there])
        weights = np.exp(logits) / np.exp(logits).sum()
        expected = weights @ np.stack([np.ones(D)] + [r[e] for e, _ in there])
        np.testing.assert_allclose(found[track], expected, rtol=1e-4, atol=1e-5)
    gradient = jax.grad(lambda rows: layer(rows, described, earlier, nothing).sum())(items)
    np.testing.assert_array_equal(gradient, 0.0)


def test_only_tracks_without_their_own_rows_are_stood_for():
    log = make_log()
    task = NextPlay(data=log, cold=0.0)
    model = make_model(task, audio=None, earlier_tracks=task.offers["earlier_tracks"])
    rows = make_rows(model, log)
    played, known = np.asarray(rows["plays"])[:, 0] > 0, (log.earlier >= 0).any(axis=1)
    own = np.asarray(model.track_parts(rows)["own"])
    np.testing.assert_array_equal(own[played], rows["items"][played])
    new = ~played & known
    assert new.any()
    track = int(np.flatnonzero(new)[0])
    some = log.earlier[track][log.earlier[track] >= 0]
    expected = (np.asarray(rows["items"])[some].sum(axis=0) + np.asarray(model.missing[...])[0]) / (len(some) + 1)
    np.testing.assert_allclose(own[track], expected, atol=1e-5)
    np.testing.assert_allclose(model.item_vectors(rows)[0], model.track_vectors(rows))


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """(log, model, rows, recommender), the attention not as it starts."""
    folder = tmp_path_factory.mktemp("log")
    pl.DataFrame({"track": range(20), "artist": ["a"] * 10 + [" b"] * 10}).write_parquet(folder / "tracks.parquet")
    log = dataclasses.replace(make_log(), artist="artist", folder=folder)
    task = NextPlay(data=log, cold=0.0)
    model = make_model(task, audio=None, earlier_tracks=3)
    weights = np.random.default_rng(2).standard_normal(model.earlier.query.kernel.shape)
    model.earlier.query.kernel[...] = jnp.asarray(weights, jnp.float32)
    graph, params = split(model)
    rows = {name: np.asarray(array) for name, array in make_rows(model, log).items()}
    batches = ListeningBatches(log, window=3, rows=1, negatives=3, clips=0, seed=0, sparse=True)
    options = {"params": params, "rows": rows, "end_ms": log.end_ms, "policy": Policy()}
    return log, model, rows, TimeAwareRecommender(graph=graph, task=task, features=batches.features, **options)


def test_a_recording_is_as_a_new_track_of_the_catalogue_with_the_same_earlier_tracks(opened):
    log, model, rows, recommender = opened
    new = (rows["plays"][:, 0] == 0) & (log.earlier >= 0).any(axis=1)
    assert new.sum() > 1
    features = np.pad(log.item_features[new], ((0, 0), (0, 2)), constant_values=-1)
    vectors, _ = recommender.cold_start(np.zeros((new.sum(), 1)), features, earlier=log.earlier[new])
    np.testing.assert_allclose(vectors, model.track_vectors(rows)[new], atol=1e-5)


def test_a_recording_has_the_earlier_tracks_of_the_artist_that_its_description_names(opened, tmp_path):
    log, _, rows, recommender = opened
    played = rows["plays"][:, 0] > 0
    (latest,) = np.flatnonzero(log.released_ms == log.released_ms[played & (log.artists == 1)].max())
    assert latest == log.earlier_of("b", played)[0] and set(log.artists[log.earlier_of(" b ", played)]) == {1}
    np.testing.assert_array_equal(log.earlier_of("c", played), -1)
    summary = LogSummary.of(log, log, tmp_path)
    log.tracks.write_parquet(tmp_path / "tracks.parquet")
    about = described(summary, "artist=b")  # no hashed feature of this run
    assert about.artist == "b" and about.unknown == [] and not (about.features >= 0).any()
    misspelt = described(summary, "artist=nobody")
    assert [(column, word) for column, word, _ in misspelt.unknown] == [("artist", "nobody")]
    shares = [dict(listeners_of(log, recommender, np.zeros(1), about.features, 12, artist=one)) for one in ("b", "c")]
    unknown = dict(listeners_of(log, recommender, np.zeros(1), about.features, 12))
    assert shares[1] == unknown and np.abs([shares[0][user] - shares[1][user] for user in range(12)]).max() > 1e-4


def test_a_recording_of_nobody_known_has_no_earlier_tracks(opened):
    _, model, rows, recommender = opened
    vectors, _ = recommender.cold_start(np.zeros((2, 1), np.float32), np.full((2, 1), -1, np.int32))
    nothing = {**rows, "plays": 0 * rows["plays"], "earlier": np.full_like(rows["earlier"], -1)}
    nothing["item_features"] = np.full_like(rows["item_features"], -1)
    np.testing.assert_allclose(vectors, np.asarray(model.track_vectors(nothing))[:2], atol=1e-6)


def test_the_loss_by_local_ids_is_that_by_all_rows():
    log = dataclasses.replace(make_log(longest=6), sound=None)
    task = NextPlay(data=log)
    model = make_model(task, audio=None, rate=None, earlier_tracks=3)
    rows = {name: np.asarray(array) for name, array in make_rows(model, log).items()}
    settings = {"window": 3, "rows": 2, "negatives": 3, "clips": 0, "seed": 0}
    losses = []
    for sparse in (False, True):
        batch = ListeningBatches(log, sparse=sparse, **settings).batch(np.arange(2), 0)
        here = rows
        if sparse:
            ids = np.minimum(batch.pop("ids")["items"], log.n_items - 1)
            here, batch = {name: array[ids] for name, array in rows.items()}, batch | batch.pop("shared")
        losses.append(task.loss(model, jax.tree.map(jnp.asarray, here), batch, jax.random.key(0))[0])
    np.testing.assert_allclose(*losses, rtol=1e-5)
