"""STFT, its inverse, windows, frames and decibels: against librosa and scipy, and by their laws."""

import itertools

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from mu.audio import (
    augment_filters,
    augment_spectrogram,
    blocks,
    chroma,
    cqt,
    descriptors,
    framing,
    hpss,
    key,
    mel,
    rhythm,
    spectral,
    vocoder,
)
from tests.helpers.audio_laws import RECORDINGS, check_gradients, check_laws, noise, recording

NAMES = ["hann", "hamming", "blackman", "nuttall", "blackmanharris", "flattop", "boxcar", "bartlett", "cosine"]
WINDOWS = [*NAMES, ("kaiser", 8.0), ("gaussian", 30.0)]


def librosa_stft(x, *, hop_samples=None, window_samples=None, **options):
    return np.swapaxes(librosa.stft(x, hop_length=hop_samples, win_length=window_samples, **options), -1, -2)


def assert_close(found, expected, relative=1e-5):
    """Within `relative` of the largest magnitude."""
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= relative * np.abs(expected).max()


@pytest.mark.parametrize("name", WINDOWS, ids=str)
def test_windows_are_scipys(name):
    for n in (1, 2, 7, 512):
        np.testing.assert_allclose(spectral.window(name, n), scipy.signal.get_window(name, n), atol=1e-15)


SIZES = [(100, 7, 3), (700, 300, 1), (1000, 64, 16), (1000, 10, 25), (64, 64, 3)]


@pytest.mark.parametrize(("samples", "width", "hop"), SIZES)
def test_frames_their_sums_and_overlap_add(samples, width, hop):
    x = noise(2, samples)
    frames = np.stack([x[:, at : at + width] for at in range(0, samples - width + 1, hop)], axis=1)
    frame, sums, add = (
        jax.jit(function, static_argnums=static)
        for function, static in ((spectral.frame, (1, 2)), (framing.frame_sums, (1, 2)), (framing.overlap_add, 1))
    )
    np.testing.assert_array_equal(frame(x, width, hop), frames)
    np.testing.assert_allclose(sums(x, width, hop), frames.sum(-1), rtol=1e-5, atol=1e-5)
    expected = np.zeros((2, (frames.shape[1] - 1) * hop + width))
    for at in range(frames.shape[1]):
        expected[:, at * hop : at * hop + width] += frames[:, at]
    found = add(frames, hop)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


GRID = [
    {},
    {"n_fft": 512, "hop_samples": 160},
    {"n_fft": 512, "hop_samples": 160, "window_samples": 400, "pad_mode": "reflect"},
    {"n_fft": 400, "hop_samples": 160, "window": "hamming", "pad_mode": "edge"},
    {"n_fft": 255, "hop_samples": 100, "window": ("kaiser", 8.0)},
    {"n_fft": 512, "hop_samples": 700, "pad_mode": "symmetric"},
    {"n_fft": 1024, "hop_samples": 16, "window": "blackman"},
    {"n_fft": 256, "window_samples": 101, "window": np.linspace(0.1, 1.0, 101)},
    {"n_fft": 1024, "center": False},
    {"n_fft": 300, "hop_samples": 77, "window": "boxcar", "center": False},
]


@pytest.mark.parametrize("options", GRID, ids=str)
def test_stft_is_librosas(options):
    x = noise(5001)
    assert_close(np.asarray(spectral.stft(x, **options)), librosa_stft(x, **options))


@pytest.mark.parametrize("name", RECORDINGS)
def test_stft_of_recordings(data_dir, name):
    x = recording(data_dir, name)
    for options in GRID[1:3]:
        assert_close(np.asarray(spectral.stft(x, **options)), librosa_stft(x, **options))


@pytest.mark.parametrize("options", [options for options in GRID if options.get("hop_samples") != 700], ids=str)
@pytest.mark.parametrize("length", [None, 4000])
def test_istft_is_librosas(options, length):
    # Of any spectrum, not only of one that some signal has. A tapered window without centring leaves samples that
    # hardly any weight covers: what is left of the division there is rounding, in either library.
    inverse = {name: value for name, value in options.items() if name != "pad_mode"}
    spectrum = librosa_stft(noise(5001), **options) * noise(1)
    hop, window_samples = inverse.pop("hop_samples", None), inverse.pop("window_samples", None)
    inverse["n_fft"] = inverse.get("n_fft", 2048)
    expected = librosa.istft(
        np.swapaxes(spectrum, -1, -2), hop_length=hop, win_length=window_samples, length=length, **inverse
    )
    found = spectral.istft(
        jnp.asarray(spectrum), hop_samples=hop, window_samples=window_samples, length_samples=length, **inverse
    )
    inner = slice(None) if inverse.get("center", True) else slice(256, -1024)
    assert found.shape == expected.shape
    assert_close(np.asarray(found)[inner], expected[inner])


@settings(deadline=None, max_examples=8, derandomize=True)
@given(
    window=st.sampled_from(["hann", "hamming", "blackman", "boxcar", ("kaiser", 6.0)]),
    half=st.integers(8, 150),
    odd=st.booleans(),
    overlap=st.sampled_from([2.5, 4, 7]),
    samples=st.integers(1, 900),
    pad_mode=st.sampled_from(["constant", "reflect", "edge"]),
)
def test_istft_inverts_stft(window, half, odd, overlap, samples, pad_mode):
    """Where every sample lies well within a window: at hops above n_fft / 2 the last ones may lie in none."""
    n_fft = 2 * half + odd
    x = noise(2, samples)
    options = {"n_fft": n_fft, "hop_samples": max(int(n_fft / overlap), 1), "window": window}
    spectrum = spectral.stft(x, pad_mode=pad_mode, **options)
    np.testing.assert_allclose(spectral.istft(spectrum, length_samples=samples, **options), x, atol=2e-5)


def test_istft_gives_zeros_where_no_window_reaches():
    spectrum = spectral.stft(noise(2000), n_fft=256, hop_samples=300, window="boxcar")
    x = np.asarray(spectral.istft(spectrum, hop_samples=300, window="boxcar", length_samples=2500))
    gaps = np.array([at for at in range(2500) if 128 <= at % 300 < 172 or at >= 1928])
    assert x.shape == (2500,) and np.all(x[gaps] == 0) and np.all(np.delete(x, gaps) != 0)


DECIBELS = [{}, {"top_db": None}, {"ref": "max"}, {"ref": 2.5, "amin": 1e-3}, {"ref": "max", "top_db": 20.0}]


@pytest.mark.parametrize("options", DECIBELS, ids=str)
def test_decibels_are_librosas_clip_by_clip(options):
    power = np.exp(noise(3, 40, 20, loudness=8.0))
    theirs = options | ({"ref": np.max} if options.get("ref") == "max" else {})
    for ours, oracle in (
        (spectral.power_to_db, librosa.power_to_db),
        (spectral.amplitude_to_db, librosa.amplitude_to_db),
    ):
        expected = np.stack([oracle(clip, **theirs) for clip in power])
        np.testing.assert_allclose(ours(power, **options), expected, rtol=1e-5, atol=1e-4)


def test_decibels_and_back():
    power = np.exp(noise(40, 20, loudness=5.0)) + np.float32(1e-10)
    np.testing.assert_allclose(spectral.db_to_power(spectral.power_to_db(power, top_db=None)), power, rtol=2e-5)


FEATURES = {
    "stft": lambda x: spectral.stft(x, n_fft=64, hop_samples=20),
    "decibels": lambda x: spectral.power_to_db(spectral.power(spectral.stft(x, n_fft=64)), ref="max"),
    "there and back": lambda x: spectral.istft(spectral.stft(x, n_fft=64), length_samples=700),
}


@pytest.mark.parametrize("name", FEATURES)
def test_laws(name):
    check_laws(FEATURES[name], noise(4, 700))
    check_gradients(FEATURES[name], noise(2, 700))


def test_gradients_are_right():
    x = noise(150, loudness=1.0)
    check_grads(
        lambda x: spectral.power(spectral.stft(x, n_fft=32, hop_samples=9)), (x,), order=1, rtol=2e-2, atol=2e-2
    )


@pytest.mark.parametrize("shape", [(3, 20_000), (24, 900), (7, 2000), (0, 900)], ids=str)
def test_blocks_change_nothing(monkeypatch, shape):
    """Parts of long clips, several short clips, and clips one by one: the same frames and gradients."""
    x = noise(*shape)
    weights = noise(*shape[:1], shape[1] // 48 + 1, 65, loudness=1.0)

    def total(x):
        spectrum = spectral.stft(x, n_fft=128, hop_samples=48)
        return jnp.sum(weights * spectral.power(spectrum)), spectrum

    def found():
        # A function of its own each time: jit remembers what it traced before.
        return jax.jit(jax.grad(lambda x: total(x), has_aux=True))(x)

    at_once = found()
    monkeypatch.setattr(blocks, "_BLOCK_SAMPLES", 1 << 13)
    jax.clear_caches()
    for one, other in zip(found(), at_once, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_only_cpus_work_in_blocks():
    """An accelerator gets the whole batch: no loop is lowered for it."""
    x = jax.ShapeDtypeStruct((32, 160_000), jnp.float32)
    traced = jax.jit(lambda x: spectral.power(spectral.stft(x, n_fft=512, hop_samples=160))).trace(x)
    loops = {platform: "while" in traced.lower(lowering_platforms=(platform,)).as_text() for platform in ("cpu", "tpu")}
    assert loops == {"cpu": True, "tpu": False}


# Of a waveform x, a magnitude spectrogram s and a key of random numbers; small, they are only lowered.
PRODUCTS = {
    "istft": lambda x, s, seed: spectral.istft(spectral.stft(x, n_fft=128)),
    "mfcc": lambda x, s, seed: mel.mfcc(x, 8000, n_mels=20, n_fft=256),
    "pcen": lambda x, s, seed: mel.pcen(s, 8000),
    "centroid": lambda x, s, seed: descriptors.centroid(s, 8000),
    "bandwidth": lambda x, s, seed: descriptors.bandwidth(s, 8000),
    "rolloff": lambda x, s, seed: descriptors.rolloff(s, 8000),
    "flatness": lambda x, s, seed: descriptors.flatness(s),
    "contrast": lambda x, s, seed: descriptors.contrast(s, 8000, n_bands=3),
    "zero crossings": lambda x, s, seed: descriptors.zero_crossing_rate(x),
    "rms": lambda x, s, seed: descriptors.rms(x),
    "cqt": lambda x, s, seed: cqt.cqt(x, 8000, n_bins=12, fmin_hz=200.0),
    "cqt, tuned": lambda x, s, seed: cqt.cqt(x, 8000, n_bins=12, fmin_hz=200.0, tuning=x[0]),
    "chroma of stft": lambda x, s, seed: chroma.chroma_stft(x, 8000, n_fft=256),
    "chroma of cqt": lambda x, s, seed: chroma.chroma_cqt(x, 8000, n_octaves=1, fmin_hz=200.0),
    "key": lambda x, s, seed: key.key(s[..., :12]),
    "hpss": lambda x, s, seed: hpss.harmonic_percussive(s, kernel_frames=3, kernel_bins=3),
    "onset strength": lambda x, s, seed: rhythm.onset_strength(x, 8000, n_fft=256, n_mels=20, detrend=True),
    "tempogram": lambda x, s, seed: rhythm.tempogram(x[:99], window_frames=16),
    "pitch shift": lambda x, s, seed: vocoder.pitch_shift(x, 2.0, n_fft=128),
    "equalize": lambda x, s, seed: augment_filters.equalize(seed, x[None], 8000),
    "reverb": lambda x, s, seed: augment_filters.reverb(seed, x[None], s),
    "frequency shift": lambda x, s, seed: augment_spectrogram.frequency_shift(seed, s[None]),
    "frequency warp": lambda x, s, seed: augment_spectrogram.frequency_warp(seed, s[None]),
}
WITHOUT_PRODUCTS = ["flatness", "contrast", "zero crossings", "rms", "hpss", "tempogram", "pitch shift", "reverb"]


@pytest.mark.filterwarnings("ignore:.*mel filters hold no bin")
@pytest.mark.parametrize("name", PRODUCTS)
def test_products_keep_single_precision_on_tpus(name):
    """Whose default for float32 is bfloat16: three digits."""
    x, s = jax.ShapeDtypeStruct((3000,), jnp.float32), jax.ShapeDtypeStruct((30, 129), jnp.float32)
    traced = jax.jit(PRODUCTS[name]).trace(x, s, jax.eval_shape(lambda: jax.random.key(0)))
    lowered = traced.lower(lowering_platforms=("tpu",)).as_text()
    products = [line for line in lowered.splitlines() if "dot_general" in line or "stablehlo.convolution" in line]
    assert all("HIGHEST" in line and "DEFAULT" not in line for line in products)
    assert bool(products) == (name not in WITHOUT_PRODUCTS)


@pytest.mark.parametrize("axes", ["Auto", "Explicit"])
@pytest.mark.parametrize("samples", [20_000, 150_000])
def test_a_sharded_batch_gives_the_same(axes, samples):
    mesh = jax.make_mesh((8,), ("batch",), axis_types=(jax.sharding.AxisType[axes],))
    x = noise(16 if samples < 100_000 else 8, samples)
    sharded = jax.device_put(x, jax.NamedSharding(mesh, jax.P("batch")))
    feature = jax.jit(lambda x: spectral.stft(x, n_fft=256))
    assert_close(np.asarray(feature(sharded)), np.asarray(feature(x)), 1e-6)


def test_windows_may_be_arrays_of_any_kind():
    x, weights = noise(2000), np.hanning(512)
    expected = spectral.stft(x, n_fft=512, window=weights)
    for window in (jnp.asarray(weights, jnp.float32), weights.tolist(), tuple(weights)):
        assert_close(np.asarray(spectral.stft(x, n_fft=512, window=window)), np.asarray(expected))
    with pytest.raises(ValueError, match="one axis"):
        spectral.stft(x, n_fft=512, window=weights[None])


X, S = np.zeros(3000, np.float32), np.zeros((4, 65), np.complex64)
WRONG = {
    "empty": (ValueError, "at least one sample", lambda: spectral.stft(X[:0])),
    "a number": (ValueError, "at least one sample", lambda: spectral.stft(X[0])),
    "integers": (TypeError, "float32", lambda: spectral.stft(np.zeros(3000, np.int16))),
    "shorter than a frame": (ValueError, "fewer than one frame of 2048", lambda: spectral.stft(X[:99], center=False)),
    "pad_mode": (ValueError, "'wrap' is not one of", lambda: spectral.stft(X, pad_mode="wrap")),
    "hop of zero": (ValueError, "hop_samples=0", lambda: spectral.stft(X, hop_samples=0)),
    "n_fft": (ValueError, "n_fft=12.5", lambda: spectral.stft(X, n_fft=12.5)),
    "long window": (ValueError, "does not fit in n_fft=64", lambda: spectral.stft(X, n_fft=64, window_samples=65)),
    "unknown window": (ValueError, "unknown window 'haning'", lambda: spectral.stft(X, window="haning")),
    "weights": (ValueError, "window_samples=64", lambda: spectral.stft(X, n_fft=64, window=np.ones(63))),
    "real spectrum": (TypeError, "complex64", lambda: spectral.istft(S.real)),
    "n_fft of spectrum": (ValueError, "the spectrum has 65", lambda: spectral.istft(S, n_fft=64)),
    "amin": (ValueError, "amin=0", lambda: spectral.power_to_db(X, amin=0.0)),
    "ref": (ValueError, "ref='mean'", lambda: spectral.power_to_db(X, ref="mean")),
    "top_db": (ValueError, "top_db=-1", lambda: spectral.power_to_db(X, top_db=-1)),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_is_refused(name):
    error, message, call = WRONG[name]
    with pytest.raises(error, match=message):
        call()


def test_short_clips_are_padded_when_centred():
    for samples, pad_mode in itertools.product((1, 5), ("constant", "edge")):
        assert spectral.stft(noise(samples), n_fft=64, hop_samples=16, pad_mode=pad_mode).shape == (1, 33)
