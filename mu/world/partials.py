"""The kernel of additive voices: partials with envelopes of their own, breath, vibrato and a scoop into the note."""

import math

from mu.world.voices import CONSTANTS, decay_of, next_state, noise_of
from mu.world.wavetables import LAST, PERIOD, read_wave
from mu_kernels.compile import kernel

# How fast a note slides into its pitch.
SCOOP_S = 0.04


@kernel
def add_partials(
    out, first, gate, hertz, loudness, start, end, decay_s, stretch, shape, state, sine, phases, steps, levels, rate
):
    """Adds a sum of sines whose amplitudes move from `start` to `end` and then decay.

    Partial h (from 1) has the frequency h hertz sqrt(1 + stretch h^2), as a stiff string has.

    Args:
      out: float64 [N].
      first: sample at which the note begins, which may lie before the sound.
      gate: its length in samples, after which it is released.
      hertz: its pitch.
      loudness: its amplitude.
      start: float64 [H], amplitudes when it begins.
      end: float64 [H], amplitudes that it moves to.
      decay_s: float64 [H], in which each partial falls to 1/e.
      stretch: inharmonicity.
      shape: float64 [7]: attack_s, release_s, moving_s (time constant from `start` to `end`), vibrato (share of the
        frequency), vibrato_hz, scoop (share of the frequency that it begins below), breath (share of noise).
      state: uint64, of the noise.
      sine: a period of a sine (`mu.world.wavetables`).
      phases: int64 [at least H], working memory.
      steps: float64 [at least H], working memory.
      levels: float64 [at least H], working memory.
      rate: in Hz.
    """
    attack_s, release_s, moving_s, vibrato, vibrato_hz, scoop, breath = shape
    partials = 0
    for h in range(len(start)):
        stretched = (h + 1) * math.sqrt(1 + stretch * (h + 1) ** 2)
        if hertz * stretched < 0.45 * rate and (start[h] > 0 or end[h] > 0):
            partials = h + 1
        phases[h] = int((0.37 * h * h % 1.0) * PERIOD)
        steps[h] = hertz * stretched / rate * PERIOD
        levels[h] = 1.0
    rise, fall = 1 - decay_of(attack_s, rate), decay_of(release_s, rate)
    moving, sliding = 1 - decay_of(moving_s, rate), decay_of(SCOOP_S, rate)
    wobble = int(vibrato_hz / rate * PERIOD)
    level, moved, below, slow, breathed, depth = 0.0, 0.0, scoop, 0, 0.0, 0.0
    deepening = 1 - decay_of(0.25, rate)
    for at in range(min(gate + int(CONSTANTS * release_s * rate), len(out) - first)):
        level = level + rise * (1 - level) if at < gate else level * fall
        bend = 1 + depth * vibrato * read_wave(sine, slow) - below
        value = 0.0
        for h in range(partials):
            value += levels[h] * (start[h] + moved * (end[h] - start[h])) * read_wave(sine, phases[h])
            phases[h] = (phases[h] + int(steps[h] * bend)) & LAST
        if breath > 0:
            state = next_state(state)
            breathed += 0.3 * (noise_of(state) - breathed)
            value += breath * breathed
        if first + at >= 0:
            out[first + at] += loudness * level * value
        moved += moving * (1 - moved)
        below *= sliding
        depth += deepening * (1 - depth)
        slow = (slow + wobble) & LAST
        if at % 32 == 31:  # decays are slow: 32 samples at a time
            for h in range(partials):
                levels[h] *= math.exp(-32 / (decay_s[h] * rate))
