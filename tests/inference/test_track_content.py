"""Content embeddings of whole tracks: each against the plain mean that it is."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from flax import nnx

from mu.data.batches.listening import ListeningBatches
from mu.data.crops import tile_starts
from mu.inference import track_content
from mu.inference.pooling import TILES
from mu.inference.track_content import ContentEncoder
from mu.models.audio_user import AudioUser
from mu.tasks.next_play import NextPlay
from tests.helpers.listening_logs import DAY_MS, RATE_HZ, Tones, make_listening

# Tracks 15 to 19 come out two days before the log ends, and so on, to two days after it.
LOG = make_listening()
LOG.released_ms[15:] = LOG.end_ms + np.arange(-2, 3) * DAY_MS
DIM = 8


@pytest.fixture(scope="module")
def parts():
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


def encoder_of(graph, batches):
    log = batches.listening
    return ContentEncoder(graph, log.sound, batches.crop_samples, log.tracks["track"])


def test_a_track_is_the_mean_of_its_tiles_and_what_is_not_heard_is_kept(parts):
    model, batches, _ = parts
    graph, params = split(model)
    known = np.random.default_rng(0).standard_normal((LOG.n_items, model.content_dim)).astype(np.float32)
    wanted = np.arange(LOG.n_items) >= 2
    found = encoder_of(graph, batches).content(params, known, wanted)
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
    found = encoder_of(graph, batches).content(params, np.zeros((LOG.n_items, model.content_dim), np.float32))
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
    with pytest.raises(ValueError, match="track 't17' cannot be encoded: its vector holds infinities or no numbers"):
        encoder_of(graph, batches).content(broken, np.zeros((LOG.n_items, model.content_dim), np.float32))


def test_content_of_another_shape_is_not_read(tmp_path):
    assert track_content.load(tmp_path, (2, 3)) is None
    track_content.save(tmp_path, np.arange(6, dtype=np.float32).reshape(2, 3))
    assert track_content.load(tmp_path, (2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert track_content.load(tmp_path, (3, 2)) is None
