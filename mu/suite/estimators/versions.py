"""Versions of the same work: local alignment of chroma between beats, at the likeliest transpositions.

After Serra, Serra & Andrzejak (New Journal of Physics 11, 2009; Qmax) and Serra, Gomez & Herrera (MIRUM 2010; optimal
transposition index): a pair scores what the best aligned passage gains.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mu.suite.estimators.features import Features, semitones
from mu.suite.estimators.harmony import Chords, between

MEMORY = 4
"""Steps that are compared together."""
THRESHOLD = 0.62
"""Cosine from which a step gains."""
GAP = 0.25
"""Cost of a step that one of the two skips."""
TRANSPOSITIONS = 2
"""The likeliest are tried."""
MELODY_WEIGHT = 0.7


@dataclasses.dataclass(frozen=True, eq=False)
class Signature:
    """What of a track is compared.

    Attributes:
      steps: float64 [T, 2, 12], chroma of harmony and of melody between beats, centred.
      profile: float64 [12], of the whole track.
    """

    steps: np.ndarray
    profile: np.ndarray


def signature_of(features: Features, chords: Chords, melody: tuple[np.ndarray, np.ndarray]) -> Signature:
    """The signature of a track from its beats and its melody."""
    times_s = chords.times_s
    tones = between(semitones(features), features.cqt_frames_of(times_s))
    harmony = tones[:, 12:72].reshape(len(tones), 5, 12).sum(axis=1)
    melody_times_s, hertz = melody
    sung = np.zeros((len(hertz), 12))
    voiced = hertz > 0
    midi = np.rint(69 + 12 * np.log2(np.abs(hertz) / 440) - features.tuning).astype(int)
    sung[np.flatnonzero(voiced), midi[voiced] % 12] = 1.0
    frames = np.searchsorted(melody_times_s, times_s)
    parts = np.stack([_unit(harmony), MELODY_WEIGHT * _unit(between(sung, frames))], axis=1)
    return Signature(parts - parts.mean(axis=2, keepdims=True), harmony.mean(axis=0) - harmony.mean())


def similarities(signatures: Sequence[Signature]) -> np.ndarray:
    """float64 [n, n]: how well the best passage of each pair aligns, symmetric; -inf of a track with itself."""
    n = len(signatures)
    out = np.full((n, n), -np.inf)
    embedded = [_embedded(one.steps) for one in signatures]
    longest = max(len(one) for one in embedded)
    for first in range(n - 1):
        others = range(first + 1, n)
        matrices, owners = [], []
        for second in others:
            for shift in _transpositions(signatures[first].profile, signatures[second].profile):
                turned = np.roll(embedded[second], shift, axis=-1)
                cosines = _flat(embedded[first]) @ _flat(turned).T
                padded = np.full((len(embedded[first]), longest), -1.0)
                padded[:, : cosines.shape[1]] = cosines
                matrices.append(padded)
                owners.append(second)
        gains = aligned(np.stack(matrices) - THRESHOLD)
        for gain, second in zip(gains.tolist(), owners, strict=True):
            length = np.sqrt(len(embedded[first]) * len(embedded[second]))
            value = max(out[first, second], gain / length)
            out[first, second] = out[second, first] = value
    return out


def _embedded(steps: np.ndarray) -> np.ndarray:
    """float64 [T - MEMORY + 1, MEMORY, 2, 12], each of length 1."""
    count = max(len(steps) - MEMORY + 1, 1)
    rows = [steps[np.minimum(np.arange(count) + late, len(steps) - 1)] for late in range(MEMORY)]
    stacked = np.stack(rows, axis=1)
    return stacked / np.maximum(np.sqrt((stacked**2).sum(axis=(1, 2, 3), keepdims=True)), 1e-9)


def _flat(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), -1)


def _transpositions(a: np.ndarray, b: np.ndarray) -> list[int]:
    """How many semitones the second is moved up, the likeliest first."""
    scores = [float(a @ np.roll(b, shift)) for shift in range(12)]
    return np.argsort(scores)[::-1][:TRANSPOSITIONS].tolist()


def aligned(gains: np.ndarray) -> np.ndarray:
    """float64 [P]: the largest sum along a path of steps (1, 1), (1, 2) and (2, 1) in each of [P, n, m] (Smith &
    Waterman, 1981)."""
    pairs, n, m = gains.shape
    best = np.zeros(pairs)
    scores = np.zeros((n + 2, m + 2, pairs))
    turned = np.ascontiguousarray(gains.transpose(1, 2, 0))
    for i in range(n):
        # A row depends on the two rows before it alone.
        past = np.maximum(scores[i + 1, 1:-1], np.maximum(scores[i, 1:-1], scores[i + 1, :-2]) - GAP)
        row = np.maximum(past + turned[i], 0)
        scores[i + 2, 2:] = row
        best = np.maximum(best, row.max(axis=0))
    return best


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)
