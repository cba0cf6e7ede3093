"""Key and beat scores against mir_eval, which is slower and says the same."""

import itertools

import mir_eval
import numpy as np
import pytest

from mu.audio.beats import beat_times
from mu.audio.chroma import chroma_stft
from mu.audio.key import key, key_name
from mu.evals.music import beat_f_measure, event_scores, key_scores, parse_key, summary

KEYS = [
    f"{tonic} {mode}"
    for tonic in ["C", "C#", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"]
    for mode in ("major", "minor")
] + ["X"]


def test_key_scores_are_mir_evals():
    pairs = list(itertools.product(KEYS, KEYS))
    found = key_scores([a for a, _ in pairs], [b for _, b in pairs])
    np.testing.assert_array_equal(found, [mir_eval.key.weighted_score(a, b) for a, b in pairs])
    assert set(found) == {0.0, 0.2, 0.3, 0.5, 1.0}


def test_key_names():
    assert [parse_key(name) for name in ("C major", "b minor", "Cb major", "E# minor", "X")] == [
        (0, 0),
        (11, 1),
        (11, 0),
        (5, 1),
        (-1, -1),
    ]
    assert key_scores([], []).shape == (0,)
    for name in ("H major", "C", "C dorian", "Ebb minor", ""):
        with pytest.raises(ValueError, match="no key"):
            parse_key(name)
    with pytest.raises(ValueError, match="pair off"):
        key_scores(["C major"], [])


def test_event_scores_are_mir_evals():
    generator = np.random.default_rng(0)
    for _ in range(200):
        # Dense enough for one event to have several candidates; hundredths, so that distances equal the window's.
        reference, estimated = (np.sort(generator.integers(0, 200, generator.integers(1, 40)) / 100) for _ in range(2))
        expected = mir_eval.onset.f_measure(reference, estimated, window=0.0501)
        precision, recall, f = event_scores(reference, estimated, window_s=0.0501)
        np.testing.assert_allclose((f, precision, recall), expected)
        assert event_scores(generator.permutation(reference), estimated, window_s=0.0501) == (precision, recall, f)


def test_beat_f_measure_is_mir_evals(data_dir):
    folder = data_dir / "mir_single_clips" / "madmom"
    reference = np.loadtxt(folder / "annotations" / "sample.beats")[:, 0]
    estimated = np.loadtxt(folder / "detections" / "sample.dbn_beat_tracker.txt")
    assert beat_f_measure(reference, estimated, skip_s=0.0) == mir_eval.beat.f_measure(reference, estimated) == 2 / 3
    reference, estimated = reference + 4.0, estimated + 4.0
    trimmed = mir_eval.beat.trim_beats(reference), mir_eval.beat.trim_beats(estimated)
    np.testing.assert_allclose(beat_f_measure(reference, estimated), mir_eval.beat.f_measure(*trimmed))


RATE_HZ = 11_025


def triads(tonic, degrees=(0, 5, 7, 0)):
    """float32: major triads on degrees of a scale, a quarter of a second each."""
    time = np.arange(RATE_HZ // 4) / RATE_HZ
    notes = [[tonic + degree + step for step in (0, 4, 7)] for degree in degrees]
    chords = [sum(np.sin(2 * np.pi * 440 * 2 ** ((n - 9) / 12) * time) for n in chord) for chord in notes]
    return np.concatenate([0.1 * chord * np.hanning(len(time)) for chord in chords]).astype(np.float32)


def test_keys_that_mu_audio_hears_score_as_with_mir_eval():
    """Cadences in their key, and one of chords that lead to another: summed up over recordings."""
    annotated = ["C major", "Eb major", "A minor", "G major", "D major"]
    recordings = [triads(0), triads(3), triads(0), triads(0), triads(2, (0, 7, 2, 7))]
    heard = key(chroma_stft(np.stack(recordings), RATE_HZ, tuning=0.0))
    estimated = [key_name(*pair) for pair in zip(heard.tonic, heard.mode, strict=True)]
    expected = [mir_eval.key.weighted_score(*pair) for pair in zip(annotated, estimated, strict=True)]
    assert expected[:3] == [1.0, 1.0, 0.3] and expected[3] < 1
    mean, low, high = summary(key_scores(annotated, estimated))
    assert mean == np.mean(expected) and min(expected) <= low < mean < high <= max(expected)


def test_beats_that_mu_audio_hears_score_as_with_mir_eval():
    """Clicks at four tempi, of which two annotations are shifted beyond the window at times."""
    scores, expected = [], []
    for number, bpm in enumerate((90.0, 100.0, 120.0, 150.0)):
        truth = np.arange(0.3, 11.8, 60 / bpm)
        x = np.zeros(12 * RATE_HZ, np.float32)
        x[(truth * RATE_HZ).astype(int)[:, None] + np.arange(100)] = 0.5
        annotated = truth + np.where(np.arange(len(truth)) % 4 < number, 0.0, 0.2)
        found = beat_times(x, RATE_HZ, hop_samples=256)
        scores.append(beat_f_measure(annotated, found))
        trimmed = mir_eval.beat.trim_beats(annotated), mir_eval.beat.trim_beats(found)
        expected.append(mir_eval.beat.f_measure(*trimmed))
    np.testing.assert_allclose(scores, expected, atol=1e-12)
    assert max(scores) > 0.6 and min(scores) < 0.2
    mean, low, high = summary(scores)
    np.testing.assert_allclose(mean, np.mean(expected))
    assert low < mean < high and summary(scores) == (mean, low, high) != summary(scores, seed=1)


def test_a_summary_holds_its_mean():
    assert summary([0.5]) == (0.5, 0.5, 0.5)
    scores = np.random.default_rng(0).random(400)
    mean, low, high = summary(scores)
    error = scores.std(ddof=1) / 20
    np.testing.assert_allclose([mean, low, high], scores.mean() + error * np.array([0, -1.96, 1.96]), atol=0.2 * error)
    for wrong in ([], [[1.0]], 0.5):
        with pytest.raises(ValueError, match="scores have shape"):
            summary(wrong)
    with pytest.raises(ValueError, match="not finite"):
        summary([0.5, np.nan])


def test_nothing_scores_nothing():
    assert event_scores([], [1.0]) == event_scores([1.0], []) == event_scores([], []) == (0.0, 0.0, 0.0)
    assert beat_f_measure([1.0, 2.0], [1.0, 2.0]) == 0.0  # both before the fifth second
    with pytest.raises(ValueError, match="estimated_s"):
        event_scores([1.0], [np.nan])
    with pytest.raises(ValueError, match="window_s"):
        event_scores([1.0], [1.0], window_s=-1.0)
