"""The kernels of the voices: each adds one note to the samples of a track.

Arguments: `out` float64 [N]; `first` is the sample at which the note begins, which may lie before the track; `gate` is
its length in samples, after which it is released; `hertz` its pitch; `loudness` its amplitude; `rate` in Hz.
"""

import math

import numpy as np

from mu.world.score import HAT, KICK, SNARE
from mu.world.wavetables import LAST, PERIOD, read_wave
from mu_kernels.compile import kernel
from mu_kernels.hashing import GOLDEN, mix

# A decay is cut when so many of its time constants have passed, at -61 dB.
CONSTANTS = 7.0


@kernel
def noise_seed(seed, note):
    """The first state of the noise of a note: SplitMix64 of (seed, note), never 0."""
    return mix(np.uint64(seed) + np.uint64(note + 1) * GOLDEN) | np.uint64(1)


@kernel
def next_state(state):
    """The next state of xorshift64 (Marsaglia 2003)."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    return state ^ (state << np.uint64(17))


@kernel
def noise_of(state):
    """A state as a number in [-1, 1)."""
    return np.int64(state) * 2.0**-63


@kernel
def decay_of(time_s, rate_hz):
    """The factor of one sample of a decay that falls to 1/e in `time_s`."""
    return math.exp(-1.0 / (time_s * rate_hz))


@kernel
def add_tone(
    out, first, gate, hertz, loudness, bright, dark, sine, shine, end, fading_s, attack_s, release_s, vibrato, rate
):
    """A mix of two wavetables; the share of the bright one falls from `shine` to `end`."""
    step = hertz / rate * PERIOD
    wobble = int(5.5 / rate * PERIOD)
    fading, rise, fall = decay_of(fading_s, rate), 1 - decay_of(attack_s, rate), decay_of(release_s, rate)
    phase, slow, level, mix = 0, 0, 0.0, shine - end
    for at in range(min(gate + int(CONSTANTS * release_s * rate), len(out) - first)):
        if at < gate:
            level += rise * (1 - level)
        else:
            level *= fall
        low = read_wave(dark, phase)
        value = low + (end + mix) * (read_wave(bright, phase) - low)
        if first + at >= 0:
            out[first + at] += loudness * level * value
        mix *= fading
        phase = (phase + int(step * (1 + vibrato * read_wave(sine, slow)))) & LAST
        slow = (slow + wobble) & LAST


@kernel
def add_string(out, first, gate, hertz, loudness, shine, state, line, rate):
    """A plucked string: a delay line that loses treble (Karplus & Strong 1983).

    An all-pass tunes it (Jaffe & Smith 1983). It starts as a string pulled to a triangle, plus noise, of which a bright
    string has more.
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
        state = next_state(state)
        grit = smooth * grit + (1 - smooth) * noise_of(state)
        place = at / n
        line[at] = (place / 0.2 if place < 0.2 else (1 - place) / 0.8) + 2 * shine * grit
        mean += line[at] / n
    for at in range(n):
        line[at] -= mean
    ringing = 0.001 ** (1 / (hertz * (1.5 + 2.5 * (1 - shine))))
    release_s = 0.05
    fall = decay_of(release_s, rate)
    before, entered, left, place, level, onset = 0.0, 0.0, 0.0, 0, 1.0, 0.0
    rise = 1 - decay_of(0.001, rate)
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
def add_modulated(out, first, gate, hertz, loudness, ratio, index, decay_s, sine, rate):
    """Frequency modulation (Chowning 1973): a sine moves the phase by `index` radians, which decay.

    It is `ratio` times as fast.
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
    rise, fall = 1 - decay_of(0.002, rate), decay_of(release_s, rate)
    decay, falling = decay_of(decay_s, rate), decay_of(0.3, rate)
    phase, other, onset, level = 0, 0, 0.0, 1.0
    for at in range(min(gate + int(CONSTANTS * release_s * rate), len(out) - first)):
        moved = int(index * read_wave(sine, other) * (2**0.5 * PERIOD / (2 * math.pi)))
        onset += rise * (1 - onset)
        if first + at >= 0:
            out[first + at] += loudness * onset * level * read_wave(sine, (phase + moved) & LAST)
        index *= falling
        level *= decay if at < gate else fall
        phase = (phase + step) & LAST
        other = (other + modulating) & LAST


@kernel
def add_drum(out, first, hertz, loudness, voice, shine, state, sine, rate):
    """A sine that falls to its pitch (kick), a tone with a band of noise (snare), the treble of noise (hat)."""
    ringing_s = 0.13 if voice == KICK else 0.07 if voice == SNARE else 0.025
    edge_hz = hertz if voice == HAT else 1500 + 2500 * shine
    # A state-variable filter by the trapezoidal rule (Zavalishin 2012).
    g, damping = math.tan(math.pi * min(edge_hz, 0.45 * rate) / rate), 1.2
    gain = 1 / (1 + g * (g + damping))
    decay, falling = decay_of(ringing_s, rate), decay_of(0.025, rate)
    low, high, level, extra, phase = 0.0, 0.0, 1.0, 2.6, 0
    step = hertz / rate * PERIOD
    for at in range(min(int(CONSTANTS * ringing_s * rate), len(out) - first)):
        state = next_state(state)
        noise = noise_of(state)
        band = gain * (high + g * (noise - low))
        bass = low + g * band
        high, low = 2 * band - high, 2 * bass - low
        if voice == KICK:
            value = 2 * read_wave(sine, phase)
        elif voice == SNARE:
            value = read_wave(sine, phase) + 1.2 * damping * band
        else:
            value = 1.5 * (noise - damping * band - bass)
        phase = (phase + int(step * (1 + (extra if voice == KICK else 0.0)))) & LAST
        extra *= falling
        if first + at >= 0:
            out[first + at] += loudness * level * value
        level *= decay
