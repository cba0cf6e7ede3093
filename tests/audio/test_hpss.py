"""Medians and harmonic-percussive separation: against NumPy, SciPy and librosa, known answers, and laws."""

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
from scipy.ndimage import median_filter

from mu.audio import medians, spectral
from mu.audio.hpss import harmonic_percussive, harmonic_percussive_waveforms
from tests.helpers.audio_laws import RECORDINGS, check_gradients, check_laws, noise, recording


def naive_median(x, width, axis):
    """NumPy's median of every window of the reflected axis."""
    padding = [(0, 0)] * x.ndim
    padding[axis] = (width // 2, width // 2)
    padded = np.pad(x, padding, mode="symmetric")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, width, axis=axis), axis=-1)


@pytest.mark.parametrize(
    ("width", "lengths"), [(1, [5]), (3, [1, 100]), (7, [5, 33, 100]), (17, [5, 33]), (31, [5, 67])]
)
def test_sliding_median_is_numpys_and_scipys(width, lengths):
    for places in lengths:
        x = np.random.default_rng(width).integers(0, 6, (2, places, 3)).astype(np.float32)  # with ties
        found = medians.sliding_median(x, width, axis=1)
        np.testing.assert_array_equal(found, naive_median(x, width, 1))
        if places > width:
            np.testing.assert_array_equal(found, median_filter(x, size=(1, width, 1), mode="reflect"))


def test_sliding_median_of_another_axis():
    x = noise(4, 40)
    np.testing.assert_array_equal(medians.sliding_median(x, np.int64(7), axis=-1), naive_median(x, 7, 1))


def test_gradient_of_a_sliding_median_goes_to_the_median():
    x = noise(50)
    weights = noise(50, seed=1)
    gradient = jax.grad(lambda x: jnp.vdot(weights, medians.sliding_median(x, 5, axis=0)))(x)
    padded = np.pad(x, 2, mode="symmetric")
    source = np.pad(np.arange(50), 2, mode="symmetric")
    expected = np.zeros(50, np.float32)
    for place, weight in enumerate(weights):
        expected[source[place + np.argsort(padded[place : place + 5])[2]]] += weight
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_median_is_numpys():
    generator = np.random.default_rng(0)
    for n in (1, 2, 3, 8, 101):
        x = (generator.integers(-4, 5, (40, n)) / 2).astype(np.float32)
        np.testing.assert_array_equal(medians.median(x), np.median(x, axis=-1))
        where = generator.random(x.shape) < 0.5
        expected = [np.median(row[kept]) if kept.any() else 0.0 for row, kept in zip(x, where, strict=True)]
        np.testing.assert_array_equal(medians.median(x, where), expected)
    assert not np.any(medians.median(np.ones((3, 0), np.float32)))
    gradient = jax.grad(lambda x: medians.median(x))(jnp.asarray([3.0, 1.0, 2.0, 7.0]))
    np.testing.assert_array_equal(gradient, [0.5, 0.0, 0.5, 0.0])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"kernel_frames": 13, "kernel_bins": 17}, {"kernel_size": (13, 17)}),
        (
            {"power": 1.5, "margin": (1.0, 3.0), "kernel_frames": 13, "kernel_bins": 17},
            {"power": 1.5, "margin": (1.0, 3.0), "kernel_size": (13, 17)},
        ),
        (
            {"power": np.inf, "margin": 2.0, "kernel_frames": 13, "kernel_bins": 17},
            {"power": np.inf, "margin": 2.0, "kernel_size": (13, 17)},
        ),
    ],
)
def test_hpss_is_librosas(data_dir, ours, theirs):
    """Of drums and of a bowed string."""
    for name in RECORDINGS[1:3]:
        x = recording(data_dir, name, 12_000)
        spectrum = np.asarray(spectral.stft(x, n_fft=512, hop_samples=256))
        expected = librosa.decompose.hpss(spectrum.T, **theirs)
        for found, part in zip(harmonic_percussive(spectrum, **ours), expected, strict=True):
            assert found.dtype == np.complex64
            np.testing.assert_allclose(found, part.T, atol=1e-5 * np.abs(spectrum).max())
        check_masks(np.abs(spectrum), ours, theirs)


def check_masks(magnitude, ours, theirs):
    """Their two ways to magnitudes and ours differ in the last place, which hard masks see in ties: hence of those."""
    expected = librosa.decompose.hpss(magnitude.T, mask=True, **theirs)
    for found, part in zip(harmonic_percussive(magnitude, mask=True, **ours), expected, strict=True):
        np.testing.assert_allclose(found, part.T, atol=1e-5)


def test_masks_of_default_kernels_are_librosas(data_dir):
    for name in RECORDINGS[1:4]:
        x = recording(data_dir, name, 9000)
        check_masks(np.abs(librosa.stft(x, n_fft=256, hop_length=200)).T, {}, {})


def test_waveforms_are_librosas(data_dir):
    x = recording(data_dir, RECORDINGS[1], 12_000)
    expected = librosa.effects.hpss(x, kernel_size=9, margin=(1.0, 2.0))
    parts = harmonic_percussive_waveforms(x, kernel_frames=9, kernel_bins=9, margin=(1.0, 2.0))
    for found, part in zip(parts, expected, strict=True):
        np.testing.assert_allclose(found, part, atol=1e-5)


def test_a_chord_and_clicks_come_apart():
    time = np.arange(44_100) / 22_050
    chord = sum(0.1 * np.sin(2 * np.pi * frequency * time) for frequency in (220.0, 277.2, 329.6)).astype(np.float32)
    clicks = np.zeros_like(chord)
    clicks[::5000] = 1.0
    harmonic, percussive = harmonic_percussive_waveforms(chord + clicks, kernel_frames=15, kernel_bins=15)
    # The chord keeps nearly all of its energy, and each click what lies at frequencies where the chord is not.
    for found, truth, lost in ((harmonic, chord, 0.02), (percussive, clicks, 0.3)):
        inside = slice(2500, -2500)  # at its ends a cut tone clicks
        assert np.sum((found - truth)[inside] ** 2) < lost * np.sum(truth[inside] ** 2)
    np.testing.assert_allclose(harmonic + percussive, chord + clicks, atol=1e-4)


def test_laws():
    def feature(x):
        harmonic, percussive = harmonic_percussive(x, kernel_frames=3, kernel_bins=5)
        return harmonic - 2 * percussive

    magnitude = np.abs(noise(2, 12, 15))
    check_laws(feature, magnitude)
    check_gradients(feature, magnitude)
    silence, kernels = np.zeros((12, 15), np.float32), {"kernel_frames": 3, "kernel_bins": 5}
    masks = harmonic_percussive(silence, mask=True, **kernels)
    assert np.all(np.asarray(masks) == 0.5)
    assert not np.any(harmonic_percussive(silence, margin=2.0, mask=True, **kernels))


def test_refuses():
    with pytest.raises(ValueError, match="odd"):
        harmonic_percussive(np.ones((20, 30), np.float32), kernel_bins=30)
    with pytest.raises(ValueError, match="margin"):
        harmonic_percussive(np.ones((20, 30), np.float32), margin=0.5)
    with pytest.raises(TypeError, match="complex64"):
        harmonic_percussive(np.ones((20, 30), np.int32))
