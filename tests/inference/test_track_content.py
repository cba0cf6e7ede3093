"""Content embeddings of whole tracks: each against the plain mean that it is."""

import dataclasses

import jax
import numpy as np
import polars as pl
import pytest

from mu.data.crops import tile_starts
from mu.inference import track_content
from mu.inference.pooling import TILES
from mu.inference.track_content import ContentEncoder
from tests.helpers.audio_users import LOG, make_batches, split
from tests.helpers.listening_logs import RATE_HZ, Tones, make_listening


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
    batches = make_batches(make_listening(sound=sound))
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
    batches = make_batches(log)
    broken = jax.tree.map(lambda x: np.full(x.shape, np.nan, x.dtype), params)
    with pytest.raises(ValueError, match="track 't17' cannot be encoded: its vector holds infinities or no numbers"):
        encoder_of(graph, batches).content(broken, np.zeros((LOG.n_items, model.content_dim), np.float32))


def test_content_of_another_shape_is_not_read(tmp_path):
    assert track_content.load(tmp_path, (2, 3), "") is None
    sha256 = track_content.save(tmp_path, np.arange(6, dtype=np.float32).reshape(2, 3))
    for known in (sha256, ""):  # an earlier version did not say
        assert track_content.load(tmp_path, (2, 3), known).tolist() == [[0, 1, 2], [3, 4, 5]]
        assert track_content.load(tmp_path, (3, 2), known) is None
    with pytest.raises(ValueError, match=r"track_content.npy is not what was written .* `mu evaluate` makes it again"):
        track_content.load(tmp_path, (2, 3), "0" * 64)
