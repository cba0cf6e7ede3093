"""The melody: a path of greatest salience, each pitch's harmonics summed (Salamon & Gomez, TASLP 20(6), 2012)."""

import numpy as np

from mu.suite.estimators.features import BINS_PER_SEMITONE, Features, smoothed

LOWEST_MIDI, HIGHEST_MIDI = 50, 96
C1_MIDI = 24
HARMONICS = 8
DECAY = 0.75
"""Weight of each harmonic relative to the one before."""
JUMP, FAR = 0.035, 1.0
"""Cost of a bin between frames, and the most that a leap costs, in saliences."""
COMPRESSION, FLOOR = 0.5, 0.8
"""Power of the magnitudes, and how much of the mean about them is taken away."""
VOICED = 0.75
"""Share of the path's typical salience below which there is no melody."""
REGISTER = 0.06
"""Weight of height: melodies lie above their accompaniment."""


def melody_of(features: Features) -> tuple[np.ndarray, np.ndarray]:
    """(times_s, hertz), float64 [G] each; hertz is negative where the pitch is a guess and no melody sounds."""
    salience = saliences(features)
    path = _path(salience)
    frames = np.arange(len(path))
    strength = smoothed(salience[frames, path], 2)
    typical = np.percentile(strength, 75)
    at = np.clip(path, 1, salience.shape[1] - 2)
    below, here, above = (salience[frames, at + side] for side in (-1, 0, 1))
    curvature = below + above - 2 * here
    shift = np.where(np.abs(curvature) > 1e-9, (below - above) / (2 * np.where(curvature == 0, 1, curvature)), 0)
    midi = LOWEST_MIDI + (at + np.clip(shift, -0.5, 0.5)) / BINS_PER_SEMITONE + features.tuning
    hertz = 440 * 2 ** ((midi - 69) / 12)
    return frames * features.cqt_hop_s, np.where(strength > VOICED * typical, hertz, -hertz)


def saliences(features: Features) -> np.ndarray:
    """float64 [G, B]: weighted sums of the compressed magnitudes at the harmonics of each pitch, three a semitone."""
    magnitude = features.cqt.astype(np.float64) ** COMPRESSION
    magnitude = np.maximum(magnitude - FLOOR * smoothed(magnitude.T, 9).T, 0)
    bins = np.arange((HIGHEST_MIDI - LOWEST_MIDI) * BINS_PER_SEMITONE)
    out = np.zeros((len(magnitude), len(bins)))
    for harmonic in range(1, HARMONICS + 1):
        place = (LOWEST_MIDI - C1_MIDI) * BINS_PER_SEMITONE + bins
        place = place + round(12 * BINS_PER_SEMITONE * np.log2(harmonic))
        inside = place < magnitude.shape[1]
        out[:, inside] += DECAY ** (harmonic - 1) * magnitude[:, place[inside]]
    out = out / (np.percentile(out.max(axis=1), 75) + 1e-9)
    return out * (1 + REGISTER * bins / BINS_PER_SEMITONE)


def _path(salience: np.ndarray) -> np.ndarray:
    """int64 [G]: the bins of the path whose salience less its leaps is greatest."""
    frames, bins = salience.shape
    reach = int(FAR / JUMP)
    best, before = salience[0].copy(), np.zeros((frames, bins), np.int64)
    steps = np.arange(-reach, reach + 1)
    cost = JUMP * np.abs(steps)
    far = FAR
    for frame in range(1, frames):
        padded = np.pad(best, reach, constant_values=-np.inf)
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1) - cost
        near = windows.argmax(axis=1)
        near_score = windows[np.arange(bins), near]
        highest = int(best.argmax())
        leap = best[highest] - far
        before[frame] = np.where(near_score >= leap, np.arange(bins) + near - reach, highest)
        best = np.maximum(near_score, leap) + salience[frame]
    path = [int(best.argmax())]
    for frame in range(frames - 1, 0, -1):
        path.append(int(before[frame, path[-1]]))
    return np.array(path[::-1])
