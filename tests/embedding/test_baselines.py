"""Baseline encoders by name: known answers of their statistics, short sounds, and the first seconds of recordings."""

import numpy as np
import polars as pl
import pytest

from mu.baselines import mel_mean, mfcc
from mu.data import embeddings as table
from mu.embedding.baselines import NAMED, SAMPLE_RATE_HZ, Statistics
from mu.embedding.opening import open_encoder
from mu.embedding.run import embed
from mu.embedding.seen import without_seen
from tests.helpers.embeddings import SECONDS, imported


def noise(n, seed=0):
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32)


def test_ten_times_the_amplitude_is_20_db_more_in_every_band():
    quiet, loud = (mel_mean.clip_statistics(scale * noise(8000), 8000) for scale in (0.01, 0.1))
    np.testing.assert_allclose(loud[:64] - quiet[:64], 20.0, atol=1e-3)
    np.testing.assert_allclose(loud[64:], quiet[64:], atol=1e-3)


@pytest.mark.parametrize("statistics", [mfcc.clip_statistics, mel_mean.clip_statistics])
def test_filling_and_neighbours_change_nothing(statistics):
    encoder = Statistics(statistics, 4000)
    audio = noise(3 * encoder.tile_samples).reshape(3, -1) * 0.1
    filled = audio.copy()
    filled[:, 5000:] = 7.0
    samples = np.full(3, 5000, np.int32)
    one, two = encoder.vectors(audio, samples), encoder.vectors(filled[::-1], samples)[::-1]
    assert one.dtype == np.float32 and one.shape == (3, encoder.dim) and one.tobytes() == two.tobytes()
    np.testing.assert_allclose(one[0], statistics(audio[0, :5000], 4000), rtol=1e-6)


@pytest.mark.parametrize("name", [*sorted(set(NAMED) - {"random"}), pytest.param("random", marks=pytest.mark.slow)])
def test_a_clip_shorter_than_a_frame_has_a_vector(name):
    encoder, card = open_encoder(name)
    audio = np.zeros((2, encoder.tile_samples), np.float32)
    audio[0, :3] = 0.5
    vectors = encoder.vectors(audio, np.array([3, 1], np.int32))
    assert np.isfinite(vectors).all() and vectors.shape == (2, encoder.dim)
    assert card["sample_rate_hz"] == SAMPLE_RATE_HZ and card["trained_on"]["recordings"] == []


@pytest.mark.slow
def test_random_weights_are_those_of_the_seed():
    hashes = [open_encoder(name)[1]["hash"] for name in ("random", "random=0", "random=1")]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_baseline_has_learnt_from_nothing(tmp_path):
    """Probes of it say nothing and refuse nothing."""
    clips = type("Clips", (), {"table": pl.DataFrame({"content_hash": ["a", "b"]}), "__len__": lambda self: 2})()
    _, card = open_encoder("mel_mean")
    assert without_seen(clips, {"encoder": card}, "content_hash", "refuse") == (clips, "")


def test_the_first_seconds_alone_are_embedded(tmp_path):
    """The vector of a recording's first half second is that of a file that ends there."""
    rate = SAMPLE_RATE_HZ
    library = imported(tmp_path / "whole", {"b": SECONDS["b"], "c": 0.5})
    whole, first = tmp_path / "one", tmp_path / "two"
    opened = open_encoder("mel_mean")
    embed(opened, library, whole)
    embed(opened, library, first, first_s=0.25)
    a, b = table.load(whole), table.load(first)
    hashes = a.table["content_hash"].to_list()
    assert not np.allclose(a.of(hashes), b.of(hashes), atol=1e-2)
    assert b.card["first_s"] == 0.25 and a.card["first_s"] is None
    file = next((tmp_path / "whole" / "audio").glob("b.wav"))
    from mu.audio.io import read

    audio, _ = read(file, sample_rate_hz=rate, duration_s=0.25)
    row = a.table.filter(pl.col("clip").str.contains("b.wav"))["content_hash"].to_list()
    np.testing.assert_allclose(b.of(row)[0], mel_mean.clip_statistics(audio, rate), rtol=1e-5)
    with pytest.raises(FileExistsError, match=r"the first 0.25 s of each recording, and not of the whole"):
        embed(opened, library, first)
    with pytest.raises(ValueError, match="first_s is 0"):
        embed(opened, library, tmp_path / "three", first_s=0.0)
