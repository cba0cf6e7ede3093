"""Scores of musical estimates, one number a recording: the weighted score of keys, the F-measure of beats and onsets.

As MIREX defines them and mir_eval computes them (Raffel et al., ISMIR 2014). `summary` is their mean with an interval;
for comparisons, `mu.evals.intervals.sign_flip_test` takes differences recording by recording.

    keys = [key_name(*key(chroma_stft(x, rate))[:2]) for x in recordings]       # mu.audio.key, mu.audio.chroma
    mean, low, high = summary(key_scores(annotated_keys, keys))
    f = [beat_f_measure(known, beat_times(x, rate)) for known, x in zip(annotated_beats_s, recordings)]
    mean, low, high = summary(f)                                                # mu.audio.beats
"""

import re
from collections.abc import Sequence

import numpy as np

from mu.evals.intervals import bootstrap

UNKNOWN_KEY = "X"
_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_MODES = ("major", "minor")


def key_scores(reference: Sequence[str], estimated: Sequence[str]) -> np.ndarray:
    """MIREX' weighted score of each estimated key.

    1 for the key itself, .5 a perfect fifth above the reference in the same mode, .3 its relative minor or major, .2
    its parallel, the same tonic in the other mode, and 0 for all else.

    Args:
      reference, estimated: keys by name, 'C major', 'Eb minor', 'f# minor', or 'X' for music without one, which only
        'X' gets right.

    Returns:
      float64 [recordings].

    Raises:
      ValueError: lists of different lengths, or a name that is no key.
    """
    if len(reference) != len(estimated):
        raise ValueError(f"{len(reference)} reference keys and {len(estimated)} estimated: they must pair off")
    expected, found = (np.array([parse_key(name) for name in names]).reshape(-1, 2) for names in (reference, estimated))
    interval = (found[:, 0] - expected[:, 0]) % 12
    same_mode = found[:, 1] == expected[:, 1]
    relative = np.where(expected[:, 1] == 0, 9, 3)
    known = (expected[:, 0] >= 0) & (found[:, 0] >= 0)
    score = np.select(
        [same_mode & (interval == 0), same_mode & (interval == 7), ~same_mode & (interval == relative), interval == 0],
        [1.0, 0.5, 0.3, 0.2],
        0.0,
    )
    return np.where(known, score, (expected == found).all(1).astype(np.float64))


def parse_key(name: str) -> tuple[int, int]:
    """(tonic 0..11 with C = 0, mode 0 major or 1 minor) of 'Eb minor'; (-1, -1) of 'X'."""
    if name.strip().upper() == UNKNOWN_KEY:
        return -1, -1
    parts = re.fullmatch(r"\s*([A-Ga-g])(#|b)?\s+(major|minor)\s*", name)
    if parts is None:
        raise ValueError(f"{name!r} is no key: a tonic A..G, # or b, then major or minor ('Eb minor'), or 'X' for none")
    tonic, accidental, mode = parts.groups()
    return (_SEMITONES[tonic.lower()] + {"#": 1, "b": -1, None: 0}[accidental]) % 12, _MODES.index(mode)


def event_scores(
    reference_s: np.ndarray, estimated_s: np.ndarray, *, window_s: float = 0.05
) -> tuple[float, float, float]:
    """Precision, recall and F-measure of estimated events, each matched to at most one reference within `window_s`.

    The matching is a largest one. For events on a line the greedy choice finds it: the earliest open estimate and the
    earliest open reference either match, or the earlier of the two matches nothing that is left.

    Args:
      reference_s, estimated_s: float [events], seconds, in any order.
      window_s: the largest distance of a match; .05 is usual for onsets, .07 for beats.

    Returns:
      (precision, recall, 2 P R / (P + R)). Without reference and without estimate alike, nothing is to be found and
      nothing is wrong, yet by convention all three are 0.
    """
    reference, estimated = _events(reference_s, "reference_s"), _events(estimated_s, "estimated_s")
    if window_s < 0:
        raise ValueError(f"window_s={window_s} must not be negative")
    matches = at = 0
    for time in estimated:
        while at < len(reference) and reference[at] < time - window_s:
            at += 1
        if at < len(reference) and reference[at] <= time + window_s:
            matches += 1
            at += 1
    if not matches:
        return 0.0, 0.0, 0.0
    precision, recall = matches / len(estimated), matches / len(reference)
    return precision, recall, 2 * precision * recall / (precision + recall)


def beat_f_measure(
    reference_s: np.ndarray, estimated_s: np.ndarray, *, window_s: float = 0.07, skip_s: float = 5.0
) -> float:
    """The F-measure of beats within 70 ms, those of the first 5 seconds left out of both (MIREX; Dixon 2007).

    `mir_eval.beat.f_measure` after `mir_eval.beat.trim_beats`.
    """
    reference, estimated = _events(reference_s, "reference_s"), _events(estimated_s, "estimated_s")
    return event_scores(reference[reference >= skip_s], estimated[estimated >= skip_s], window_s=window_s)[2]


def summary(
    scores: Sequence[float] | np.ndarray, *, samples: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[float, float, float]:
    """(mean, low, high) of one score a recording, recordings drawn again (`intervals.bootstrap`).

    Args:
      scores: float [recordings], of `key_scores`, `beat_f_measure` or `event_scores`. Where several are of one
        recording, give their mean: what is drawn should be independent.
      samples, seed, level: of the percentile bootstrap.

    Raises:
      ValueError: no scores, not one axis of them, or one that is not finite.
    """
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 1 or not len(scores):
        raise ValueError(f"scores have shape {scores.shape}: give one of each recording, and at least one")
    low, high = bootstrap(scores[:, None], samples, seed, level)
    return float(scores.mean()), float(low[0]), float(high[0])


def _events(times: np.ndarray, name: str) -> np.ndarray:
    times = np.asarray(times, np.float64)
    if times.ndim != 1 or not np.isfinite(times).all():
        raise ValueError(f"{name} must be finite seconds in one dimension; got shape {times.shape}")
    return np.sort(times)
