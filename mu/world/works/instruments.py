"""The instruments of works: how each makes its sound, the range it plays in, and the partials of the additive ones."""

import dataclasses

import numpy as np

PARTIALS = 24
"""Of an additive voice at most."""
LONG_S = 60.0
"""The decay of partials that do not decay."""


@dataclasses.dataclass(frozen=True)
class Instrument:
    """An instrument.

    Attributes:
      name: as the table has it.
      rule: how it is made: 'partials', 'string', 'modulation', 'tone', or 'drums'.
      lowest: the lowest MIDI pitch that it plays, of its melodies or chords.
      gain: of its notes.
      shape: attack_s, release_s, moving_s, vibrato, vibrato_hz, scoop, breath of additive voices
        (`mu.world.partials.add_partials`).
    """

    name: str
    rule: str
    lowest: int
    gain: float = 1.0
    shape: tuple[float, ...] = (0.0,) * 7


INSTRUMENTS = (
    Instrument("strings", "partials", 52, 0.8, (0.12, 0.15, 0.3, 0.003, 5.2, 0.0, 0.0)),
    Instrument("guitar", "string", 50),
    Instrument("electric piano", "modulation", 50),
    Instrument("piano", "partials", 52, 1.2, (0.002, 0.08, 0.1, 0.0, 5.0, 0.0, 0.0)),
    Instrument("organ", "partials", 52, 0.7, (0.012, 0.03, 0.5, 0.002, 6.6, 0.0, 0.0)),
    Instrument("synthesiser", "tone", 60),
    Instrument("flute", "partials", 67, 1.0, (0.04, 0.06, 0.1, 0.004, 5.0, 0.0, 0.12)),
    Instrument("violin", "partials", 62, 1.0, (0.06, 0.08, 0.1, 0.008, 6.0, 0.01, 0.0)),
    Instrument("trumpet", "partials", 60, 0.9, (0.025, 0.04, 0.05, 0.003, 5.0, 0.01, 0.01)),
    Instrument("voice", "partials", 57, 1.1, (0.045, 0.06, 0.12, 0.012, 5.5, 0.025, 0.03)),
    Instrument("electric bass", "tone", 28),
    Instrument("plucked bass", "string", 28, 1.3),
    Instrument("drums", "drums", 0),
)
"""In the order of their codes."""
CODES = {instrument.name: code for code, instrument in enumerate(INSTRUMENTS)}
FORMANTS_HZ = ((730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240))
"""The first three formants of the vowels a, e, i, o, u (Peterson & Barney 1952, means of men)."""
FORMANT_GAINS = (1.0, 0.5, 0.25)
FORMANT_WIDTHS_HZ = (90.0, 130.0, 200.0)


def partials(
    name: str, hertz: np.ndarray, shine: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Amplitudes of the partials of notes: (start [n, H], end [n, H], decay_s [n, H], stretch).

    Rolls-off and resonances follow textbook descriptions of the instruments (Fletcher & Rossing, The Physics of Musical
    Instruments, 1998). Each row of `start` and `end` has the root mean square of a sine of amplitude .7 at the most.

    Args:
      name: of an additive instrument.
      hertz: float64 [n], the pitches.
      shine: brightness of the player, in (0, 1).
      rng: of vowels.
    """
    harmonic = np.arange(1, PARTIALS + 1.0)
    frequency = hertz[:, None] * harmonic
    decay_s = np.full(frequency.shape, LONG_S)
    stretch = 0.0
    if name == "piano":  # struck at an eighth of the string; treble decays sooner
        start = np.abs(np.sin(np.pi * harmonic / 8)) * harmonic ** (-1.6 + 0.8 * shine) * np.ones_like(frequency)
        end = start
        decay_s = 2.5 * np.sqrt(220 / hertz)[:, None] / (1 + 0.25 * (harmonic - 1))
        stretch = 3e-4
    elif name == "organ":  # drawbars
        bars = np.zeros(PARTIALS)
        bars[[0, 1, 2, 3, 5, 7]] = (0.8, 1.0, 0.6, 0.4, 0.3 * shine, 0.4 * shine)
        start = end = bars * np.ones_like(frequency)
    elif name in ("strings", "violin"):  # a saw through the resonances of a body
        body = 1 + sum(np.exp(-(((frequency - centre) / width) ** 2)) for centre, width in ((480, 150), (2800, 700)))
        end = harmonic ** (-1.5 + 0.6 * shine) * body
        start = end * harmonic**-0.5
    elif name == "trumpet":  # brightens as it swells
        end = np.exp(-((np.log(frequency / 1200.0) / 1.1) ** 2)) + harmonic**-1.5
        start = end * harmonic ** (-1.2 + 0.5 * shine)
    elif name == "flute":
        row = np.zeros(PARTIALS)
        row[:6] = (1.0, 0.35, 0.2, 0.06, 0.04, 0.02)
        start = end = row ** (1.3 - 0.5 * shine) * np.ones_like(frequency)
    elif name == "voice":  # a glottal source through formants, which move from vowel to vowel
        source = harmonic ** (-1.1 + 0.4 * shine)
        vowels = rng.integers(len(FORMANTS_HZ), size=(2, len(hertz)))
        start, end = (source * _formants(frequency, np.array(FORMANTS_HZ)[of_notes]) for of_notes in vowels)
    else:
        raise ValueError(f"{name!r} is no additive instrument")
    start, end = (0.7 * one / np.sqrt((one**2).sum(axis=1, keepdims=True)) for one in (start, end))
    return start, end, decay_s, stretch


def _formants(frequency: np.ndarray, centres_hz: np.ndarray) -> np.ndarray:
    """[n, H]: the gain of each partial [n, H] by three resonances [n, 3], with a floor of -34 dB."""
    gain = np.full(frequency.shape, 0.02)
    for place, (height, width) in enumerate(zip(FORMANT_GAINS, FORMANT_WIDTHS_HZ, strict=True)):
        gain += height / (1 + ((frequency - centres_hz[:, place, None]) / width) ** 2)
    return gain
