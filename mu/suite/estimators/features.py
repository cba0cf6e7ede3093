"""What the estimators of a track share: onset strengths in three bands, constant-Q magnitudes, and chroma of them."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from mu.audio.cqt import C1_HZ, cqt
from mu.audio.mel import log_mel
from mu.audio.mel_filters import hz_to_mel, mel_to_hz
from mu.audio.pitch import estimate_tuning

SAMPLE_RATE_HZ = 22_050
HOP_SAMPLES, CQT_HOP_SAMPLES = 256, 512
BINS_PER_SEMITONE, OCTAVES = 3, 7
N_MELS, LOWEST_HZ, HIGHEST_HZ = 96, 30.0, 10_000.0
LOW_HZ, HIGH_HZ = 180.0, 4000.0
"""Edges of the bands of onsets: kick and bass below, cymbals above."""
FLUX_LAG = 2
"""Frames between what is compared (SuperFlux)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Features:
    """Frames of one track.

    Attributes:
      duration_s: of the track.
      hop_s: of onsets and mels.
      mels_db: float32 [F, 96], log-mel, 70 dB deep.
      onsets: float32 [F, 4], rises of log-mel: all bands, low, middle, high; less their mean about
        them, in deviations.
      cqt_hop_s: of `cqt` and `chroma`.
      cqt: float32 [G, 252], magnitudes of 36 bins an octave from C1, moved to the track's tuning.
      tuning: in semitones above A4 = 440 Hz.
    """

    duration_s: float
    hop_s: float
    mels_db: np.ndarray
    onsets: np.ndarray
    cqt_hop_s: float
    cqt: np.ndarray
    tuning: float

    def frames_of(self, times_s: np.ndarray) -> np.ndarray:
        """int64 [n]: the nearest frames of `onsets`."""
        return np.clip(np.rint(times_s / self.hop_s).astype(np.int64), 0, len(self.onsets) - 1)

    def cqt_frames_of(self, times_s: np.ndarray) -> np.ndarray:
        """int64 [n]: the nearest frames of `cqt`."""
        return np.clip(np.rint(times_s / self.cqt_hop_s).astype(np.int64), 0, len(self.cqt))


def features_of(audio: np.ndarray) -> Features:
    """The features of float32 [N] at 22,050 Hz.

    Raises:
      ValueError: it is shorter than two seconds, or silent.
    """
    if len(audio) < 2 * SAMPLE_RATE_HZ or not np.any(audio):
        raise ValueError(f"{len(audio)} samples at {SAMPLE_RATE_HZ} Hz: it takes 2 s of sound that is not silence")
    x = jnp.asarray(audio, jnp.float32)
    mels = log_mel(
        x, SAMPLE_RATE_HZ, n_fft=1024, hop_samples=HOP_SAMPLES, n_mels=N_MELS, fmin_hz=LOWEST_HZ, fmax_hz=HIGHEST_HZ,
        top_db=70.0,
    )  # fmt: skip
    mels_db, tuning = np.asarray(mels), estimate_tuning(x, SAMPLE_RATE_HZ)
    bins = 12 * BINS_PER_SEMITONE
    transform = cqt(
        x, SAMPLE_RATE_HZ, hop_samples=CQT_HOP_SAMPLES, n_bins=OCTAVES * bins, bins_per_octave=bins,
        fmin_hz=C1_HZ, tuning=tuning * BINS_PER_SEMITONE,
    )  # fmt: skip
    return Features(
        duration_s=len(audio) / SAMPLE_RATE_HZ,
        hop_s=HOP_SAMPLES / SAMPLE_RATE_HZ,
        mels_db=mels_db,
        onsets=onset_strengths(mels_db),
        cqt_hop_s=CQT_HOP_SAMPLES / SAMPLE_RATE_HZ,
        cqt=np.abs(np.asarray(transform)),
        tuning=float(tuning),
    )


def onset_strengths(mels_db: np.ndarray) -> np.ndarray:
    """float32 [F, 4]: rises of log-mel summed over all, low, middle and high mels, less a mean over 1 s, in deviations.

    A rise is over the largest of three neighbouring mels two frames before (SuperFlux, Boeck & Widmer, DAFx 2013).
    """
    padded = np.pad(mels_db, ((0, 0), (1, 1)), mode="edge")
    widest = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    rises = np.zeros_like(mels_db)
    rises[FLUX_LAG:] = np.maximum(mels_db[FLUX_LAG:] - widest[:-FLUX_LAG], 0)
    lowest, highest = float(hz_to_mel(LOWEST_HZ)), float(hz_to_mel(HIGHEST_HZ))
    hertz = mel_to_hz(np.linspace(lowest, highest, N_MELS + 2))[1:-1]
    bands = (hertz > 0, hertz < LOW_HZ, (hertz >= LOW_HZ) & (hertz < HIGH_HZ), hertz >= HIGH_HZ)
    strengths = np.stack([rises[:, band].mean(axis=1) for band in bands], axis=1)
    around = smoothed(strengths, round(0.5 * SAMPLE_RATE_HZ / HOP_SAMPLES))
    strengths = strengths - around
    return (strengths / (strengths.std(axis=0) + 1e-6)).astype(np.float32)


def smoothed(x: np.ndarray, reach: int) -> np.ndarray:
    """[F, ...]: means over frames - reach .. + reach, as far as there are frames."""
    total = np.cumsum(np.pad(x.astype(np.float64), ((1, 0), *((0, 0),) * (x.ndim - 1))), axis=0)
    frame = np.arange(len(x))
    first, last = np.maximum(frame - reach, 0), np.minimum(frame + reach + 1, len(x))
    return (total[last] - total[first]) / (last - first).reshape(-1, *(1,) * (x.ndim - 1))


def semitones(features: Features) -> np.ndarray:
    """float64 [G, 84]: log-compressed magnitudes of each semitone from C1, of its three bins the middle ones most."""
    bins = features.cqt.astype(np.float64)
    rolled = np.pad(bins, ((0, 0), (1, 1)))
    weighted = 0.25 * rolled[:, :-2] + 0.5 * rolled[:, 1:-1] + 0.25 * rolled[:, 2:]
    middle = weighted[:, ::BINS_PER_SEMITONE]
    middle = np.maximum(middle - 0.5 * _around(middle, 6), 0)  # what noise and drums have everywhere
    reference = np.percentile(middle.max(axis=1), 90) + 1e-9
    return np.log1p(100 * middle / reference)


def _around(x: np.ndarray, reach: int) -> np.ndarray:
    """Means over neighbouring columns."""
    return smoothed(x.T, reach).T
