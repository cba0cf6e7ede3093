"""The kernel that turns scores into sound: notes by their voices, a room, a level.

A row reads its arguments alone, and its noise is a hash of (the row's seed, note). So the sound of a track depends
neither on the tracks that are rendered with it nor on threads.
"""

import math

import numpy as np

from mu.world.room import add_room
from mu.world.score import BASS, BELL, FLUTE, GUITAR, PAD, PIANO, SYNTHESISER
from mu.world.voices import add_drum, add_modulated, add_string, add_tone, noise_seed
from mu.world.wavetables import BANDS, BANDS_PER_OCTAVE, BRIGHT, DARK, HOLLOW, LOWEST_HZ, SINE
from mu_kernels.compile import kernel


@kernel
def _add_note(out, start_s, length_s, hertz, loudness, voice, shine, state, waves, line, rate):
    """Adds a note of any voice."""
    first, gate = math.floor(start_s * rate), int(length_s * rate)
    band = min(max(int(BANDS_PER_OCTAVE * math.log2(max(hertz, LOWEST_HZ) / LOWEST_HZ)), 0), BANDS - 1)
    sine, dark, hollow, bright = waves[SINE, 0], waves[DARK, band], waves[HOLLOW, band], waves[BRIGHT, band]
    if voice == PAD:  # two of them, 10 cents apart
        for detuned in (0.9971, 1.0029):
            add_tone(
                out, first, gate, hertz * detuned, 0.7 * loudness, bright, dark, sine,
                0.8 * shine, 0.5 * shine, 1.5, 0.12, 0.12, 0.0, rate,
            )  # fmt: skip
    elif voice == SYNTHESISER:
        add_tone(
            out, first, gate, hertz, loudness, bright, hollow, sine, shine, 0.6 * shine, 0.2, 0.008, 0.04, 0.004, rate
        )
    elif voice == FLUTE:
        add_tone(
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
        add_tone(
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
        add_string(out, first, gate, hertz, loudness, shine, state, line, rate)
    elif voice == PIANO:
        add_modulated(out, first, gate, hertz, loudness, 1.0, 0.4 + 2.4 * shine, 1.2, sine, rate)
    elif voice == BELL:
        add_modulated(out, first, gate, hertz, loudness, 3.5, 0.3 + 2.2 * shine, 0.7, sine, rate)
    else:
        add_drum(out, first, hertz, loudness, voice, shine, state, sine, rate)


@kernel
def render(first, stop, indptr, score, recordings, waves, rate_hz, out):
    """Fills rows `first` to `stop` of `out`, float32 [B, N]: row r plays notes indptr[r] to indptr[r + 1]."""
    samples = out.shape[1]
    x, echoes, line = np.empty(samples), np.empty(samples), np.empty(int(rate_hz / 20))
    for row in range(first, stop):
        x[:] = 0.0
        for note in range(indptr[row], indptr[row + 1]):
            state = noise_seed(recordings.seed[row], note - indptr[row])
            _add_note(
                x, score.start_s[note], score.length_s[note], score.hertz[note], score.loudness[note],
                score.voice[note], recordings.brightness[row], state, waves, line, rate_hz,
            )  # fmt: skip
        add_room(x, recordings.wet[row], recordings.room_s[row], line, echoes, rate_hz)
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
