"""Onsets of all parts: peaks of the onset strength (Boeck, Krebs & Schedl, ISMIR 2012)."""

import numpy as np

from mu.suite.estimators.features import Features, smoothed

DELTA = 0.35
"""Deviations that a peak stands above the mean about it."""
NEAR_S, FAR_S = 0.03, 0.1
EARLY_S = 0.012
"""Rises are seen this much after a note has begun."""


def onsets_of(features: Features) -> np.ndarray:
    """float64 [n]: onsets in seconds, ascending."""
    strength = features.onsets[:, 0].astype(np.float64)
    near, far = max(round(NEAR_S / features.hop_s), 1), round(FAR_S / features.hop_s)
    padded = np.pad(strength, near, mode="edge")
    largest = np.max([padded[shift : shift + len(strength)] for shift in range(2 * near + 1)], axis=0)
    peaks = np.flatnonzero((strength >= largest) & (strength >= smoothed(strength, far) + DELTA))
    kept: list[int] = []
    for frame in peaks.tolist():
        if not kept or frame - kept[-1] > near:
            kept.append(frame)
    return np.maximum(np.array(kept, float) * features.hop_s - EARLY_S, 0.0)
