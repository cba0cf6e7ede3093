"""The filters of the constant-Q and variable-Q transforms of `mu.audio.cqt`, and at what rate each octave of them
works.

Shapes: K bins, T samples of an octave's frame, B bins of an octave, J half-band filters' taps. All NumPy float64.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from mu.audio.windows import window as named_window

C1_HZ = 440.0 * 2.0 ** (-45 / 12)
# A rate is halved where the octave's filters end below this share of the new Nyquist frequency, and the half-band
# filter lets through less than -100 dB of what would fold into them.
_USED_BAND, _STOP_DB = 0.8, 100.0


def cqt_frequencies(
    n_bins: int = 84, *, fmin_hz: float = C1_HZ, bins_per_octave: int = 12, tuning: float = 0.0
) -> np.ndarray:
    """f_k = fmin_hz 2^((k + tuning) / bins_per_octave). float64 [K]."""
    return fmin_hz * 2.0 ** ((np.arange(n_bins) + tuning) / bins_per_octave)


class Design(NamedTuple):
    """The parameters of the filters, see `cqt.vqt`: hashable, hence static under jit."""

    sample_rate_hz: float
    hop_samples: int
    fmin_hz: float
    n_bins: int
    bins_per_octave: int
    tuning: float
    gamma_hz: float | None
    filter_scale: float
    window: str | tuple[str, float]
    scale: bool


class Octave(NamedTuple):
    """The filters of one octave.

    Attributes:
      halvings: float64 [J] half-band filters, one for each halving of the rate before this octave.
      weights: float64 [T, B], s_k w_k(n) / sum_n w_k(n), n from -T / 2.
      cycles: float64 [T, B], f_k n / rate: how far the carriers have turned.
    """

    halvings: tuple[np.ndarray, ...]
    weights: np.ndarray
    cycles: np.ndarray


class Plan(NamedTuple):
    """The octaves, the highest first, and the padding at either end in samples, a multiple of all rates' steps."""

    octaves: tuple[Octave, ...]
    padding: int


@functools.lru_cache(maxsize=32)
def plan_octaves(design: Design) -> Plan:
    """The filters of a design, or a ValueError that says why there are none."""
    frequencies_hz, lengths, ends_hz = _bins(design)
    nyquist_hz = design.sample_rate_hz / 2
    # librosa's rates: one halving an octave while the hop is even, and some before the first where all octaves leave
    # room. Window lengths are rounded to samples of these rates, so they are part of the definition.
    octaves = -(-design.n_bins // design.bins_per_octave)
    even = (design.hop_samples & -design.hop_samples).bit_length() - 1
    early = max(min(math.ceil(math.log2(nyquist_hz / ends_hz[-1])) - 2, even - octaves + 1), 0)
    plan, halved, ringing, padding = [], 0, 0, 0
    for octave in range(octaves):
        end = design.n_bins - octave * design.bins_per_octave
        bins = slice(max(end - design.bins_per_octave, 0), end)
        halvings = []
        while halved < min(early + octave, even) and 2 * ends_hz[bins][-1] <= _USED_BAND * nyquist_hz:
            nyquist_hz /= 2
            halved += 1
            halvings.append(_half_band(ends_hz[bins][-1] / nyquist_hz))
            ringing += len(halvings[-1]) << halved
        heights = np.sqrt(lengths[bins]) if design.scale else lengths[bins]
        weights = heights * _windows(lengths[bins] / 2**halved, design.window)
        half = len(weights) // 2
        cycles = np.arange(-half, half)[:, None] * frequencies_hz[bins] / (2 * nyquist_hz)
        plan.append(Octave(tuple(halvings), weights, cycles))
        padding = max(padding, (half << halved) + ringing)
    return Plan(tuple(plan), -(-padding >> halved) << halved)


def _bins(design: Design) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each bin's frequency, the length of its window in samples at full rate, and where its band ends. float64 [K]."""
    for name in ("sample_rate_hz", "fmin_hz", "filter_scale"):
        if getattr(design, name) <= 0:
            raise ValueError(f"{name}={getattr(design, name)} must be positive")
    step = 2.0 ** (2 / design.bins_per_octave)
    alpha = (step - 1) / (step + 1)
    gamma_hz = alpha * 24.7 / 0.108 if design.gamma_hz is None else design.gamma_hz
    if gamma_hz < 0:
        raise ValueError(f"gamma_hz={gamma_hz} must not be negative")
    frequencies_hz = cqt_frequencies(
        design.n_bins, fmin_hz=design.fmin_hz, bins_per_octave=design.bins_per_octave, tuning=design.tuning
    )
    quality = design.filter_scale / alpha
    lengths = quality * design.sample_rate_hz / (frequencies_hz + gamma_hz / alpha)
    shape = named_window(design.window, 1000)
    noise_bandwidth = len(shape) * np.sum(shape**2) / np.sum(shape) ** 2
    ends_hz = frequencies_hz * (1 + 0.5 * noise_bandwidth / quality) + 0.5 * gamma_hz
    if ends_hz[-1] > design.sample_rate_hz / 2:
        raise ValueError(
            f"the highest of n_bins={design.n_bins} filters, at {frequencies_hz[-1]:.1f} Hz, reaches to "
            f"{ends_hz[-1]:.1f} Hz, beyond half of sample_rate_hz={design.sample_rate_hz}: take fewer bins or a lower "
            f"fmin_hz (now {design.fmin_hz:.1f})"
        )
    return frequencies_hz, lengths, ends_hz


def _windows(lengths: np.ndarray, window: str | tuple[str, float]) -> np.ndarray:
    """Windows of about these lengths, the longest first, side by side about sample T / 2; each sums to 1. [T, B]."""
    half = math.ceil(lengths[0] / 2) + 1
    out = np.zeros((2 * half, len(lengths)))
    for k, length in enumerate(lengths):
        # As in librosa, sample n of a window stands at ceil(length / 2) - n: one that cannot be centred leads.
        shape = named_window(window, math.floor(length / 2) + math.ceil(length / 2))
        last = half + math.ceil(length / 2)
        out[last - len(shape) + 1 : last + 1, k] = shape[::-1] / np.abs(shape).sum()
    return out


def _half_band(used: float) -> np.ndarray:
    """h[1], h[3], ..., h[2 J - 1] of a low-pass with h[0] = 1/2, h[-n] = h[n] and all other even taps 0.

    Args:
      used: the share of the new Nyquist frequency that must stay as it is, and free of what folds.
    """
    beta = 0.1102 * (_STOP_DB - 8.7)  # Kaiser's formulas
    taps = (_STOP_DB - 7.95) / (2.285 * np.pi * (1 - used))
    odd = np.arange(1, math.ceil(taps / 2) + 1, 2)
    weights = (
        np.sin(np.pi * odd / 2) / (np.pi * odd) * np.i0(beta * np.sqrt(1 - (odd / (odd[-1] + 1)) ** 2)) / np.i0(beta)
    )
    return weights * (0.25 / weights.sum())
