"""Keys and beats that `mu.audio` estimates, scored by mir_eval, with intervals over recordings."""

import mir_eval
import numpy as np

from mu.audio.beats import beat_times
from mu.audio.chroma import chroma_stft
from mu.audio.key import key, key_name
from mu.evals.intervals import bootstrap

RATE_HZ = 11_025


def triads(tonic, degrees=(0, 5, 7, 0)):
    """float32: major triads on degrees of a scale, a quarter of a second each."""
    time = np.arange(RATE_HZ // 4) / RATE_HZ
    notes = [[tonic + degree + step for step in (0, 4, 7)] for degree in degrees]
    chords = [sum(np.sin(2 * np.pi * 440 * 2 ** ((n - 9) / 12) * time) for n in chord) for chord in notes]
    return np.concatenate([0.1 * chord * np.hanning(len(time)) for chord in chords]).astype(np.float32)


def test_estimated_keys_score_as_expected():
    """Cadences in their key, one annotated with the relative minor, and one of chords that lead to another key."""
    annotated = ["C major", "Eb major", "A minor", "G major", "D major"]
    recordings = [triads(0), triads(3), triads(0), triads(0), triads(2, (0, 7, 2, 7))]
    estimates = key(chroma_stft(np.stack(recordings), RATE_HZ, tuning=0.0))
    names = [key_name(*pair) for pair in zip(estimates.tonic, estimates.mode, strict=True)]
    scores = np.array([mir_eval.key.weighted_score(*pair) for pair in zip(annotated, names, strict=True)])
    assert scores[:3].tolist() == [1.0, 1.0, 0.3] and scores[3] < 1
    (low,), (high,) = bootstrap(scores[:, None], 1000, 0)
    assert scores.min() <= low < scores.mean() < high <= scores.max()


def test_estimated_beats_score_as_expected():
    """Clicks at four tempi; in three, more and more of the annotated beats are shifted beyond the window."""
    scores = []
    for number, bpm in enumerate((90.0, 100.0, 120.0, 150.0)):
        truth = np.arange(0.3, 11.8, 60 / bpm)
        x = np.zeros(12 * RATE_HZ, np.float32)
        x[(truth * RATE_HZ).astype(int)[:, None] + np.arange(100)] = 0.5
        annotated = truth + np.where(np.arange(len(truth)) % 4 < number, 0.0, 0.2)
        estimated = beat_times(x, RATE_HZ, hop_samples=256)
        trimmed = mir_eval.beat.trim_beats(annotated), mir_eval.beat.trim_beats(estimated)
        scores.append(mir_eval.beat.f_measure(*trimmed))
    assert max(scores) > 0.6 and min(scores) < 0.2
    (low,), (high,) = bootstrap(np.array(scores)[:, None], 1000, 0)
    assert low < np.mean(scores) < high
