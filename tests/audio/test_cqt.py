"""CQT and VQT: against their definition in float64, librosa, known answers, and laws.

Two approximations of librosa's are larger than what single precision and our halvings leave, so that each side is held
against what it should equal. By default librosa drops the smallest 1 % of its filters' spectra (`sparsity`), which
moves magnitudes by up to 1 % of the largest; and its resampler cuts off what rings beyond the ends of a clip, so that
frames there are wrong by as much and more. Without the first, and away from the ends, we agree to 1e-4.
"""

import jax.numpy as jnp
import librosa
import numpy as np
import pytest

from mu.audio import cqt
from tests.helpers.audio_laws import RECORDINGS, check_gradients, check_laws, noise, recording

RATE_HZ = 22_050
SAMPLES = 40_000


def evaluate(
    x,
    rate_hz,
    *,
    hop=512,
    fmin_hz=cqt.C1_HZ,
    n_bins=84,
    bins_per_octave=12,
    gamma_hz=0.0,
    filter_scale=1.0,
    rounded=True,
):
    """|C| of the definition in `mu.audio.cqt`, float64 [F, K], the window a Hann at full rate.

    `rounded` windows have the lengths that librosa's have, whole samples at a rate halved for every octave.
    """
    frequencies = fmin_hz * 2.0 ** (np.arange(n_bins) / bins_per_octave)
    alpha = (2.0 ** (2 / bins_per_octave) - 1) / (2.0 ** (2 / bins_per_octave) + 1)
    gamma_hz = alpha * 24.7 / 0.108 if gamma_hz is None else gamma_hz
    lengths = filter_scale / alpha * rate_hz / (frequencies + gamma_hz / alpha)
    out = np.empty((1 + len(x) // hop, n_bins))
    for k, (frequency, length) in enumerate(zip(frequencies, lengths, strict=True)):
        step = 2.0 ** ((n_bins - 1 - k) // bins_per_octave)
        width, center = length, 0.0
        if rounded:
            width = (np.floor(length / step / 2) + np.ceil(length / step / 2)) * step
            center = np.ceil(length / step / 2) * step - width / 2
        reach = int(length / 2 + 2 * step)
        n = np.arange(-reach, reach + 1)
        window = np.where(np.abs(n - center) < width / 2, 0.5 + 0.5 * np.cos(2 * np.pi * (n - center) / width), 0.0)
        atom = np.sqrt(length) * window / window.sum() * np.exp(-2j * np.pi * frequency * n / rate_hz)
        padded = np.pad(x.astype(np.float64), reach)
        out[:, k] = np.abs(np.lib.stride_tricks.sliding_window_view(padded, len(n))[::hop] @ atom)
    return out


def distance(a, b, reference):
    """The largest difference, relative to the largest value."""
    return np.abs(np.abs(a) - np.abs(b)).max() / np.abs(reference).max()


# Options of ours, of librosa and of `evaluate`, and how near librosa's then is: short filters reach the negative
# frequencies that it leaves out.
CASES = {
    "defaults": ({}, {}, {}, 5e-4),
    "36 bins an octave": (
        {"bins_per_octave": 36, "n_bins": 100, "fmin_hz": 440.0, "hop_samples": 256},
        {"bins_per_octave": 36, "n_bins": 100, "fmin": 440.0, "hop_length": 256},
        {"bins_per_octave": 36, "n_bins": 100, "fmin_hz": 440.0, "hop": 256},
        5e-4,
    ),
    "short filters": (
        {"filter_scale": 0.5, "n_bins": 49, "fmin_hz": 200.0},
        {"filter_scale": 0.5, "n_bins": 49, "fmin": 200.0},
        {"filter_scale": 0.5, "n_bins": 49, "fmin_hz": 200.0},
        5e-3,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_cqt_is_its_definition_and_librosas(data_dir, case):
    ours, theirs, exactly, near = CASES[case]
    for name in (RECORDINGS[2], RECORDINGS[3]):
        x = recording(data_dir, name, SAMPLES)
        found = np.asarray(cqt.cqt(x, RATE_HZ, **ours))
        truth = evaluate(x, RATE_HZ, **exactly)
        assert found.dtype == np.complex64 and distance(found, truth, truth) < 1e-4
        dense = librosa.cqt(x, sr=RATE_HZ, sparsity=0, **theirs).T
        inside = slice(len(dense) // 4, -len(dense) // 4)
        assert np.abs(found[inside] - dense[inside]).max() < near * truth.max()  # the phases too
        usual = librosa.cqt(x, sr=RATE_HZ, **theirs).T
        assert distance(found[inside], usual[inside], truth) < 3e-2


@pytest.mark.parametrize(
    ("rate_hz", "ours", "theirs", "tolerance"),
    [
        (16_000, {"hop_samples": 160}, {"hop_length": 160}, 5e-4),
        (
            44_100,
            {"n_bins": 30, "fmin_hz": 500.0},
            {"n_bins": 30, "fmin": 500.0},
            5e-4,
        ),  # halved before the first octave
        (RATE_HZ, {"hop_samples": 441, "n_bins": 50}, {"hop_length": 441, "n_bins": 50}, 5e-4),
        (RATE_HZ, {"tuning": -0.3, "scale": False}, {"tuning": -0.3, "scale": False}, 5e-4),
        (RATE_HZ, {"pad_mode": "reflect", "window": "hamming"}, {"pad_mode": "reflect", "window": "hamming"}, 1e-2),
        (RATE_HZ, {"n_bins": 1, "fmin_hz": 440.0}, {"n_bins": 1, "fmin": 440.0}, 2e-3),
    ],
)
def test_options_of_the_cqt_are_librosas(data_dir, rate_hz, ours, theirs, tolerance):
    """Hamming windows end in a step, whose spectrum reaches the negative frequencies that librosa leaves out."""
    x = recording(data_dir, RECORDINGS[3], SAMPLES)
    found = np.asarray(cqt.cqt(x, rate_hz, **ours))
    expected = librosa.cqt(x, sr=rate_hz, sparsity=0, **theirs).T
    assert len(found) == 1 + len(x) // ours.get("hop_samples", 512) and abs(len(found) - len(expected)) <= 1
    inside = slice(len(expected) // 4, -len(expected) // 4 - 1)
    assert distance(found[inside], expected[inside], expected) < tolerance


@pytest.mark.parametrize("gamma_hz", [None, 20.0])
def test_vqt_is_its_definition_and_librosas(data_dir, gamma_hz):
    """Low octaves' windows are some 15 samples long at their rate, and what librosa's spectra leave out is larger."""
    x = recording(data_dir, RECORDINGS[2 if gamma_hz else 3], SAMPLES)
    found = np.asarray(cqt.vqt(x, RATE_HZ, gamma_hz=gamma_hz))
    truth = evaluate(x, RATE_HZ, gamma_hz=gamma_hz)
    assert distance(found, truth, truth) < 2e-3
    expected = librosa.vqt(x, sr=RATE_HZ, gamma=gamma_hz, sparsity=0).T
    inside = slice(len(expected) // 4, -len(expected) // 4)
    assert distance(found[inside], expected[inside], truth) < 5e-3


def test_ends_of_a_clip_are_right_where_librosas_resampler_is_not():
    x = noise(30_000)
    found, theirs = cqt.cqt(x, RATE_HZ), librosa.cqt(x, sr=RATE_HZ, sparsity=0).T
    truth = evaluate(x, RATE_HZ)
    assert distance(found, truth, truth) < 1e-4
    assert 1e-2 < distance(theirs, truth, truth) < 0.1  # in the first and last frames
    # What rounding the windows costs, ours as librosa's.
    assert distance(found, evaluate(x, RATE_HZ, rounded=False), truth) < 0.05


def test_a_tone_is_found_at_its_bin_with_its_height():
    frequencies = cqt.cqt_frequencies(84)
    time = np.arange(RATE_HZ) / RATE_HZ
    tones = np.sin(2 * np.pi * frequencies[:, None] * time).astype(np.float32)
    middle = np.abs(cqt.cqt(tones, RATE_HZ))[:, 21]
    np.testing.assert_array_equal(middle.argmax(-1), np.arange(84))
    lengths = RATE_HZ / frequencies / ((2 ** (1 / 6) - 1) / (2 ** (1 / 6) + 1))
    np.testing.assert_allclose(middle.max(-1), np.sqrt(lengths) / 2, rtol=2e-3)


def test_tuning_as_an_array_is_one_for_each_clip():
    options = {"bins_per_octave": 36, "n_bins": 40, "fmin_hz": 880.0}
    x = noise(2, 12_000)
    both = np.asarray(cqt.cqt(x, RATE_HZ, tuning=np.float32([-0.4, 0.3]), **options))
    np.testing.assert_allclose(cqt.cqt(x[1], RATE_HZ, tuning=jnp.float32(0.3), **options), both[1], atol=1e-5)
    fixed = np.asarray(cqt.cqt(x[0], RATE_HZ, tuning=-0.4, **options))
    assert distance(both[0], fixed, fixed) < 2e-2  # the windows' lengths stay those of tuning 0
    # A number of NumPy's is a number, in hops as well.
    same = cqt.cqt(x[0], RATE_HZ, tuning=np.float64(-0.4), hop_samples=np.int64(512), **options)
    np.testing.assert_array_equal(same, fixed)
    close = np.asarray(cqt.cqt(x[0], RATE_HZ, tuning=np.float32(-0.4), **options))
    assert distance(close, fixed, fixed) < 1e-5


def test_laws():
    def feature(x):
        return cqt.cqt(x, 8000, n_bins=8, bins_per_octave=4, fmin_hz=200.0, hop_samples=64)

    check_laws(feature, noise(4, 3000))
    check_gradients(feature, noise(3000))
    assert np.all(np.asarray(feature(jnp.zeros(3000))) == 0)
    assert feature(noise(10)).shape == (1, 8)  # shorter than any filter


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_bins": 110}, "beyond half of sample_rate_hz"),
        ({"hop_samples": 0}, "hop_samples"),
        ({"filter_scale": 0.0}, "filter_scale"),
        ({"gamma_hz": -1.0}, "gamma_hz"),
        ({"tuning": np.zeros(3, np.float32)}, "tuning has shape"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        cqt.vqt(noise(2, 5000), RATE_HZ, **options)
