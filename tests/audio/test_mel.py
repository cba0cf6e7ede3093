"""Mel scale, filters, spectrograms, MFCC and PCEN: against librosa, and by their laws.

Tolerances, ours against librosa: filters 1e-6 of their largest weight; log-mel 1e-3 dB down to 80 dB below the clip's
loudest (below it, rounding of the transform decides); MFCC 2e-3 (their size is hundreds); PCEN 1e-4 relative.
"""

import inspect
import warnings

import jax.numpy as jnp
import librosa
import numpy as np
import pytest

from mu.audio import mel
from tests.helpers.audio_laws import RECORDINGS, check_gradients, check_laws, noise, recording


def to_librosa(options):
    """Our names for options in librosa's."""
    names = {
        "hop_samples": "hop_length",
        "window_samples": "win_length",
        "fmin_hz": "fmin",
        "fmax_hz": "fmax",
        "scale": "htk",
    }
    # librosa's features step by 512 samples whatever n_fft, ours by a quarter as its STFT does.
    options = {"hop_samples": options.get("n_fft", 2048) // 4} | options
    return {names.get(name, name): value == "htk" if name == "scale" else value for name, value in options.items()}


def librosa_filters(rate_hz, **options):
    return librosa.filters.mel(sr=rate_hz, **{n: v for n, v in to_librosa(options).items() if n != "hop_length"}).T


def librosa_mel(x, sample_rate_hz, **options):
    return librosa.feature.melspectrogram(y=x, sr=sample_rate_hz, **to_librosa(options)).T


def test_scales_are_librosas_and_invertible():
    hz = np.concatenate([[0.0], np.geomspace(1.0, 24_000.0, 200), [1000.0]])
    for scale in ("slaney", "htk"):
        np.testing.assert_allclose(mel.hz_to_mel(hz, scale), librosa.hz_to_mel(hz, htk=scale == "htk"), rtol=1e-12)
        np.testing.assert_allclose(mel.mel_to_hz(mel.hz_to_mel(hz, scale), scale), hz, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("norm", ["slaney", None, 1, 2, np.inf, 0.5], ids=str)
@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_filters_are_librosas(scale, norm):
    for rate_hz, options in (
        (16_000, {"n_fft": 512, "n_mels": 40}),
        (22_050, {"n_fft": 2048, "n_mels": 128}),
        (44_100, {"n_fft": 1025, "n_mels": 64, "fmin_hz": 30.0, "fmax_hz": 16_000.0}),
        (8_000, {"n_fft": 256, "n_mels": 20, "fmin_hz": 125.0, "fmax_hz": 5_000.0}),  # beyond the Nyquist frequency
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # filters without a bin: the last case, in both libraries
            expected = librosa_filters(rate_hz, norm=norm, scale=scale, **options)
            found = mel.mel_filters(rate_hz, norm=norm, scale=scale, **options)
        assert found.dtype == np.float32 and found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1e-6 * expected.max()


GRID = [
    (22_050, {}),
    (16_000, {"n_fft": 512, "hop_samples": 160, "n_mels": 80}),
    (16_000, {"n_fft": 512, "hop_samples": 160, "window_samples": 400, "n_mels": 64, "scale": "htk", "norm": None}),
    (16_000, {"n_fft": 400, "window": "hamming", "n_mels": 23, "fmin_hz": 20.0, "fmax_hz": 7600.0, "power": 1.0}),
    (44_100, {"n_fft": 4096, "n_mels": 200, "pad_mode": "reflect", "power": 1.5, "norm": 1}),
    (8_000, {"n_fft": 256, "n_mels": 1, "center": False, "norm": np.inf}),
]


@pytest.mark.parametrize(("rate_hz", "options"), GRID, ids=str)
def test_mel_spectrogram_is_librosas(rate_hz, options):
    x = noise(rate_hz // 2)
    expected = librosa_mel(x, rate_hz, **options)
    found = mel.mel_spectrogram(x, rate_hz, **options)
    assert found.shape == expected.shape and found.dtype == jnp.float32
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6 * expected.max())
    np.testing.assert_allclose(
        mel.log_mel(x, rate_hz, **options), librosa.power_to_db(expected, top_db=None), atol=1e-3
    )


@pytest.mark.parametrize("name", RECORDINGS)
def test_log_mel_and_mfcc_of_recordings(data_dir, name):
    x, rate_hz = recording(data_dir, name), 22_050
    options = {"n_fft": 512, "hop_samples": 160, "n_mels": 40}
    expected = librosa.power_to_db(librosa_mel(x, rate_hz, **options), top_db=None)
    found = np.asarray(mel.log_mel(x, rate_hz, **options))
    loud = expected > max(-100.0, expected.max() - 80)
    assert loud.mean() > 0.2
    assert np.abs(found - expected)[loud].max() < 1e-3
    theirs = librosa.feature.mfcc(y=x, sr=rate_hz, n_mfcc=20, **to_librosa(options)).T
    np.testing.assert_allclose(mel.mfcc(x, rate_hz, n_mfcc=20, **options), theirs, atol=2e-3)


def test_mfcc_options_and_its_floor_of_each_clip():
    x = noise(2, 8000) * np.float32([[1.0], [1e-3]])
    for options in ({"n_mfcc": 13, "lifter": 22}, {"n_mfcc": 128}):
        expected = [librosa.feature.mfcc(y=one, sr=16_000, **options).T for one in x]
        np.testing.assert_allclose(mel.mfcc(x, 16_000, **options), expected, atol=2e-3)


PCEN = [
    {},
    {"gain": 0.8, "bias": 10.0, "power": 0.25, "time_constant_s": 0.06, "eps": 1e-3},
    {"power": 0.0},
    {"bias": 0.0},
    {"gain": 0.0},
]


@pytest.mark.parametrize("options", PCEN, ids=str)
def test_pcen_is_librosas(options):
    energy = np.asarray(mel.mel_spectrogram(noise(40_000), 16_000, n_fft=512, hop_samples=160, n_mels=40, power=1.0))
    energy = np.concatenate([energy * np.float32(2**31), 0.1 * energy, np.zeros((5, 40), np.float32)])
    theirs = {"time_constant" if name == "time_constant_s" else name: value for name, value in options.items()}
    with np.errstate(divide="ignore"):  # bias = 0 takes the logarithm of silence
        expected = librosa.pcen(energy.astype(np.float64), sr=16_000, hop_length=160, axis=0, **theirs)
    found = mel.pcen(energy, 16_000, hop_samples=160, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * expected.max())


def test_pcen_of_chunks_is_that_of_the_whole():
    energy = np.exp(noise(2, 100, 8, loudness=3.0))
    state, parts = jnp.ones((2, 8)), []
    for part in np.split(energy, [1, 2, 35, 99], axis=1):
        out, state = mel.pcen_chunk(part, state, 16_000, hop_samples=160)
        parts.append(out)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), mel.pcen(energy, 16_000, hop_samples=160), rtol=1e-5)


SMALL = {"n_fft": 128, "hop_samples": 50, "n_mels": 10}
FEATURES = {
    "mel": lambda x: mel.mel_spectrogram(x, 8000, power=1.5, **SMALL),
    "log-mel": lambda x: mel.log_mel(x, 8000, **SMALL),
    "mfcc": lambda x: mel.mfcc(x, 8000, n_mfcc=5, **SMALL),
    "pcen": lambda x: mel.pcen(mel.mel_spectrogram(x, 8000, power=1.0, **SMALL), 8000, hop_samples=50),
}


@pytest.mark.parametrize("name", FEATURES)
def test_laws(name):
    x = noise(4, 1500)
    check_laws(FEATURES[name], x, atol=1e-4)
    check_gradients(FEATURES[name], x[:2])


@pytest.mark.parametrize("options", PCEN[2:4], ids=str)
def test_gradients_of_pcens_other_forms(options):
    check_gradients(lambda energy: mel.pcen(jnp.abs(energy), 8000, **options), noise(1, 40, 3))


def test_log_mel_takes_what_mel_spectrogram_takes():
    of = {function: dict(inspect.signature(function).parameters) for function in (mel.mel_spectrogram, mel.log_mel)}
    ours = {name: parameter.default for name, parameter in of[mel.log_mel].items()}
    assert ours.pop("amin") == 1e-10 and ours.pop("top_db") is None
    assert ours == {name: parameter.default for name, parameter in of[mel.mel_spectrogram].items()}


def test_filters_are_shared_and_cannot_be_changed():
    filters = mel.mel_filters(16_000, n_mels=40)
    assert filters is mel.mel_filters(16_000, n_mels=40)
    with pytest.raises(ValueError, match="read-only"):
        filters[0, 0] = 1.0


def test_filters_without_a_bin_are_announced():
    with pytest.warns(UserWarning, match="24 of n_mels=256 mel filters hold no bin of n_fft=512 at 16000 Hz"):
        mel.mel_filters(16_000, n_fft=512, n_mels=256)


X = np.zeros(3000, np.float32)
WRONG = {
    "fmin": ("fmin_hz=9000", lambda: mel.log_mel(X, 16_000, fmin_hz=9000.0)),
    "scale": ("scale='bark'", lambda: mel.log_mel(X, 16_000, scale="bark")),
    "norm": ("norm='area'", lambda: mel.log_mel(X, 16_000, norm="area")),
    "negative norm": ("norm=-1", lambda: mel.log_mel(X, 16_000, norm=-1)),
    "n_mels": ("n_mels=0", lambda: mel.log_mel(X, 16_000, n_mels=0)),
    "power": ("power=0", lambda: mel.mel_spectrogram(X, 16_000, power=0.0)),
    "n_mfcc": (r"n_mfcc=200 must lie in 1\.\.n_mels=128", lambda: mel.mfcc(X, 16_000, n_mfcc=200)),
    "lifter": ("lifter=-1", lambda: mel.mfcc(X, 16_000, lifter=-1)),
    "pcen gain": ("gain=-1", lambda: mel.pcen(np.ones((4, 4), np.float32), 16_000, gain=-1)),
    "pcen eps": ("eps=0", lambda: mel.pcen(np.ones((4, 4), np.float32), 16_000, eps=0)),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_options_are_refused(name):
    message, call = WRONG[name]
    with pytest.raises(ValueError, match=message):
        call()


def test_energies_of_no_frame_are_refused():
    with pytest.raises(TypeError, match="energy must be float32"):
        mel.pcen(jnp.ones((0, 4)), 16_000)
