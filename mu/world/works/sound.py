"""The sound of a track: its parts by the rules of their instruments, effects of each part, a room, noise, a level."""

import math

import numpy as np

from mu.world.partials import add_partials
from mu.world.room import add_room
from mu.world.voices import add_drum, add_modulated, add_string, add_tone, noise_seed
from mu.world.wavetables import BANDS, BANDS_PER_OCTAVE, BRIGHT, DARK, HOLLOW, LOWEST_HZ, SINE, wavetables
from mu.world.works.arrangement import BASS, CHORDS, DRUMS, LEAD, Played
from mu.world.works.instruments import CODES, INSTRUMENTS, PARTIALS, partials
from mu.world.works.version import Version

RATE_HZ = 22_050
DULL_HZ = 3000.0
LOWEST_SOUND_HZ = 25.0
MOST_PEAK = 0.98


def perform(seed: int, version: Version, played: list[Played], duration_s: float) -> np.ndarray:
    """float32 [duration_s * 22,050]: mono, within [-.98, .98]; a function of its arguments alone."""
    rng = np.random.default_rng([seed, 10, version.work, version.number])
    samples = round(duration_s * RATE_HZ)
    names = {CHORDS: version.chords, LEAD: version.lead, BASS: version.bass, DRUMS: "drums"}
    mixed = np.zeros(samples)
    for part, name in names.items():
        notes = [note for note in played if note.part == part]
        if not notes:
            continue
        sound = np.zeros(samples)
        _add_notes(sound, notes, name, version.brightness, rng)
        if part == CHORDS and version.style.distortion and name != "strings":
            sound = distorted(sound, version.style.distortion)
        if part == LEAD and version.style.delay:
            sound = echoed(sound, version.style.delay, 0.75 * 60 / version.tempo_bpm)
        mixed += sound
    line, echoes = np.empty(RATE_HZ // 20), np.empty(samples)
    add_room(mixed, version.wet, version.room_s, line, echoes, float(RATE_HZ))
    mixed = filtered(mixed, dull=version.style.dull)
    loudness = math.sqrt(float(np.mean(mixed**2)))
    if loudness > 0:
        mixed += loudness * 10 ** (-version.noise_db / 20) * pink_noise(samples, rng)
        mixed *= min(10 ** (version.level_db / 20) / loudness, MOST_PEAK / float(np.abs(mixed).max()))
    return mixed.astype(np.float32)


def _add_notes(out: np.ndarray, notes: list[Played], name: str, shine: float, rng: np.random.Generator) -> None:
    """Adds the notes of one instrument."""
    waves, rate = wavetables(float(RATE_HZ)), float(RATE_HZ)
    sine, instrument = waves[SINE, 0], INSTRUMENTS[CODES[name]]
    seed = np.uint64(rng.integers(2**63))
    line = np.empty(RATE_HZ // 20)
    if instrument.rule == "partials":
        pitches = np.array([note.hertz for note in notes])
        start, end, decay_s, stretch = partials(name, pitches, shine, rng)
        work = np.empty(PARTIALS, np.int64), np.empty(PARTIALS), np.empty(PARTIALS)
        shape = np.array(instrument.shape)
    for number, note in enumerate(notes):
        first, gate = math.floor(note.start_s * rate), int(note.length_s * rate)
        loud, state = note.loudness * instrument.gain, np.uint64(noise_seed(seed, number))
        if instrument.rule == "partials":
            add_partials(
                out, first, gate, note.hertz, loud, start[number], end[number], decay_s[number], stretch, shape,
                state, sine, *work, rate,
            )  # fmt: skip
        elif instrument.rule == "string":
            add_string(out, first, gate, note.hertz, loud, shine, state, line, rate)
        elif instrument.rule == "modulation":
            add_modulated(out, first, gate, note.hertz, loud, 1.0, 0.4 + 2.4 * shine, 1.2, sine, rate)
        elif instrument.rule == "drums":
            add_drum(out, first, note.hertz, loud, note.drum, shine, state, sine, rate)
        else:
            octaves = math.log2(max(note.hertz, LOWEST_HZ) / LOWEST_HZ)
            band = min(int(BANDS_PER_OCTAVE * octaves), BANDS - 1)
            low = name == "electric bass"
            add_tone(
                out, first, gate, note.hertz, (1.3 if low else 1.0) * loud, waves[BRIGHT, band],
                waves[DARK if low else HOLLOW, band], sine, shine, (0.3 if low else 0.6) * shine, 0.15, 0.006,
                0.03, 0.0 if low else 0.004, rate,
            )  # fmt: skip


def distorted(sound: np.ndarray, drive: float) -> np.ndarray:
    """tanh(drive x / rms(x) / 3), at the level that x had; an amplifier that is driven beyond what it can do."""
    loudness = math.sqrt(float(np.mean(sound**2)))
    if loudness == 0:
        return sound
    bent = np.tanh(drive * sound / loudness / 3)
    return bent * (loudness / math.sqrt(float(np.mean(bent**2))))


def echoed(sound: np.ndarray, gain: float, delay_s: float) -> np.ndarray:
    """Adds four echoes, each `gain` times the one before and `delay_s` later."""
    out = sound.copy()
    for echo in range(1, 5):
        late = round(echo * delay_s * RATE_HZ)
        if late < len(sound):
            out[late:] += gain**echo * sound[: len(sound) - late]
    return out


def filtered(sound: np.ndarray, *, dull: bool) -> np.ndarray:
    """Without what lies below 25 Hz; where dull, with little above 3 kHz (12 dB an octave)."""
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    gain = (hertz / LOWEST_SOUND_HZ) ** 4 / (1 + (hertz / LOWEST_SOUND_HZ) ** 4)
    if dull:
        gain = gain / (1 + (hertz / DULL_HZ) ** 2)
    return np.fft.irfft(np.fft.rfft(sound) * gain, len(sound))


def pink_noise(samples: int, rng: np.random.Generator) -> np.ndarray:
    """float64 [samples]: noise whose power falls by 3 dB an octave, of root mean square 1."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(samples, 1 / RATE_HZ), 20.0))
    noise = np.fft.irfft(spectrum, samples)
    return noise / math.sqrt(float(np.mean(noise**2)))
