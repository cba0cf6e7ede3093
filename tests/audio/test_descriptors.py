"""Descriptors: against librosa on noise, recordings and silence, known answers, and laws."""

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest

from mu.audio import descriptors, spectral
from tests.helpers.audio_laws import RECORDINGS, check_gradients, check_laws, noise, recording

of = librosa.feature
# name -> ours and librosa's of magnitudes [F, K] and a rate, relative tolerance
SPECTRAL = {
    "centroid": (descriptors.centroid, lambda s, rate: of.spectral_centroid(S=s, sr=rate), 1e-5),
    "bandwidth": (descriptors.bandwidth, lambda s, rate: of.spectral_bandwidth(S=s, sr=rate), 1e-4),
    "bandwidth, p=3": (
        lambda s, rate: descriptors.bandwidth(s, rate, p=3.0),
        lambda s, rate: of.spectral_bandwidth(S=s, sr=rate, p=3.0),
        1e-4,
    ),
    "flatness": (lambda s, rate: descriptors.flatness(s), lambda s, rate: of.spectral_flatness(S=s), 1e-4),
    "flatness, power=1": (
        lambda s, rate: descriptors.flatness(s, amin=1e-6, power=1.0),
        lambda s, rate: of.spectral_flatness(S=s, amin=1e-6, power=1.0),
        1e-4,
    ),
    "contrast": (
        lambda s, rate: descriptors.contrast(s, rate, n_bands=4),
        lambda s, rate: of.spectral_contrast(S=s, sr=rate, n_bands=4),
        1e-4,
    ),
    "contrast, linear": (
        lambda s, rate: descriptors.contrast(s, rate, n_bands=3, fmin_hz=120.0, quantile=0.3, linear=True),
        lambda s, rate: of.spectral_contrast(S=s, sr=rate, n_bands=3, fmin=120.0, quantile=0.3, linear=True),
        1e-4,
    ),
}


def magnitudes(x, n_fft=1024):
    return np.asarray(spectral.magnitude(spectral.stft(x, n_fft=n_fft)))


def check_descriptors(s, rate_hz):
    for ours, theirs, tolerance in SPECTRAL.values():
        expected = theirs(s.T, rate_hz).T
        found = np.asarray(ours(s, rate_hz)).reshape(expected.shape)
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())
    # A share that is reached within rounding may fall to the next bin.
    bins = np.abs(descriptors.rolloff(s, rate_hz) - of.spectral_rolloff(S=s.T, sr=rate_hz)[0]) / (rate_hz / 1024)
    assert bins.max() < 1.01 and (bins > 0.01).mean() <= 0.01


@pytest.mark.parametrize("name", RECORDINGS)
def test_descriptors_of_recordings_are_librosas(data_dir, name):
    x = recording(data_dir, name)
    check_descriptors(magnitudes(x), 22_050)
    for center in (True, False):
        expected = of.zero_crossing_rate(x, frame_length=1000, hop_length=300, center=center)[0]
        found = descriptors.zero_crossing_rate(x, frame_samples=1000, hop_samples=300, center=center)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        expected = of.rms(y=x, frame_length=1000, hop_length=300, center=center)[0]
        found = descriptors.rms(x, frame_samples=1000, hop_samples=300, center=center)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_descriptors_of_noise_silence_and_clicks_are_librosas():
    x = noise(12_000)
    x[4000:8_000] = 0.0
    x[6000] = 1.0
    check_descriptors(magnitudes(x), 22_050)


def test_defaults_are_librosas():
    x = noise(30_000)
    s = magnitudes(x, n_fft=2048)
    np.testing.assert_allclose(descriptors.rms(x), of.rms(y=x)[0], rtol=1e-5)
    np.testing.assert_allclose(descriptors.zero_crossing_rate(x), of.zero_crossing_rate(x)[0], atol=1e-6)
    np.testing.assert_allclose(
        descriptors.contrast(s, 22_050), of.spectral_contrast(y=x, sr=22_050).T, rtol=1e-4, atol=1e-3
    )
    np.testing.assert_allclose(descriptors.centroid(s, 22_050), of.spectral_centroid(y=x, sr=22_050)[0], rtol=1e-5)


def test_known_answers():
    rate_hz, time_s = 8000, np.arange(8000) / 8000
    tone = np.sin(2 * np.pi * 1000 * time_s).astype(np.float32)
    s = magnitudes(tone)[4:-4]
    np.testing.assert_allclose(descriptors.centroid(s, rate_hz), 1000.0, rtol=1e-2)
    assert np.all(np.abs(descriptors.rolloff(s, rate_hz) - 1000.0) <= 2 * rate_hz / 1024)
    assert np.all(descriptors.flatness(s) < 1e-3)
    np.testing.assert_allclose(descriptors.rms(tone, center=False), np.sqrt(0.5), rtol=1e-3)
    np.testing.assert_allclose(descriptors.zero_crossing_rate(tone, center=False), 0.25, atol=2e-3)
    # All bins alike: the middle, the standard deviation of a uniform distribution, one.
    flat = np.ones((3, 513), np.float32)
    np.testing.assert_allclose(descriptors.centroid(flat, rate_hz), 2000.0, rtol=1e-5)
    np.testing.assert_allclose(descriptors.bandwidth(flat, rate_hz), 4000 / np.sqrt(12), rtol=1e-2)
    np.testing.assert_allclose(descriptors.flatness(flat), 1.0, rtol=1e-5)
    assert np.all(descriptors.contrast(flat, rate_hz, n_bands=4) == 0)


FEATURES = {
    "centroid": lambda s: descriptors.centroid(s, 8000),
    "bandwidth": lambda s: descriptors.bandwidth(s, 8000),
    "bandwidth, p=3": lambda s: descriptors.bandwidth(s, 8000, p=3.0),
    "flatness": descriptors.flatness,
    "contrast": lambda s: descriptors.contrast(s, 8000, n_bands=3, quantile=0.1),
    "rolloff": lambda s: descriptors.rolloff(s, 8000),
    "zero crossings": lambda s: descriptors.zero_crossing_rate(s[..., 0], frame_samples=8, hop_samples=3),
    "rms": lambda s: descriptors.rms(s[..., 0], frame_samples=8, hop_samples=3),
}


@pytest.mark.parametrize("name", FEATURES)
def test_laws(name):
    s = noise(4, 12, 129)  # of which the waveform's features take a column as samples
    s = s if name in ("zero crossings", "rms") else np.abs(s)
    assert np.any(FEATURES[name](s))
    check_laws(FEATURES[name], s, rtol=1e-4, atol=1e-4)
    if name not in ("rolloff", "zero crossings"):  # steps: their gradient is 0
        check_gradients(FEATURES[name], s)


def test_flatness_of_a_root_has_a_slope_at_silence():
    s = np.abs(noise(3, 65))
    s[:, ::2] = 0.0
    both = jax.jit(jax.value_and_grad(lambda s: descriptors.flatness(s, power=0.1).sum()))
    value, gradient = both(s)
    assert np.all(np.isfinite(gradient)) and np.any(gradient != 0)
    np.testing.assert_allclose(value, of.spectral_flatness(S=s.T, power=0.1).sum(), rtol=1e-4)


S, X = np.ones((4, 65), np.float32), np.ones(3000, np.float32)
WRONG = {
    "one bin": ("at least 2 bins", lambda: descriptors.centroid(S[:, :1], 8000)),
    "no frames": ("at least 2 bins", lambda: descriptors.rolloff(S[0], 8000)),
    "p": ("p=0", lambda: descriptors.bandwidth(S, 8000, p=0)),
    "share": ("share=1", lambda: descriptors.rolloff(S, 8000, share=1.0)),
    "amin": ("amin=0", lambda: descriptors.flatness(S, amin=0.0)),
    "quantile": ("quantile=2", lambda: descriptors.contrast(S, 8000, quantile=2)),
    "bands": ("band 6 starts at 6400", lambda: descriptors.contrast(S, 8000)),
    "no bin": ("holds no bin", lambda: descriptors.contrast(S, 8000, fmin_hz=20.0, n_bands=2)),
    "frame of one": ("no two neighbours", lambda: descriptors.zero_crossing_rate(X, frame_samples=1)),
    "short": ("fewer than one frame", lambda: descriptors.rms(X, frame_samples=4000, center=False)),
    "hop": ("hop_samples=0", lambda: descriptors.rms(X, hop_samples=0)),
    "pad_mode": ("pad_mode='wrap'", lambda: descriptors.rms(X, pad_mode="wrap")),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_is_refused(name):
    message, call = WRONG[name]
    with pytest.raises(ValueError, match=message):
        call()


def test_descriptors_are_of_arrays_with_any_leading_axes():
    assert descriptors.contrast(jnp.ones((2, 3, 5, 129)), 8000, n_bands=3).shape == (2, 3, 5, 4)
    assert descriptors.rms(jnp.ones((2, 3, 4096))).shape == (2, 3, 9)
