"""Onset strength, tempogram, tempo, beats and onsets: against librosa on recordings, known answers, and laws."""

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
import soundfile

from mu.audio import beats, onsets
from mu.audio.rhythm import onset_strength, tempo, tempo_frequencies, tempogram
from tests.helpers.audio_laws import check_gradients, check_laws, noise
from tests.helpers.compilations import compilations

# 50 frames a second: half a second is 25 frames, and 120 beats a minute a lag of the tempogram.
RATE_HZ, HOP = 25_600, 512
MUSIC = [
    "mir_single_clips/librosa/sir_duke_fast.ogg",
    "mir_single_clips/librosa/sir_duke_slow.ogg",
    "mir_single_clips/madmom/audio/sample.flac",
    "mir_single_clips/jtd/raw/barronk-allgodschildren-drummondrrileyb-1990-8b77c067.flac",
    "emotify/audio/pop/*.opus",
    "emotify/audio/rock/*.opus",
]


def music(data_dir, name, seconds=5):
    """float32: the first seconds, mono, taken as they are for 22,050 Hz; silence behind what is shorter."""
    path = min(data_dir.glob(name))
    x, _ = soundfile.read(path, frames=22_050 * seconds, dtype="float32", always_2d=True, fill_value=0.0)
    return np.ascontiguousarray(x.mean(1))


def clicks(period_s, seconds=8.0, start_s=0.3):
    """float32 at RATE_HZ: 20 ms bursts of noise, one a period."""
    x = np.zeros(int(seconds * RATE_HZ), np.float32)
    burst = noise(512, loudness=0.5) * np.exp(-np.arange(512) / 100).astype(np.float32)
    times = np.arange(start_s, seconds - 0.1, period_s)
    for time in times:
        x[int(time * RATE_HZ) :][:512] += burst
    return x, times


@pytest.mark.parametrize(
    ("ours", "theirs", "tolerance"),
    [
        ({}, {}, 1e-4),
        ({"lag": 2, "max_size": 3}, {"lag": 2, "max_size": 3}, 1e-4),
        ({"max_size": 4, "detrend": True}, {"max_size": 4, "detrend": True}, 1e-4),
        ({"aggregate": "median", "center": False}, {"aggregate": np.median, "center": False}, 1e-3),
        ({"n_fft": 1024, "hop_samples": 256, "n_mels": 64}, {"n_fft": 1024, "hop_length": 256, "n_mels": 64}, 1e-4),
    ],
)
def test_onset_strength_is_librosas(data_dir, ours, theirs, tolerance):
    """In dB: means of 128 mels to 1e-4, medians, which are single mels, to 1e-3."""
    for name in (MUSIC[0], MUSIC[3], "fsdd/audio/0_george_0.flac"):  # a band, a jazz trio, a voice
        x = music(data_dir, name)
        expected = librosa.onset.onset_strength(y=x, sr=22_050, **theirs)
        np.testing.assert_allclose(onset_strength(x, 22_050, **ours), expected, atol=tolerance)


@pytest.mark.parametrize("genre", ["pop", "rock"])
def test_tempo_of_waveforms_is_librosas(data_dir, genre):
    """20 s of each, from samples to beats per minute, nothing shared on the way."""
    x = music(data_dir, f"emotify/audio/{genre}/*.opus", seconds=20)
    expected = librosa.feature.tempo(y=x, sr=22_050)
    np.testing.assert_allclose(tempo(onset_strength(x, 22_050), 22_050), expected[0], rtol=1e-6)


def test_tempogram_is_librosas():
    envelope = np.abs(noise(300, loudness=1.0))
    pieces = {"window_frames": 201, "center": False, "norm": None}
    for options in ({}, pieces, {"window_frames": 64, "window": "hamming"}):
        theirs = {"win_length": options.get("window_frames", 384)} | {
            key: value for key, value in options.items() if key != "window_frames"
        }
        expected = librosa.feature.tempogram(onset_envelope=envelope, **theirs).T
        found = tempogram(envelope, **options)
        np.testing.assert_allclose(found, expected, atol=1e-6 * expected.max())
    expected = librosa.tempo_frequencies(50, hop_length=HOP, sr=RATE_HZ)
    np.testing.assert_allclose(tempo_frequencies(50, RATE_HZ, hop_samples=HOP), expected)


@pytest.mark.parametrize("name", MUSIC)
def test_tempo_beats_and_onsets_of_music_are_librosas(data_dir, name):
    x = music(data_dir, name)
    envelope = librosa.onset.onset_strength(y=x, sr=22_050)
    for options in ({}, {"start_bpm": 90.0, "max_tempo": None}):
        expected = librosa.feature.tempo(onset_envelope=envelope, sr=22_050, **options)
        ours = {"max_tempo_bpm" if key == "max_tempo" else key: value for key, value in options.items()}
        np.testing.assert_allclose(tempo(envelope, 22_050, **ours), expected, rtol=1e-6)
    expected = librosa.feature.tempo(onset_envelope=envelope, sr=22_050, aggregate=None)
    np.testing.assert_allclose(tempo(envelope, 22_050, per_frame=True), expected, rtol=1e-6)
    for options in ({}, {"trim": False, "bpm": 100.0}, {"tightness": 400.0}):
        expected = librosa.beat.beat_track(y=x, sr=22_050, units="time", **options)[1]
        ours = {"tempo_bpm" if key == "bpm" else key: value for key, value in options.items()}
        found = beats.beat_times(x, 22_050, **ours)
        assert len(found) == len(expected) > 0
        np.testing.assert_allclose(found, expected, atol=512 / 22_050 + 1e-9)
    expected = librosa.onset.onset_detect(y=x, sr=22_050, units="time")
    np.testing.assert_allclose(onsets.onset_times(x, 22_050), expected, atol=1e-9)


@pytest.mark.parametrize(("period_s", "bpm"), [(0.5, 120.0), (0.4, 150.0), (0.6, 100.0)])
def test_a_click_track_has_its_tempo_and_beats_at_its_clicks(period_s, bpm):
    x, times = clicks(period_s)
    assert float(tempo(onset_strength(x, RATE_HZ), RATE_HZ)) == bpm
    # A frame is 20 ms. The first click stands so near the start that its onset may be too weak for a beat.
    np.testing.assert_allclose(onsets.onset_times(x, RATE_HZ), times, atol=0.03)
    found = beats.beat_times(x, RATE_HZ)
    assert len(times) - 1 <= len(found) <= len(times)
    np.testing.assert_allclose(found, times[-len(found) :], atol=0.03)


def test_beats_in_a_batch_are_those_of_each_clip():
    """Each clip has its own tempo; jit, leading axes and a tempo of each clip's own change nothing."""
    tracks = [clicks(period)[0] for period in (0.5, 0.4, 0.6)] + [np.zeros(8 * RATE_HZ, np.float32)]
    envelopes = np.asarray(onset_strength(np.stack(tracks), RATE_HZ, aggregate="median"))
    together = jax.jit(lambda envelopes: beats.track(envelopes, RATE_HZ))(envelopes)
    np.testing.assert_allclose(together.tempo_bpm, [120.0, 150.0, 100.0, 0.0])
    assert together.is_beat.dtype == bool and not together.is_beat[3].any()
    for track, is_beat in zip(tracks, np.asarray(together.is_beat), strict=True):
        np.testing.assert_array_equal(np.flatnonzero(is_beat) * (HOP / RATE_HZ), beats.beat_times(track, RATE_HZ))
    known = beats.track(envelopes.reshape(2, 2, -1), RATE_HZ, tempo_bpm=np.float32([[120, 150], [100, 90]]))
    np.testing.assert_array_equal(np.reshape(known.is_beat, together.is_beat.shape), together.is_beat)


@pytest.mark.filterwarnings("ignore:n_fft=")  # of librosa, of short sounds
def test_sounds_shorter_than_the_lag_have_no_onsets():
    for samples in (1, 1024):
        x = noise(samples)
        expected = librosa.onset.onset_strength(y=x, sr=RATE_HZ, lag=3)
        found = onset_strength(x, RATE_HZ, lag=3)
        np.testing.assert_array_equal(found, expected, strict=True)
        assert not np.any(found)
    assert beats.beat_times(noise(100), RATE_HZ).shape == onsets.onset_times(noise(100), RATE_HZ).shape == (0,)
    assert onset_strength(noise(2, 100), RATE_HZ, detrend=True).shape == (2, 1)


def test_a_tempo_is_not_compiled_in():
    """Numbers, NumPy's and JAX's; one program for all tempi, one for all thresholds."""
    x = clicks(0.5)[0][:-7]  # of a length of its own, which nothing was compiled for
    envelope = onset_strength(x, RATE_HZ)
    with compilations() as programs:
        expected = beats.beat_times(x, RATE_HZ, tempo_bpm=100.0)
    assert programs
    onsets.detect(envelope, RATE_HZ, delta=0.5)
    with compilations() as programs:
        for tempo_bpm in (100, np.float64(100.0), jnp.float32(100.0)):
            np.testing.assert_array_equal(beats.beat_times(x, RATE_HZ, tempo_bpm=tempo_bpm), expected)
        assert len(beats.beat_times(x, RATE_HZ, tempo_bpm=jnp.float32(150.0))) != len(expected)
        found = [onsets.detect(envelope, RATE_HZ, delta=delta) for delta in (0.07, jnp.float32(0.07), 0.9)]
    assert not programs
    counts = [int(np.asarray(is_onset).sum()) for is_onset in found]
    assert counts[0] == counts[1] > counts[2]


def test_onsets_at_a_hop_where_frames_round_are_librosas():
    """0.03 s are 5 hops of 48 at 8 kHz, and 0.10 s are 16: by other divisions 4."""
    for rate_hz, hop in ((8000, 48), (16_000, 160), (22_050, 441)):
        envelope = np.abs(noise(400))
        expected = librosa.onset.onset_detect(onset_envelope=envelope, sr=rate_hz, hop_length=hop)
        found = np.flatnonzero(onsets.detect(envelope, rate_hz, hop_samples=hop))
        np.testing.assert_array_equal(found, expected)


def test_a_constant_envelope_has_finite_beats():
    found = beats.track(np.ones(200, np.float32), RATE_HZ, tempo_bpm=120.0)
    assert set(np.diff(np.flatnonzero(found.is_beat))) <= {24, 25}


def test_silence_has_no_onsets_and_no_beats():
    silence = np.zeros(8 * RATE_HZ, np.float32)
    assert not np.any(onset_strength(silence, RATE_HZ))
    assert not np.any(tempogram(np.zeros(100, np.float32)))
    assert np.isfinite(tempo(np.zeros(100, np.float32), RATE_HZ))
    assert beats.beat_times(silence, RATE_HZ).shape == onsets.onset_times(silence, RATE_HZ).shape == (0,)


def test_laws():
    def envelope(x):
        options = {"n_fft": 256, "hop_samples": 128, "n_mels": 8, "max_size": 2, "detrend": True}
        return onset_strength(x, 8000, aggregate="median", **options)

    def tempi(x):
        return tempogram(envelope(x), window_frames=16)

    check_laws(tempi, noise(2, 1500), atol=1e-4)
    check_gradients(tempi, noise(1500))
    check_laws(lambda e: onsets.detect(e, 8000, hop_samples=128).astype(np.float32), np.abs(noise(4, 50)))


def test_refuses(data_dir):
    x = noise(3000)
    with pytest.raises(ValueError, match="aggregate"):
        onset_strength(x, RATE_HZ, aggregate="max")
    with pytest.raises(TypeError, match="onset strength"):
        tempogram(np.ones(100, np.int32))
    with pytest.raises(ValueError, match="max_tempo_bpm"):
        tempo(x[:100], RATE_HZ, max_tempo_bpm=5.0)
    with pytest.raises(ValueError, match="tightness"):
        beats.track(x[:100], RATE_HZ, tightness=0.0)
    with pytest.raises(ValueError, match="tempo_bpm"):
        beats.track(x[:100], RATE_HZ, tempo_bpm=-1.0)
    with pytest.raises(ValueError, match="one recording"):
        beats.beat_times(noise(2, 3000), RATE_HZ)
    with pytest.raises(ValueError, match="delta"):
        onsets.detect(x[:100], RATE_HZ, delta=-0.1)
