"""Spectral peaks, tuning, chroma and key: against librosa on recordings, known answers, and laws."""

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest

from mu.audio import spectral
from mu.audio.chroma import chroma_cqt, chroma_filters, chroma_stft
from mu.audio.cqt import C1_HZ
from mu.audio.key import MODES, PROFILES, TONICS, key, key_name
from mu.audio.pitch import estimate_tuning, spectral_peaks
from tests.helpers.audio_laws import RECORDINGS, check_gradients, check_laws, noise, recording

RATE_HZ = 22_050
SAMPLES = 40_000
MUSIC = [RECORDINGS[2], RECORDINGS[3], RECORDINGS[4]]


def notes(*midi, seconds=0.5, rate_hz=RATE_HZ, harmonics=5, cents=0.0):
    """float32: one note or chord (a tuple) after the other, with decaying harmonics."""
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    parts = []
    for chord in midi:
        part = np.zeros(len(time))
        for number in chord if isinstance(chord, tuple) else (chord,):
            frequency = 440.0 * 2 ** ((number - 69 + cents / 100) / 12)
            for h in range(1, harmonics + 1):
                part += 0.5**h * np.sin(2 * np.pi * h * frequency * time)
        parts.append(part * np.hanning(len(time)))
    return (0.1 * np.concatenate(parts)).astype(np.float32)


@pytest.mark.parametrize("name", MUSIC)
def test_peaks_and_tuning_are_librosas(data_dir, name):
    x = recording(data_dir, name, SAMPLES)
    magnitude = np.asarray(spectral.magnitude(spectral.stft(x)))
    for options in ({}, {"fmin_hz": 0.0, "fmax_hz": 11_025.0, "threshold": 0.01}):
        theirs = {key.removesuffix("_hz"): value for key, value in options.items()}
        pitch, height = librosa.piptrack(S=magnitude.T, sr=RATE_HZ, **theirs)
        found = spectral_peaks(magnitude, RATE_HZ, **options)
        np.testing.assert_allclose(found[0], pitch.T, atol=2e-3)
        np.testing.assert_allclose(found[1], height.T, rtol=1e-5)
    for bins_per_octave in (12, 36):
        expected = librosa.estimate_tuning(y=x, sr=RATE_HZ, bins_per_octave=bins_per_octave)
        found = estimate_tuning(x, RATE_HZ, bins_per_octave=bins_per_octave)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    expected = librosa.estimate_tuning(S=magnitude.T**2, sr=RATE_HZ, resolution=0.02)
    np.testing.assert_allclose(estimate_tuning(x, RATE_HZ, power=2.0, resolution=0.02), expected, atol=1e-6)


def test_peaks_tuning_and_chroma_of_odd_frames_are_librosas(data_dir):
    """Whose last bin lies below half the rate."""
    x, odd = recording(data_dir, MUSIC[1], SAMPLES), {"n_fft": 1025}
    magnitude = np.asarray(spectral.magnitude(spectral.stft(x, hop_samples=512, **odd)))
    pitch, _ = librosa.piptrack(S=magnitude.T, sr=RATE_HZ, **odd)
    np.testing.assert_allclose(spectral_peaks(magnitude, RATE_HZ, **odd)[0], pitch.T, atol=2e-3)
    expected = librosa.estimate_tuning(S=magnitude.T, sr=RATE_HZ, **odd)
    np.testing.assert_allclose(estimate_tuning(x, RATE_HZ, hop_samples=512, **odd), expected, atol=1e-6)
    expected = librosa.feature.chroma_stft(y=x, sr=RATE_HZ, tuning=0.1, **odd).T
    np.testing.assert_allclose(chroma_stft(x, RATE_HZ, tuning=0.1, hop_samples=512, **odd), expected, atol=1e-5)


def test_a_band_beyond_the_bins_holds_no_peak():
    magnitude = np.abs(noise(5, 33))
    for rate_hz in (100, 250, 310):
        found = spectral_peaks(magnitude, rate_hz)
        assert found[0].shape == found[1].shape == (5, 33)
        assert not np.any(found) or rate_hz == 310
        assert estimate_tuning(noise(2, 4000), rate_hz, n_fft=64).shape == (2,)
    assert not np.any(estimate_tuning(noise(2, 4000), 100))
    with pytest.raises(ValueError, match="n_fft=63 has 32 bins"):
        spectral_peaks(magnitude, 8000, n_fft=63)


def test_tuning_of_detuned_notes():
    """Each clip has its own. A step of the histogram is 0.01 semitones; interpolated peaks are biased by as much."""
    cents = np.array([-40, -25, 0, 10, 33])
    x = np.stack([notes(60, 64, 67, 72, cents=c) for c in cents])
    np.testing.assert_allclose(estimate_tuning(x, RATE_HZ), cents / 100, atol=0.03)
    assert float(estimate_tuning(np.zeros(5000, np.float32), RATE_HZ)) == 0


@pytest.mark.parametrize("name", MUSIC)
def test_chroma_is_librosas(data_dir, name):
    x = recording(data_dir, name, SAMPLES)
    for options in (
        {},
        {"tuning": -0.3, "n_chroma": 24, "norm": 2},
        {"tuning": 0.2, "norm": None},
        {"tuning": 0.0, "n_fft": 4096, "hop_samples": 512},  # librosa's hop, whatever n_fft
    ):
        theirs = {name: value for name, value in options.items() if name != "hop_samples"}
        expected = librosa.feature.chroma_stft(y=x, sr=RATE_HZ, **theirs).T
        found = np.asarray(chroma_stft(x, RATE_HZ, **options))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max())


@pytest.mark.parametrize(("n_fft", "n_chroma"), [(2048, 12), (1024, 36), (4096, 7)])
def test_chroma_filters_are_librosas(n_fft, n_chroma):
    for tuning in (0.0, 0.37):
        expected = librosa.filters.chroma(sr=RATE_HZ, n_fft=n_fft, n_chroma=n_chroma, tuning=tuning).T
        found = chroma_filters(RATE_HZ, tuning, n_fft=n_fft, n_chroma=n_chroma)
        np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.filterwarnings("ignore:n_fft=")  # of librosa, of its lowest octave
@pytest.mark.parametrize(
    ("name", "options"),
    [
        (MUSIC[1], {"tuning": 0.0}),
        (MUSIC[1], {"tuning": 0.2, "n_chroma": 36}),
        *((name, {"tuning": 0.0, "bins_per_octave": 12, "n_octaves": 5, "fmin_hz": 55.0, "norm": 2}) for name in MUSIC),
    ],
)
def test_chroma_cqt_is_librosas_of_the_dense_cqt(data_dir, name, options):
    """librosa's own CQT drops 1 % of its filters' spectra; frames that are nearly silent are divided by next to
    nothing, so frames count by what sounds in them."""
    x = recording(data_dir, name, SAMPLES)
    options = {"bins_per_octave": 36, "n_octaves": 7, "fmin_hz": librosa.note_to_hz("C1"), "norm": np.inf} | options
    bins, fmin = options["bins_per_octave"], options["fmin_hz"]
    tuning, n_bins = options["tuning"], bins * options["n_octaves"]
    dense = librosa.cqt(x, sr=RATE_HZ, fmin=fmin, n_bins=n_bins, bins_per_octave=bins, tuning=tuning, sparsity=0)
    theirs = {"bins_per_octave": bins, "fmin": fmin, "n_chroma": options.get("n_chroma", 12), "norm": options["norm"]}
    expected = librosa.feature.chroma_cqt(C=np.abs(dense), **theirs).T
    found = np.asarray(chroma_cqt(x, RATE_HZ, **options))
    inside = slice(len(expected) // 4, -len(expected) // 4)
    np.testing.assert_allclose(found[inside], expected[inside], atol=2e-3)


MIDDLE = {"fmin_hz": 4 * C1_HZ, "n_octaves": 3, "bins_per_octave": 24}  # what the notes of these tests need


def test_a_tone_has_its_chroma():
    classes = np.array([0, 3, 7, 10])
    x = np.stack([notes(60 + c, seconds=1.0, harmonics=1) for c in classes])
    for chroma in (chroma_stft(x, RATE_HZ), chroma_cqt(x, RATE_HZ, **MIDDLE)):
        np.testing.assert_array_equal(np.asarray(chroma)[:, 20].argmax(-1), classes)
    assert not np.any(chroma_stft(np.zeros(5000, np.float32), RATE_HZ))
    assert not np.any(chroma_cqt(np.zeros(5000, np.float32), RATE_HZ, **MIDDLE))


def test_estimated_tuning_corrects_chroma():
    """40 cents flat, a C major chord still lies in C, E and G by the estimate alone."""
    x = notes((60, 64, 67), seconds=1.5, cents=-40.0)
    for chroma in (chroma_stft(x, RATE_HZ), chroma_cqt(x, RATE_HZ, **MIDDLE)):
        found = np.asarray(chroma).mean(0)
        assert set(np.argsort(found)[-3:].tolist()) == {0, 4, 7}
        assert found[[0, 4, 7]].min() > 1.5 * np.sort(found)[-4]


def cadence(tonic, mode):
    """Tonic, subdominant, dominant, tonic: triads in MIDI, the minor's dominant with its leading tone."""
    third = 3 if mode else 4
    chords = [(0, third, 7), (5, 5 + third, 12), (7, 11, 14), (0, third, 7)]
    return [tuple(60 + tonic % 12 + note for note in chord) for chord in chords]


def test_key_of_cadences_and_scales_in_all_24_keys():
    truth = [(tonic, mode) for mode in range(2) for tonic in range(12)]
    sung = np.stack([notes(*cadence(*one), seconds=0.25) for one in truth])
    scales = ((0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0), (0, 2, 3, 5, 7, 8, 11, 12, 7, 3, 0))
    played = np.stack([notes(*(60 + tonic + step for step in scales[mode]), seconds=0.12) for tonic, mode in truth])
    for x in (sung, played):
        chroma = chroma_stft(x, RATE_HZ, tuning=0.0)
        for profile in PROFILES:
            found = jax.jit(lambda chroma, profile=profile: key(chroma, profile=profile))(chroma)
            assert list(zip(found.tonic.tolist(), found.mode.tolist(), strict=True)) == truth, profile
            assert found.correlations.shape == (24, 24)


def test_key_is_the_largest_correlation_with_published_profiles():
    chroma = np.random.default_rng(0).random((3, 50, 12)).astype(np.float32)
    for profile, degrees in PROFILES.items():
        found = key(chroma, profile=profile)
        for clip in range(3):
            expected = [
                np.corrcoef(chroma[clip].mean(0), np.roll(degrees[mode], tonic))[0, 1]
                for mode in range(2)
                for tonic in range(12)
            ]
            np.testing.assert_allclose(found.correlations[clip], expected, atol=1e-5)
            best = int(np.argmax(expected))
            assert (int(found.tonic[clip]), int(found.mode[clip])) == (best % 12, best // 12)
    flat = key(np.full((4, 12), 0.3, np.float32))
    assert not np.any(flat.correlations) and not np.any(key(np.zeros((4, 12), np.float32)).correlations)
    assert key_name(3, 1) == "Eb minor" and (len(TONICS), len(MODES)) == (12, 2)
    with pytest.raises(ValueError, match="krumhansl"):
        key(chroma, profile="nobody")


def test_laws():
    def stft_chroma(x):
        return chroma_stft(x, 8000, n_fft=512)

    def cqt_chroma(x):
        return chroma_cqt(x, 8000, tuning=0.1, bins_per_octave=12, n_octaves=1, fmin_hz=200.0, hop_samples=64)

    check_laws(stft_chroma, noise(2, 3000))
    check_gradients(lambda x: key(stft_chroma(x)).correlations, noise(3000))
    check_gradients(cqt_chroma, noise(1500))


def test_refuses():
    x = noise(2, 3000)
    with pytest.raises(ValueError, match="resolution"):
        estimate_tuning(x, RATE_HZ, resolution=0.0)
    with pytest.raises(ValueError, match="norm"):
        chroma_stft(x, RATE_HZ, norm=3.0)
    with pytest.raises(ValueError, match="tuning has shape"):
        chroma_stft(x, RATE_HZ, tuning=jnp.zeros(3))
    with pytest.raises(ValueError, match="multiple"):
        chroma_cqt(x, RATE_HZ, bins_per_octave=12, n_chroma=24)
    with pytest.raises(ValueError, match="fmin_hz"):
        spectral_peaks(x[None], RATE_HZ, fmin_hz=500.0, fmax_hz=100.0)
    with pytest.raises(ValueError, match="12"):
        key(jnp.zeros((3, 11)))
