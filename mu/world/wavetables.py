"""Wavetables: one period of each wave, limited in band, and the kernel that reads it at a phase."""

import functools

import numpy as np

from mu_kernels.compile import kernel

# A period of a wave has 2^11 samples, a phase 32 bits: 11 name the sample, 21 lie between it and the next.
TABLE_BITS, PHASE_BITS = 11, 32
BETWEEN_BITS = PHASE_BITS - TABLE_BITS
PERIOD = 1 << PHASE_BITS
LAST = PERIOD - 1  # `& LAST` takes a phase back into the period
SINE, DARK, HOLLOW, BRIGHT = range(4)
LOWEST_HZ, BANDS_PER_OCTAVE, BANDS = 27.5, 4, 32


@functools.cache
def wavetables(rate_hz: float) -> np.ndarray:
    """A period of each wave for each band of pitches, without the harmonics that would alias.

    Waves are sums of a_h sin(2 pi h p) with a_h = h^-2.2 (dark), h^-1.5 of odd h (hollow), h^-0.9 (bright) or the first
    alone (sine), each with root mean square 1/2. A band, a quarter of an octave from 27.5 Hz upwards, has the harmonics
    that lie below 45 % of the rate for its highest pitch.

    Returns:
      float32 [4, BANDS, 2049]; the last sample is the first again.
    """
    size = 1 << TABLE_BITS
    harmonic = np.arange(size // 2 + 1)
    rolled = np.maximum(harmonic, 1.0)
    amplitudes = np.stack([harmonic == 1, rolled**-2.2, (harmonic % 2) * rolled**-1.5, rolled**-0.9])
    highest_pitch = LOWEST_HZ * 2 ** ((1 + np.arange(BANDS)) / BANDS_PER_OCTAVE)
    alias_free = (harmonic >= 1) & (harmonic <= np.maximum(0.45 * rate_hz / highest_pitch, 1)[:, None])
    amplitudes = amplitudes[:, None, :] * alias_free
    amplitudes *= 0.5 / np.sqrt(0.5 * (amplitudes**2).sum(2, keepdims=True))
    period = np.fft.irfft(-0.5j * size * amplitudes, size)
    return np.concatenate([period, period[:, :, :1]], axis=2).astype(np.float32)


@kernel
def read_wave(table, phase):
    """The wave at a phase of 0 to 2^32 - 1, linear between two samples."""
    place = phase >> BETWEEN_BITS
    part = (phase & ((1 << BETWEEN_BITS) - 1)) * 2.0**-BETWEEN_BITS
    return table[place] + part * (table[place + 1] - table[place])
