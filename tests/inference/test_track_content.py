"""What a model hears of whole tracks, and its scores at a time: each against the plain sum that it is."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from flax import nnx

from mu.data.batches.listening import ListeningBatches
from mu.data.crops import tile_starts
from mu.data.listening.hashed_features import hashed_features
from mu.inference.pooling import TILES
from mu.inference.recommender import Encoder
from mu.inference.track_content import FRESH_DAYS, Hearing, TimedScores
from mu.models.audio_user import AudioUser
from mu.tasks.next_play import NextPlay
from tests.helpers.listening_logs import DAY_MS, RATE_HZ, Tones, make_listening

pytestmark = pytest.mark.usefixtures("standard_promotion")
# Tracks 15 to 19 come out two days before the log ends, and so on, to two days after it.
LOG = make_listening()
LOG.released_ms[15:] = LOG.end_ms + np.arange(-2, 3) * DAY_MS
DIM = 8


@pytest.fixture(scope="module")
def standard_promotion():
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(scope="module")
def parts(standard_promotion):
    """(model, batches, task): crops of 0.2 s, so that a track of 0.5 s has three tiles."""
    batches = ListeningBatches(LOG, window=6, rows=4, negatives=5, clips=4, crop_s=0.2, sparse=False, seed=0)
    task = NextPlay(data=LOG)
    audio = {"size": "xs", "n_mels": 16, "dropout": 0.0}
    model = AudioUser(
        audio=audio,
        dim=DIM,
        dropout=0.0,
        hash_size=64,
        event_columns={"context": 2},
        sample_rate_hz=RATE_HZ,
        outputs={},
        rngs=nnx.Rngs(0),
    )
    model.age[...] = jnp.linspace(0.2, -0.2, len(model.age))
    return model, batches, task


def split(model):
    graph, state = nnx.split(model)
    return graph, nnx.to_pure_dict(state)


def make_scores(parts, boost=0.0):
    """(recommender, its rows)."""
    model, batches, task = parts
    random = np.random.default_rng(1)
    rows = {name: np.asarray(array) for name, array in LOG.track_rows().items()}
    rows["items"] = random.standard_normal((LOG.n_items, DIM)).astype(np.float32)
    rows["content"] = random.standard_normal((LOG.n_items, model.content_dim)).astype(np.float32)
    rows["content"][3] = 0
    graph, params = split(model)
    return TimedScores(Encoder(graph, task, batches.features), graph, params, rows, LOG.days, boost), rows


def test_a_track_is_the_mean_of_its_tiles_and_what_is_not_heard_is_kept(parts):
    model, batches, _ = parts
    graph, params = split(model)
    known = np.random.default_rng(0).standard_normal((LOG.n_items, model.content_dim)).astype(np.float32)
    wanted = np.arange(LOG.n_items) >= 2
    found = Hearing(graph, batches).content(params, known, wanted)
    assert found.dtype == np.float32 and wanted.sum() * 3 > TILES, "tiles of a track lie in two calls"
    np.testing.assert_array_equal(found[[0, 1, 3]], known[[0, 1, 3]])  # not asked for; 3 has no sound
    for track in (2, 10, 13, 19):
        vectors, weights = [], []
        for start in (0, round(0.2 * RATE_HZ), round(0.3 * RATE_HZ)):  # the last reaches back
            audio = LOG.sound.waveform(track, start, round(0.2 * RATE_HZ))
            vectors.append(model.audio({}, {"audio": audio[None], "samples": np.array([len(audio)])})["clip"][0])
            weights.append(len(audio))
        np.testing.assert_allclose(found[track], np.average(vectors, axis=0, weights=weights), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(tile_starts(np.array([4000]), 1600)[1], [0, 1600, 2400])


def test_a_track_shorter_than_a_tile_is_heard_without_its_filling(parts):
    model, _, _ = parts
    graph, params = split(model)
    sound = Tones(LOG.n_items)
    sound.lengths[4] = 1000
    batches = ListeningBatches(
        make_listening(sound=sound), window=6, rows=4, negatives=5, clips=4, crop_s=0.2, sparse=False, seed=0
    )
    found = Hearing(graph, batches).content(params, np.zeros((LOG.n_items, model.content_dim), np.float32))
    audio = np.zeros((1, 1600), np.float32)
    audio[0, :1000] = sound.waveform(4, 0, 1000)
    expected = model.audio({}, {"audio": audio, "samples": np.array([1000])})["clip"][0]
    np.testing.assert_allclose(found[4], expected, rtol=1e-3, atol=1e-4)
    assert found.any(axis=1).all()


def test_a_vector_that_is_no_number_is_an_error(parts, tmp_path):
    """It names the track as the log does."""
    model, _, _ = parts
    graph, params = split(model)
    pl.DataFrame({"track": [f"t{17 + track}" for track in range(LOG.n_items)]}).write_parquet(
        tmp_path / "tracks.parquet"
    )
    log = dataclasses.replace(LOG, folder=tmp_path)
    batches = ListeningBatches(log, window=6, rows=4, negatives=5, clips=4, crop_s=0.2, sparse=False, seed=0)
    broken = jax.tree.map(lambda x: np.full(x.shape, np.nan, x.dtype), params)
    with pytest.raises(ValueError, match="track 't17' cannot be heard: its vector holds infinities or no numbers"):
        Hearing(graph, batches).content(broken, np.zeros((LOG.n_items, model.content_dim), np.float32))


def test_the_parts_sum_to_the_score(parts):
    recommender, _ = make_scores(parts)
    held = words_by_column()
    found = recommender.parts(held)
    assert set(found) == {"own", "sound", "artist", "all"}
    np.testing.assert_allclose(sum(found.values()), recommender.vectors, rtol=1e-4, atol=1e-5)
    users = np.arange(5)
    queries = recommender.queries(users, LOG.take(users))
    by_parts = sum(queries @ part.T for part in found.values()) + recommender.bias
    np.testing.assert_allclose(by_parts, recommender.scores(users, LOG.take(users)), rtol=1e-4, atol=1e-4)


def words_by_column():
    return {"artist": LOG.item_features[:, :1], "all": LOG.item_features[:, 1:]}


def test_the_parts_of_words_need_not_be_equally_many(parts):
    """Some tracks have three words in one column and none in another."""
    _, rows = make_scores(parts)
    table = pl.DataFrame({"artist": ["a"] * 10 + [None] * 10, "tags": ["x|y|z", "x"] * 10})
    columns = {name: hashed_features(table, [name], 64) for name in table.columns}
    model, batches, task = parts
    graph, params = split(model)
    rows = {**rows, "item_features": hashed_features(table, ["artist", "tags"], 64)}
    recommender = TimedScores(Encoder(graph, task, batches.features), graph, params, rows, LOG.days)
    np.testing.assert_allclose(sum(recommender.parts(columns).values()), recommender.vectors, rtol=1e-4, atol=1e-5)


def test_scores_know_what_time_it_is(parts):
    model, _, _ = parts
    recommender, rows = make_scores(parts)
    boosted, _ = make_scores(parts, boost=3.0)
    times = np.array([LOG.end_ms, LOG.end_ms + 5 * DAY_MS])
    bias = recommender.bias_at(times)
    np.testing.assert_array_equal(bias[0], recommender.bias)
    for row, days in enumerate((0.0, 5.0)):
        age = rows["age_days"][:, 0] + days
        np.testing.assert_allclose(bias[row], model.age_bias(jnp.asarray(age)), rtol=1e-5)
        fresh = (age >= 0) & (age < FRESH_DAYS)
        assert fresh.any() and not fresh.all()
        np.testing.assert_allclose(boosted.bias_at(times)[row] - bias[row], 3.0 * fresh, atol=1e-5)
    assert np.abs(bias[0] - bias[1]).max() > 0
    np.testing.assert_array_equal(recommender.boosted(3.0).bias, boosted.bias)


def test_a_share_is_that_of_the_softmax_over_what_is_out(parts):
    recommender, _ = make_scores(parts)
    users = np.arange(6)
    queries = recommender.queries(users, LOG.take(users)).astype(np.float64)
    random = np.random.default_rng(2)
    vectors, bias = random.standard_normal((3, DIM)).astype(np.float32), np.array([0.5, 0, -1], np.float32)
    out = LOG.released_ms <= LOG.end_ms
    assert not out.all()
    catalogue = np.where(out, recommender.bias, -np.inf)
    found = recommender.log_share(queries.astype(np.float32), vectors, bias, catalogue)
    likely = np.exp(queries @ recommender.vectors.T + recommender.bias)[:, out].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(found), np.exp(queries @ vectors.T + bias) / likely, rtol=1e-4)
    # Tracks of the catalogue: their shares are the softmax.
    whole = recommender.log_share(queries.astype(np.float32), recommender.vectors, recommender.bias, catalogue)
    np.testing.assert_allclose(np.exp(whole[:, out]).sum(axis=1), 1.0, rtol=1e-4)


def test_a_newcomer_scores_as_a_track_that_comes_out_at_the_end(parts):
    recommender, rows = make_scores(parts)
    vectors, bias = recommender.newcomers(rows["content"][:2], rows["item_features"][:2])
    found = recommender.parts(words_by_column())
    missing = np.asarray(parts[0].missing[0])
    np.testing.assert_allclose(vectors, recommender.vectors[:2] - found["own"][:2] + missing, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bias, parts[0].age_bias(jnp.zeros(2)), rtol=1e-6)
