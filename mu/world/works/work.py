"""Works: metre, key, form, harmony and melody, before anybody plays them. Equal (seed, work) give equal works."""

import dataclasses

import numpy as np

from mu.world.score import SCALES

FORMS = ("ABACABAC", "AABAAABA", "ABABCBAB", "AABBAABB", "ABCABCAB")
"""Sections in their order, by letter; a form goes round."""
LABELS = {"A": "verse", "B": "chorus", "C": "bridge"}
SHORTEST_SECTION_S = 6.5
TEMPO_BPM = (64.0, 176.0)
# Row: from a degree (of the seven); columns: to. Common successions of popular harmony: falling fifths, steps to the
# dominant, and what follows it.
_MAJOR = np.array(
    [
        [0, 2, 1, 4, 4, 4, 0],  # I
        [2, 0, 1, 2, 6, 1, 0],  # ii
        [1, 1, 0, 4, 1, 4, 0],  # iii
        [4, 2, 1, 0, 5, 1, 0],  # IV
        [6, 1, 1, 2, 0, 4, 0],  # V
        [1, 3, 2, 5, 3, 0, 0],  # vi
        [1, 0, 0, 0, 0, 0, 0],
    ],
    float,
)
_MINOR = np.array(
    [
        [0, 0, 2, 4, 4, 4, 4],  # i
        [1, 0, 0, 0, 1, 0, 0],
        [2, 0, 0, 3, 1, 4, 3],  # III
        [4, 0, 1, 0, 4, 1, 3],  # iv
        [6, 0, 1, 1, 0, 4, 0],  # V, v
        [2, 0, 3, 3, 2, 0, 5],  # VI
        [5, 0, 4, 1, 1, 4, 0],  # VII
    ],
    float,
)
SUCCESSIONS = {True: _MAJOR, False: _MINOR}
QUALITIES = {
    True: ("maj", "min", "min", "maj", "maj", "min", "dim"),
    False: ("min", "dim", "maj", "min", "min", "maj", "maj"),
}
"""Of the triads on the degrees of the major scale (True) and the natural minor one."""


@dataclasses.dataclass(frozen=True)
class Chord:
    """A chord of a section.

    Attributes:
      beat: where it begins, in beats of the section.
      beats: how long it is.
      root: semitones above the tonic.
      quality: 'maj' or 'min'.
    """

    beat: float
    beats: float
    root: int
    quality: str


@dataclasses.dataclass(frozen=True)
class MelodyNote:
    """A note of a melody.

    Attributes:
      beat: where it begins, in beats of the section.
      beats: how long it is.
      pitch: semitones above a tonic.
      weak: whether a version may leave it out.
    """

    beat: float
    beats: float
    pitch: int
    weak: bool


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of a work, each time it comes.

    Attributes:
      label: 'verse', 'chorus' or 'bridge'.
      bars: its length.
      chords: its harmony.
      melody: its melody.
    """

    label: str
    bars: int
    chords: tuple[Chord, ...]
    melody: tuple[MelodyNote, ...]


@dataclasses.dataclass(frozen=True)
class Work:
    """A composition.

    Attributes:
      number: of the work.
      metre: beats a bar, 3 or 4.
      tempo_bpm: of the composer's mind; versions have their own.
      tonic: pitch class, 0 is C; versions are transposed.
      major: major or minor.
      energy: in (0, 1); versions have their own, near it.
      valence: in (0, 1).
      form: letters of `sections`, which goes round.
      sections: letter -> section.
    """

    number: int
    metre: int
    tempo_bpm: float
    tonic: int
    major: bool
    energy: float
    valence: float
    form: str
    sections: dict[str, Section]


def compose_work(seed: int, number: int) -> Work:
    """The work of a number; a function of (seed, number) alone.

    Valence makes the mode major and the melody rise; energy makes the melody dense and the tempo fast.
    """
    rng = np.random.default_rng([seed, 7, number])
    metre = 3 if rng.random() < 0.15 else 4
    energy, valence = rng.uniform(0.05, 0.95, size=2)
    tempo_bpm = float(np.clip(108 * 2 ** rng.normal(0.3 * (energy - 0.5), 0.25), *TEMPO_BPM))
    major = bool(rng.random() < 0.25 + 0.6 * valence)
    bars = 4 if 4 * metre * 60 / tempo_bpm >= SHORTEST_SECTION_S else 8
    form = FORMS[rng.integers(len(FORMS))]
    sections = {}
    for letter in "ABC":
        chords = _harmony(rng, metre, bars, major, begins_at_home=rng.random() < (0.8 if letter == "A" else 0.4))
        melody = _melody(rng, metre, bars, major, chords, energy + 0.15 * (letter == "B"), valence)
        sections[letter] = Section(LABELS[letter], bars, chords, melody)
    return Work(number, metre, tempo_bpm, int(rng.integers(12)), major, float(energy), float(valence), form, sections)


def _harmony(rng: np.random.Generator, metre: int, bars: int, major: bool, begins_at_home: bool) -> tuple[Chord, ...]:
    """A chord a bar, at times two; the last bar leads back by the dominant or is the tonic."""
    succession = SUCCESSIONS[major]
    degree = 0 if begins_at_home else int(rng.choice((5, 3)))
    loop = [degree]
    while len(loop) < 4:
        weights = succession[degree]
        degree = int(rng.choice(7, p=weights / weights.sum()))
        loop.append(degree)
    degrees = [*loop, *loop][:bars]
    degrees[-1] = int(rng.choice((4, 4, 0) if loop[-1] != 4 else (4,)))
    borrowed = rng.random() < 0.15  # a chord of the other mode
    chords: list[Chord] = []
    for bar, degree in enumerate(degrees):
        halves = [degree]
        if metre == 4 and rng.random() < 0.2:
            weights = succession[degree]
            halves.append(int(rng.choice(7, p=weights / weights.sum())))
        for half, one in enumerate(halves):
            beats = metre / len(halves)
            root, quality = SCALES[major][one], QUALITIES[major][one]
            if quality == "dim":  # of these the chord a third below, whose upper part it is
                root, quality = (SCALES[major][4], "maj") if major else (SCALES[major][6], "maj")
            if not major and one == 4 and bar == bars - 1:
                quality = "maj"  # the leading note
            if borrowed and one == 3:
                quality = "min" if major else "maj"
            chords.append(Chord(bar * metre + half * beats, beats, root, quality))
    return tuple(chords)


def chord_tones(chord: Chord) -> tuple[int, int, int]:
    """Semitones above the tonic of root, third and fifth, below 12 each."""
    third = 4 if chord.quality == "maj" else 3
    return chord.root % 12, (chord.root + third) % 12, (chord.root + 7) % 12


def _melody(
    rng: np.random.Generator,
    metre: int,
    bars: int,
    major: bool,
    chords: tuple[Chord, ...],
    energy: float,
    valence: float,
) -> tuple[MelodyNote, ...]:
    """Two rhythms of a bar in turn; strong notes are tones of the chord, the others steps of the scale between them."""
    density = float(np.clip(rng.normal(0.2 + 0.45 * energy, 0.1), 0.1, 0.8))
    rhythms = [_rhythm(rng, metre, density) for _ in range(2)]
    rise = 0.5 + 0.25 * (valence - 0.5)
    place, notes = int(rng.choice((0, 4, 7))), []
    for bar in range(bars):
        rhythm = rhythms[(bar % 4 == 1) or (bar % 4 == 3 and bars > 4)]
        if bar == bars - 1:
            rhythm = [(0.0, metre * rng.uniform(0.5, 0.9))]
        for beat, beats in rhythm:
            when = bar * metre + beat
            chord = next(one for one in reversed(chords) if one.beat <= when)
            tones = chord_tones(chord)
            strong = beat % 2 == 0
            allowed = tones if strong else sorted({*SCALES[major], *tones})
            target = place + int(rng.integers(1, 5)) * (1 if rng.random() < rise - 0.06 * (place - 4) / 4 else -1)
            candidates = [octave + tone for octave in (-12, 0, 12) for tone in allowed]
            place = min(candidates, key=lambda pitch: (abs(pitch - target), pitch))
            place = int(np.clip(place, -7, 16)) if place in range(-7, 17) else int(tones[0])
            notes.append(MelodyNote(when, beats, place, not strong))
    return tuple(notes)


def _rhythm(rng: np.random.Generator, metre: int, density: float) -> list[tuple[float, float]]:
    """(beat, beats) of the notes of a bar on eighths: the first beat nearly always, then as the density says."""
    steps = [
        step for step in range(2 * metre) if rng.random() < (0.85 if step == 0 else density * (1.3, 0.7)[step % 2])
    ]
    steps = steps or [0]
    legato = rng.uniform(0.6, 1.0)
    ends = [*steps[1:], 2 * metre]
    return [(step / 2, legato * min(end - step, 5) / 2) for step, end in zip(steps, ends, strict=True)]
