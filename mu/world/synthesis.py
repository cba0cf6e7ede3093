"""The Numba kernel that turns scores into sound: wavetables, plucked strings, FM, drums of noise, a room.

Everything a row needs is in its arguments, and noise comes from a hash of (row's seed, note), so a track's sound does
not depend on which tracks are rendered with it or on threads.
"""

import functools
import math

import numpy as np

from mu_kernels.compile import kernel
from mu_kernels.hashing import GOLDEN, mix

# As in `score.py`; constants, which compiled code keeps.
PAD, GUITAR, PIANO, SYNTHESISER, FLUTE, BELL, BASS, KICK, SNARE, HAT = range(10)

# A period of a wave has 2^11 samples, a phase 32 bits: 11 name the sample, 21 lie between it and the next.
TABLE_BITS, PHASE_BITS = 11, 32
BETWEEN_BITS = PHASE_BITS - TABLE_BITS
PERIOD = 1 << PHASE_BITS
LAST = PERIOD - 1  # `& LAST` takes a phase back into the period
SINE, DARK, HOLLOW, BRIGHT = range(4)
LOWEST_HZ, BANDS_PER_OCTAVE, BANDS = 27.5, 4, 32
# A decay is cut when so many of its time constants have passed, at -61 dB.
CONSTANTS = 7.0
# Delays of the room's combs and all-passes in seconds, without common divisors (Schroeder 1962, Moorer 1979).
COMBS_S = (0.0297, 0.0371, 0.0411, 0.0437)
ALL_PASSES_S = (0.0050, 0.0017)


@functools.cache
def wavetables(rate_hz: float) -> np.ndarray:
    """A period of each wave for each band of pitches, without what would alias: read by the kernel.

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
    held = (harmonic >= 1) & (harmonic <= np.maximum(0.45 * rate_hz / highest_pitch, 1)[:, None])
    amplitudes = amplitudes[:, None, :] * held
    amplitudes *= 0.5 / np.sqrt(0.5 * (amplitudes**2).sum(2, keepdims=True))
    period = np.fft.irfft(-0.5j * size * amplitudes, size)
    return np.concatenate([period, period[:, :, :1]], axis=2).astype(np.float32)


@kernel
def _seeded(seed, note):
    """SplitMix64 of (seed, note), never 0."""
    return mix(np.uint64(seed) + np.uint64(note + 1) * GOLDEN) | np.uint64(1)


@kernel
def _next(state):
    """The next state of xorshift64 (Marsaglia 2003)."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    return state ^ (state << np.uint64(17))


@kernel
def _noise(state):
    """A state as a number in [-1, 1)."""
    return np.int64(state) * 2.0**-63


@kernel
def _read(table, phase):
    """The wave at a phase of 0 to 2^32 - 1, between two samples on a line."""
    place = phase >> BETWEEN_BITS
    part = (phase & ((1 << BETWEEN_BITS) - 1)) * 2.0**-BETWEEN_BITS
    return table[place] + part * (table[place + 1] - table[place])


@kernel
def _decay(time_s, rate_hz):
    """What is left after a sample of what falls to 1/e in `time_s`."""
    return math.exp(-1.0 / (time_s * rate_hz))


@kernel
def _tone(
    out, first, gate, hertz, loudness, bright, dark, sine, shine, end, fading_s, attack_s, release_s, vibrato, rate
):
    """Two waves at one pitch: the share of the bright one falls from `shine` to `end`; it rises and falls smoothly."""
    step = hertz / rate * PERIOD
    wobble = int(5.5 / rate * PERIOD)
    fading, rise, fall = _decay(fading_s, rate), 1 - _decay(attack_s, rate), _decay(release_s, rate)
    phase, slow, level, mix = 0, 0, 0.0, shine - end
    for at in range(min(gate + int(CONSTANTS * release_s * rate), len(out) - first)):
        if at < gate:
            level += rise * (1 - level)
        else:
            level *= fall
        low = _read(dark, phase)
        value = low + (end + mix) * (_read(bright, phase) - low)
        if first + at >= 0:
            out[first + at] += loudness * level * value
        mix *= fading
        phase = (phase + int(step * (1 + vibrato * _read(sine, slow)))) & LAST
        slow = (slow + wobble) & LAST


@kernel
def _plucked(out, first, gate, hertz, loudness, shine, state, line, rate):
    """Karplus & Strong 1983: a delay line whose turns lose treble, tuned by an all-pass (Jaffe & Smith 1983).

    It starts as a string pulled to a triangle, with noise, the more of it the brighter.
    """
    # The loss is a mean of neighbours, an even one unless the string would then ring for less than a second.
    turn = 2 * math.pi * hertz / rate
    uneven = 1 - 2 * (1 - 0.001 ** (2 / hertz)) / (1 - math.cos(turn))
    share = 0.5 * (1 - math.sqrt(max(uneven, 0.0)))
    # Of the period, the mean delays by a part, the line by n samples and the all-pass by the rest.
    period = rate / hertz - math.atan2(share * math.sin(turn), 1 - share + share * math.cos(turn)) / turn
    n = int(period - 0.1)
    rest = period - n
    tuning = math.sin((1 - rest) * turn / 2) / math.sin((1 + rest) * turn / 2)
    smooth, grit, mean = 0.85 * (1 - shine), 0.0, 0.0
    for at in range(n):
        state = _next(state)
        grit = smooth * grit + (1 - smooth) * _noise(state)
        place = at / n
        line[at] = (place / 0.2 if place < 0.2 else (1 - place) / 0.8) + 2 * shine * grit
        mean += line[at] / n
    for at in range(n):
        line[at] -= mean
    ringing = 0.001 ** (1 / (hertz * (1.5 + 2.5 * (1 - shine))))
    release_s = 0.05
    fall = _decay(release_s, rate)
    before, entered, left, place, level, onset = 0.0, 0.0, 0.0, 0, 1.0, 0.0
    rise = 1 - _decay(0.001, rate)
    for at in range(min(gate + int(CONSTANTS * release_s * rate), len(out) - first)):
        value = line[place]
        halfway = ringing * ((1 - share) * value + share * before)
        before = value
        onset += rise * (1 - onset)
        left = tuning * (halfway - left) + entered
        entered = halfway
        line[place] = left
        place = place + 1 if place + 1 < n else 0
        if at >= gate:
            level *= fall
        if first + at >= 0:
            out[first + at] += 1.6 * loudness * onset * level * value


@kernel
def _modulated(out, first, gate, hertz, loudness, ratio, index, decay_s, sine, rate):
    """Chowning 1973: a sine whose phase another, `ratio` times as fast, moves by `index` radians, less and less.

    The sidebands 1 + k ratio have amplitudes J_k(index) < (index / 2)^k / k!; the index is kept so small that this is
    0.001 for the first that would alias.
    """
    order = max(int((0.5 * rate / hertz - 1) / ratio), 0) + 1
    factorial = 1.0
    for k in range(2, order + 1):
        factorial *= k
    index = min(index, 2 * (0.001 * factorial) ** (1 / order))
    step, modulating = int(hertz / rate * PERIOD), int(ratio * hertz / rate * PERIOD)
    release_s = 0.06
    rise, fall = 1 - _decay(0.002, rate), _decay(release_s, rate)
    decay, falling = _decay(decay_s, rate), _decay(0.3, rate)
    phase, other, onset, level = 0, 0, 0.0, 1.0
    for at in range(min(gate + int(CONSTANTS * release_s * rate), len(out) - first)):
        moved = int(index * _read(sine, other) * (2**0.5 * PERIOD / (2 * math.pi)))
        onset += rise * (1 - onset)
        if first + at >= 0:
            out[first + at] += loudness * onset * level * _read(sine, (phase + moved) & LAST)
        index *= falling
        level *= decay if at < gate else fall
        phase = (phase + step) & LAST
        other = (other + modulating) & LAST


@kernel
def _drum(out, first, hertz, loudness, voice, shine, state, sine, rate):
    """A sine that falls to its pitch (kick), a tone with a band of noise (snare), the treble of noise (hat)."""
    ringing_s = 0.13 if voice == KICK else 0.07 if voice == SNARE else 0.025
    edge_hz = hertz if voice == HAT else 1500 + 2500 * shine
    # A state-variable filter by the trapezoidal rule (Zavalishin 2012).
    g, damping = math.tan(math.pi * min(edge_hz, 0.45 * rate) / rate), 1.2
    gain = 1 / (1 + g * (g + damping))
    decay, falling = _decay(ringing_s, rate), _decay(0.025, rate)
    low, high, level, extra, phase = 0.0, 0.0, 1.0, 2.6, 0
    step = hertz / rate * PERIOD
    for at in range(min(int(CONSTANTS * ringing_s * rate), len(out) - first)):
        state = _next(state)
        noise = _noise(state)
        band = gain * (high + g * (noise - low))
        bass = low + g * band
        high, low = 2 * band - high, 2 * bass - low
        if voice == KICK:
            value = 2 * _read(sine, phase)
        elif voice == SNARE:
            value = _read(sine, phase) + 1.2 * damping * band
        else:
            value = 1.5 * (noise - damping * band - bass)
        phase = (phase + int(step * (1 + (extra if voice == KICK else 0.0)))) & LAST
        extra *= falling
        if first + at >= 0:
            out[first + at] += loudness * level * value
        level *= decay


@kernel
def _room(x, wet, seconds, line, echoes, rate):
    """x + wet * its echoes, which are down by 60 dB after so many seconds: combs that lose treble, then all-passes."""
    echoes[:] = 0.0
    for comb in COMBS_S:
        n = int(comb * rate)
        feedback = 0.001 ** (comb / seconds)
        line[:n] = 0.0
        damped, place = 0.0, 0
        for at in range(len(x)):
            echo = line[place]
            damped = 0.7 * echo + 0.3 * damped
            line[place] = x[at] + feedback * damped
            place = place + 1 if place + 1 < n else 0
            echoes[at] += 0.25 * echo
    for all_pass in ALL_PASSES_S:
        n = int(all_pass * rate)
        line[:n] = 0.0
        place = 0
        for at in range(len(x)):
            echo = line[place]
            value = echoes[at] + 0.7 * echo
            line[place] = value
            echoes[at] = echo - 0.7 * value
            place = place + 1 if place + 1 < n else 0
    for at in range(len(x)):
        x[at] += wet * echoes[at]


@kernel
def _play(out, start_s, length_s, hertz, loudness, voice, shine, state, waves, line, rate):
    """Adds a note."""
    first, gate = math.floor(start_s * rate), int(length_s * rate)
    band = min(max(int(BANDS_PER_OCTAVE * math.log2(max(hertz, LOWEST_HZ) / LOWEST_HZ)), 0), BANDS - 1)
    sine, dark, hollow, bright = waves[SINE, 0], waves[DARK, band], waves[HOLLOW, band], waves[BRIGHT, band]
    if voice == PAD:  # two of them, 10 cents apart
        for detuned in (0.9971, 1.0029):
            _tone(
                out, first, gate, hertz * detuned, 0.7 * loudness, bright, dark, sine,
                0.8 * shine, 0.5 * shine, 1.5, 0.12, 0.12, 0.0, rate,
            )  # fmt: skip
    elif voice == SYNTHESISER:
        _tone(
            out, first, gate, hertz, loudness, bright, hollow, sine, shine, 0.6 * shine, 0.2, 0.008, 0.04, 0.004, rate
        )
    elif voice == FLUTE:
        _tone(
            out,
            first,
            gate,
            hertz,
            1.2 * loudness,
            hollow,
            sine,
            sine,
            shine,
            0.7 * shine,
            0.1,
            0.03,
            0.05,
            0.006,
            rate,
        )
    elif voice == BASS:
        _tone(
            out,
            first,
            gate,
            hertz,
            1.3 * loudness,
            bright,
            dark,
            sine,
            shine,
            0.3 * shine,
            0.12,
            0.006,
            0.03,
            0.0,
            rate,
        )
    elif voice == GUITAR:
        _plucked(out, first, gate, hertz, loudness, shine, state, line, rate)
    elif voice == PIANO:
        _modulated(out, first, gate, hertz, loudness, 1.0, 0.4 + 2.4 * shine, 1.2, sine, rate)
    elif voice == BELL:
        _modulated(out, first, gate, hertz, loudness, 3.5, 0.3 + 2.2 * shine, 0.7, sine, rate)
    else:
        _drum(out, first, hertz, loudness, voice, shine, state, sine, rate)


@kernel
def render(first, stop, indptr, score, recordings, waves, rate_hz, out):
    """Rows first <= row < stop of out, float32 [B, N]: row r plays notes indptr[r] to indptr[r + 1] of the score."""
    samples = out.shape[1]
    x, echoes, line = np.empty(samples), np.empty(samples), np.empty(int(rate_hz / 20))
    for row in range(first, stop):
        x[:] = 0.0
        for note in range(indptr[row], indptr[row + 1]):
            state = _seeded(recordings.seed[row], note - indptr[row])
            _play(
                x, score.start_s[note], score.length_s[note], score.hertz[note], score.loudness[note],
                score.voice[note], recordings.brightness[row], state, waves, line, rate_hz,
            )  # fmt: skip
        _room(x, recordings.wet[row], recordings.room_s[row], line, echoes, rate_hz)
        # Below 20 Hz there is no music, but what strings and combs leave of a constant.
        energy, peak, before, value, kept = 0.0, 0.0, 0.0, 0.0, 1 - 2 * math.pi * 20 / rate_hz
        for at in range(samples):
            value = x[at] - before + kept * value
            before = x[at]
            x[at] = value
            energy += value * value
            peak = max(peak, abs(value))
        # The level asked for, or as much of it as leaves the peaks whole.
        scale = min(recordings.level[row] / math.sqrt(energy / samples), 0.98 / peak) if energy > 0 else 0.0
        for at in range(samples):
            out[row, at] = np.float32(scale * x[at])
