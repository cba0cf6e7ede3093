"""Section boundaries: peaks of novelty on the bars of a self-similarity matrix (Foote, ICME 2000)."""

import numpy as np

from mu.suite.estimators.features import Features, semitones
from mu.suite.estimators.harmony import between
from mu.suite.estimators.rhythm import Rhythm

KERNEL_BARS = 2
"""Bars on either side of a boundary that are compared."""
LEAST_BARS = 3
"""Between boundaries."""
DELTA = -0.5
"""How far a boundary stands above the mean novelty of bars, in deviations."""
CHROMA_WEIGHT = 0.75


def boundaries_of(features: Features, rhythm: Rhythm) -> np.ndarray:
    """float64 [n]: boundaries in seconds with 0 and the end; downbeats lie between."""
    bars = rhythm.downbeats_s[(rhythm.downbeats_s > 0.5) & (rhythm.downbeats_s < features.duration_s - 0.5)]
    ends = np.array([0.0, features.duration_s])
    if len(bars) < 4:
        return ends
    novelty = _novelty(features, bars)
    chosen: list[int] = []
    threshold = novelty.mean() + DELTA * novelty.std()
    for bar in np.argsort(-novelty).tolist():
        if novelty[bar] < threshold:
            break
        if all(abs(bar - other) >= LEAST_BARS for other in chosen):
            chosen.append(bar)
    return np.sort(np.concatenate([ends, bars[chosen]]))


def _novelty(features: Features, bars: np.ndarray) -> np.ndarray:
    """float64 [bars]: how much what follows a bar line differs from what is before it."""
    times_s = np.concatenate([[0.0], bars, [features.duration_s]])
    mels = between(features.mels_db.astype(np.float64), features.frames_of(times_s))
    chroma_frames = semitones(features)[:, 12:72]
    chroma = between(chroma_frames, features.cqt_frames_of(times_s))
    mels = (mels - mels.mean(axis=0)) / (mels.std() + 1e-9)
    chroma = (chroma - chroma.mean(axis=0)) / (chroma.std() + 1e-9)
    novelty = np.zeros(len(bars))
    for at in range(1, len(times_s) - 1):
        first, last = max(at - KERNEL_BARS, 0), min(at + KERNEL_BARS, len(times_s) - 1)
        for x, weight in ((mels, 1 - CHROMA_WEIGHT), (chroma, CHROMA_WEIGHT)):
            before, after = x[first:at].mean(axis=0), x[at:last].mean(axis=0)
            sizes = 1 / (1 / (at - first) + 1 / (last - at))
            novelty[at - 1] += weight * sizes * float(np.mean((after - before) ** 2))
    return novelty
