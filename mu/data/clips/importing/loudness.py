"""Loudness of a programme, ITU-R BS.1770-4, block by block."""

import math

import numpy as np
from scipy import signal

# Weights by number of channels, in the order of WAV (L R C, low frequencies, surround); other layouts have none.
_WEIGHTS = {
    1: (1.0,),
    2: (1.0, 1.0),
    3: (1.0, 1.0, 1.0),
    5: (1.0, 1.0, 1.0, 1.41, 1.41),
    6: (1.0, 1.0, 1.0, 0.0, 1.41, 1.41),
}
_STEPS_A_BLOCK = 4  # gating blocks of 400 ms every 100 ms
_STEP_S = 0.1
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_OFFSET_LU = -0.691  # of equation 2: a sine of 997 Hz at full scale, in one channel, is at -3.01


class Loudness:
    """Integrated loudness of what `add` is given.

    L = -0.691 + 10 log10( sum_c G_c mean_{j in J} z_cj ), z_cj the mean square of channel c after K-weighting in the
    gating block j, J the blocks that are louder than -70 LUFS and than 10 LU below the mean of those.
    """

    def __init__(self, sample_rate_hz: int, channels: int):
        self._rate = sample_rate_hz
        self._weights = np.array(_WEIGHTS.get(channels, ()))
        # Below 4 kHz the shelf of the weighting lies beyond what the rate can carry.
        self.defined = channels in _WEIGHTS and sample_rate_hz >= 4000
        if self.defined:
            self._filter = k_weighting(sample_rate_hz)
            self._state = np.zeros((len(self._filter), channels, 2))
        self._samples = 0
        self._open_step = 0.0  # energy so far of the step of 100 ms that is not complete
        self._steps: list[float] = []  # energy of each complete one

    def add(self, x: np.ndarray) -> None:
        """The next samples, float [channels, n]."""
        if not self.defined:
            return
        weighted = x.astype(np.float64)
        weighted[:, ::2] += 1e-20  # in digital silence the filters would sink to denormals, twelve times as slow
        weighted, self._state = signal.sosfilt(self._filter, weighted, axis=-1, zi=self._state)
        power = self._weights @ np.square(weighted, out=weighted)
        until, steps = self._samples + x.shape[1], len(self._steps)
        cuts = [0]
        while (end := round((steps + len(cuts)) * _STEP_S * self._rate)) <= until:
            cuts.append(end - self._samples)
        energy = np.add.reduceat(np.append(power, 0.0), cuts)  # the zero: the last cut may be the end
        energy[0] += self._open_step
        self._steps += energy[:-1].tolist()
        self._open_step = float(energy[-1])
        self._samples = until

    def lufs(self) -> float | None:
        """None where it is not defined: less than 400 ms, nothing above -70 LUFS, an unknown layout of channels."""
        if not self.defined or len(self._steps) < _STEPS_A_BLOCK:
            return None
        energy = np.convolve(self._steps, np.ones(_STEPS_A_BLOCK), mode="valid")
        power = energy / (_STEPS_A_BLOCK * _STEP_S * self._rate)
        above_absolute = power[power > 10 ** ((_ABSOLUTE_GATE_LUFS - _OFFSET_LU) / 10)]
        if len(above_absolute) == 0:
            return None
        loud = above_absolute[above_absolute > above_absolute.mean() * 10 ** (_RELATIVE_GATE_LU / 10)]
        return float(_OFFSET_LU + 10 * math.log10(loud.mean()))


def k_weighting(sample_rate_hz: int) -> np.ndarray:
    """float64 [2, 6]: the two second-order sections of BS.1770-4, annex 1, at any rate.

    The standard prints coefficients for 48 kHz; these are the bilinear transforms of the analogue filters that give
    just those there: a shelf of 4 dB above 1.7 kHz, a high pass at 38 Hz.
    """
    shelf_hz, shelf_db, shelf_q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
    k = math.tan(math.pi * shelf_hz / sample_rate_hz)
    high = 10 ** (shelf_db / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / shelf_q + k * k
    shelf_b = [high + band * k / shelf_q + k * k, 2 * (k * k - high), high - band * k / shelf_q + k * k]
    shelf = [*(b / a0 for b in shelf_b), 1.0, 2 * (k * k - 1) / a0, (1 - k / shelf_q + k * k) / a0]
    pass_hz, pass_q = 38.13547087602444, 0.5003270373238773
    k = math.tan(math.pi * pass_hz / sample_rate_hz)
    a0 = 1 + k / pass_q + k * k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / pass_q + k * k) / a0]
    return np.array([shelf, high_pass])
