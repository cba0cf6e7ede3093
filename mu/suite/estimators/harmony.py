"""Chords and key: templates of chroma between beats, a Viterbi path of chords, and the key that explains them."""

import dataclasses

import numpy as np

from mu.audio.key import MODES, PROFILES, TONICS
from mu.suite.estimators.features import Features, semitones
from mu.suite.estimators.rhythm import Rhythm

STAY, STAY_AT_DOWNBEAT = 0.85, 0.35
"""Probabilities that the chord goes on after a beat, and after one that is a downbeat."""
SHARPNESS = 14.0
"""Log likelihood of a chord is this times the cosine of its template."""
BASS_WEIGHT = 0.35
OVERTONES = ((0, 1.0), (7, 0.18), (4, 0.06))
"""Pitch classes that a tone adds by its third and fifth harmonics, and how much."""
CHORD_WEIGHT = 6.0
"""Of the fit of chords beside a correlation."""
# How well a triad on a degree fits in a key: (semitones above the tonic, minor) -> weight.
FITS = {
    "major": {
        (0, False): 1.0, (5, False): 0.7, (7, False): 0.8, (9, True): 0.5, (2, True): 0.5, (4, True): 0.35,
        (10, False): 0.1, (5, True): 0.15,
    },
    "minor": {
        (0, True): 1.0, (5, True): 0.7, (7, False): 0.6, (7, True): 0.4, (8, False): 0.5, (10, False): 0.5,
        (3, False): 0.45, (5, False): 0.1,
    },
}  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Chords:
    """Chords of a track.

    Attributes:
      intervals_s: float64 [n, 2], one after the other over the whole track.
      labels: in Harte's syntax, n of them.
      path: int64 [steps], the chord of each beat: 0 to 11 major, 12 to 23 minor.
      chroma: float64 [steps, 12], between beats.
      bass: float64 [steps, 12], of the two lowest octaves.
      times_s: float64 [steps + 1], where steps begin and the last one ends.
    """

    intervals_s: np.ndarray
    labels: tuple[str, ...]
    path: np.ndarray
    chroma: np.ndarray
    bass: np.ndarray
    times_s: np.ndarray


def chords_of(features: Features, rhythm: Rhythm) -> Chords:
    """Major and minor chords, one a beat, changes being likelier at downbeats."""
    times_s = edges(features, rhythm)
    tones = between(semitones(features), features.cqt_frames_of(times_s))
    bass = tones[:, :28].copy()
    bass = np.pad(bass, ((0, 0), (0, 8))).reshape(len(tones), 3, 12).sum(axis=1)
    chroma = tones[:, 24:72].reshape(len(tones), 4, 12).sum(axis=1)
    templates = chord_templates()
    both = _unit(chroma) @ templates.T + BASS_WEIGHT * np.tile(_unit(bass), 2)
    is_downbeat = np.array([np.abs(rhythm.downbeats_s - time).min(initial=1.0) < 0.03 for time in times_s[:-1]])
    stay = np.where(is_downbeat, STAY_AT_DOWNBEAT, STAY)
    path = viterbi(SHARPNESS * both, stay)
    names = [f"{TONICS[chord % 12]}:{'min' if chord >= 12 else 'maj'}" for chord in path.tolist()]
    quiet = np.linalg.norm(chroma, axis=1) < 0.05 * np.median(np.linalg.norm(chroma, axis=1))
    names = ["N" if silent else name for silent, name in zip(quiet, names, strict=True)]
    starts = [0, *(step for step in range(1, len(names)) if names[step] != names[step - 1])]
    ends = [*starts[1:], len(names)]
    intervals = np.array([(times_s[start], times_s[end]) for start, end in zip(starts, ends, strict=True)])
    return Chords(intervals, tuple(names[start] for start in starts), path, chroma, bass, times_s)


def edges(features: Features, rhythm: Rhythm) -> np.ndarray:
    """float64 [steps + 1]: beats, from 0 to the end of the track, no two within 50 ms."""
    inside = rhythm.beats_s[(rhythm.beats_s > 0.05) & (rhythm.beats_s < features.duration_s - 0.05)]
    return np.concatenate([[0.0], inside, [features.duration_s]])


def between(frames: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """float64 [steps, ...]: means of frames from each start to the next, of one frame at least."""
    total = np.cumsum(np.pad(frames, ((1, 0), (0, 0))), axis=0)
    first = np.minimum(starts[:-1], len(frames) - 1)
    last = np.maximum(starts[1:], first + 1)
    return (total[last] - total[first]) / (last - first)[:, None]


def chord_templates() -> np.ndarray:
    """float64 [24, 12] of length 1: root, third and fifth with their overtones; major chords, then minor ones."""
    tone = np.zeros(12)
    for above, weight in OVERTONES:
        tone[above] += weight
    rows = [
        sum(weight * np.roll(tone, root + above) for above, weight in ((0, 1.0), (third, 0.9), (7, 0.9)))
        for third in (4, 3)
        for root in range(12)
    ]
    return _unit(np.array(rows))


def viterbi(scores: np.ndarray, stay: np.ndarray) -> np.ndarray:
    """int64 [T]: the likeliest path of states, all changes alike.

    Args:
      scores: float64 [T, S], log likelihoods.
      stay: float64 [T], probability that the state at t is the one before.
    """
    steps, states = scores.shape
    best, before = scores[0].copy(), np.zeros((steps, states), np.int64)
    for step in range(1, steps):
        going_on = best + np.log(stay[step])
        changing = best.max() + np.log((1 - stay[step]) / (states - 1))
        before[step] = np.where(going_on >= changing, np.arange(states), best.argmax())
        best = np.maximum(going_on, changing) + scores[step]
    path = [int(best.argmax())]
    for step in range(steps - 1, 0, -1):
        path.append(int(before[step, path[-1]]))
    return np.array(path[::-1])


def key_of(chords: Chords) -> str:
    """Such as 'Eb minor': the key whose profile and whose chords fit best."""
    scores = key_scores(chords)
    best = int(scores.argmax())
    return f"{TONICS[best % 12]} {MODES[best // 12]}"


def key_scores(chords: Chords) -> np.ndarray:
    """float64 [24], major keys from C, then minor ones: correlation with a profile, and the fit of the chords."""
    lengths = np.diff(chords.times_s)
    mean = (chords.chroma * lengths[:, None]).sum(axis=0)
    profiles = PROFILES["albrecht-shanahan"]
    correlations = np.array(
        [np.corrcoef(mean, np.roll(profile, tonic))[0, 1] for profile in profiles for tonic in range(12)]
    )
    share = np.bincount(chords.path, lengths, minlength=24) / lengths.sum()
    fits = np.zeros(24)
    for key in range(24):
        tonic, mode = key % 12, MODES[key // 12]
        for chord in range(24):
            fits[key] += share[chord] * FITS[mode].get(((chord - tonic) % 12, chord >= 12), 0.0)
    return correlations + CHORD_WEIGHT * fits


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)
