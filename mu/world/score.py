"""The score of a track: chords, bass, melody and drums as notes, composed from its musical attributes."""

from typing import NamedTuple

import numpy as np

SECONDS = 8.0
PAD, GUITAR, PIANO, SYNTHESISER, FLUTE, BELL, BASS, KICK, SNARE, HAT = range(10)
"""Voices; see `voices.py` for the sound of each."""
VOICES = ("pad", "guitar", "electric piano", "synthesiser", "flute", "bell", "bass", "kick", "snare", "hat")
SCALES = {True: (0, 2, 4, 5, 7, 9, 11), False: (0, 2, 3, 5, 7, 8, 10)}
"""Semitones of the major scale (True) and of the natural minor one."""
PROGRESSIONS = {
    True: ((0, 4, 5, 3), (0, 3, 4, 0), (0, 5, 3, 4), (5, 3, 0, 4), (0, 3, 0, 4)),
    False: ((0, 5, 2, 6), (0, 3, 4, 0), (0, 6, 5, 6), (0, 3, 6, 2), (0, 5, 3, 4)),
}
"""Degrees of the scale, a chord a bar."""
LOWEST_BASS, LOWEST_CHORD = 31, 52
"""G1 and E3, as MIDI counts: bass and chords lie in the octaves above, so that voices move little between chords."""
ACCENT = 1.25
"""How much louder a note is on the first beat of a bar."""


class Attributes(NamedTuple):
    """The musical attributes that a score is composed from.

    Attributes:
      tempo_bpm: quarter notes a minute.
      metre: quarter notes a bar, 3 or 4.
      key: 0 = C ... 11 = B.
      major: major or minor.
      energy: in (0, 1).
      brightness: in (0, 1).
      acousticness: in (0, 1).
      danceability: in (0, 1).
      valence: in (0, 1).
      chords: the voice of the chords.
      lead: the voice of the melody.
    """

    tempo_bpm: float
    metre: int
    key: int
    major: bool
    energy: float
    brightness: float
    acousticness: float
    danceability: float
    valence: float
    chords: int
    lead: int


class Score(NamedTuple):
    """n notes in order of composition.

    Attributes:
      start_s: float64 [n].
      length_s: float64 [n]; drums ignore it.
      hertz: float64 [n], the pitch; of a hat where its noise begins.
      loudness: float64 [n], 1 is a loud note.
      voice: int64 [n].
    """

    start_s: np.ndarray
    length_s: np.ndarray
    hertz: np.ndarray
    loudness: np.ndarray
    voice: np.ndarray


Note = tuple[float, float, float, float, int]
"""Beat of the bar, length in beats, pitch as MIDI counts, loudness, voice."""


def hertz_of(pitch: np.ndarray | float) -> np.ndarray:
    """The frequency of MIDI pitches in equal temperament, A4 (69) = 440 Hz."""
    return 440.0 * 2.0 ** ((np.asarray(pitch) - 69) / 12)


def compose(track: Attributes, rng: np.random.Generator) -> Score:
    """A score of `SECONDS`; equal attributes and generators give equal scores.

    A progression of four chords goes round, one a bar, and each part repeats a pattern of its own over it. Energy sets
    how many notes there are and how loud the drums; danceability whether the kick is on every beat and the bass leaps;
    acousticness lets notes stray from their time by milliseconds; brightness is for the voices and the cymbal; valence
    lets the melody rise rather than fall.
    """
    bar_s = track.metre * 60 / track.tempo_bpm
    offset_s = -rng.uniform(0, bar_s)  # a clip begins anywhere in a bar
    progression = PROGRESSIONS[track.major][rng.integers(len(PROGRESSIONS[track.major]))]
    turn = int(rng.integers(len(progression)))
    chords, bass, drums = _chord_pattern(track, rng), _bass_pattern(track, rng), _drum_pattern(track, rng)
    motifs = _motif(track, rng), _motif(track, rng)
    tonic = _above(62 + 4 * track.valence + rng.uniform(-4, 4), track.key)
    notes: list[Note] = []
    bars = []
    for bar in range(int(np.ceil((SECONDS - offset_s) / bar_s))):
        degree = progression[(turn + bar) % len(progression)]
        notes += _chord_bar(track, degree, chords)
        notes += _bass_bar(track, degree, bass)
        notes += _melody_bar(track, degree, tonic, motifs[(turn + bar) % 4 == 2])
        notes += drums
        bars += [bar] * (len(notes) - len(bars))
    beat, beats, pitch, loudness, voice = np.array(notes).T
    stray_s = 0.002 + 0.012 * track.acousticness * (1 - track.danceability)
    start_s = offset_s + bar_s * (np.array(bars) + beat / track.metre) + rng.normal(scale=stray_s, size=len(notes))
    length_s = bar_s * beats / track.metre
    loudness *= np.where(beat == 0, ACCENT, 1.0) * rng.uniform(0.85, 1.15, size=len(notes))
    inside = (start_s + length_s > 0) & (start_s < SECONDS)
    columns = (start_s, length_s, hertz_of(pitch), loudness, voice.astype(np.int64))
    return Score(*(column[inside] for column in columns))


def _semitones(track: Attributes, degree: int) -> int:
    """Semitones from the tonic to a degree of the scale; degrees beyond 0 to 6 lie in other octaves."""
    return 12 * (degree // 7) + SCALES[track.major][degree % 7]


def _above(lowest: float, pitch: int) -> int:
    """The pitch, moved by octaves into the one that begins at `lowest`."""
    lowest = round(lowest)
    return lowest + (pitch - lowest) % 12


def _chord_pattern(track: Attributes, rng: np.random.Generator) -> list[tuple[float, float, int]]:
    """(beat, beats, tone of the triad): sustained by a pad, else broken, or struck on the beats or between them."""
    if track.chords == PAD:
        return [(0.0, track.metre, tone) for tone in range(3)]
    if rng.random() > 0.3 + 0.5 * track.danceability:
        return [(step / 2, 1.5, (0, 1, 2, 1)[step % 4]) for step in range(2 * track.metre)]
    late = 0.5 if rng.random() < track.danceability * track.energy else 0.0
    if track.energy > 0.7:
        beats = np.arange(0, track.metre, 0.5)
    else:
        beats = np.arange(track.metre) + late if track.metre == 4 else (1, 2)  # a waltz strikes after the bass
    return [(beat + 0.03 * tone, 0.8, tone) for beat in beats for tone in range(3)]


def _chord_bar(track: Attributes, degree: int, pattern: list[tuple[float, float, int]]) -> list[Note]:
    triad = sorted(_above(LOWEST_CHORD, track.key + _semitones(track, degree + step)) for step in (0, 2, 4))
    loudness = 0.22 + 0.12 * track.energy
    return [(beat, beats, triad[tone], loudness, track.chords) for beat, beats, tone in pattern]


def _bass_pattern(track: Attributes, rng: np.random.Generator) -> list[tuple[float, float, int]]:
    """(beat, beats, degrees above the root): one note a bar, two, or eighths, as the energy rises."""
    energy = track.energy + rng.normal(scale=0.08)
    if energy < 0.35:
        return [(0.0, 0.95 * track.metre, 0)]
    if energy < 0.65:
        return [(0.0, 1.9, 0), (track.metre - 2 if track.metre == 4 else 2, 1.0, 4)]
    leap = 7 if track.danceability > 0.5 else 0
    return [(step / 2, 0.42, leap * (step % 2)) for step in range(2 * track.metre)]


def _bass_bar(track: Attributes, degree: int, pattern: list[tuple[float, float, int]]) -> list[Note]:
    root = _above(LOWEST_BASS, track.key + _semitones(track, degree))
    voice = GUITAR if track.acousticness > 0.5 else BASS
    loudness = 0.4 + 0.2 * track.energy
    above = {0: 0, 4: _semitones(track, degree + 4) - _semitones(track, degree), 7: 12}
    return [(beat, beats, root + above[degrees], loudness, voice) for beat, beats, degrees in pattern]


def _motif(track: Attributes, rng: np.random.Generator) -> list[tuple[float, float, int]]:
    """(beat, beats, degrees from the note before) of a bar of melody; there may be rests, the first beat has a note."""
    share = np.clip(rng.normal(0.25 + 0.45 * track.energy, 0.15), 0.1, 0.9)
    onsets = [0, *(step for step in range(1, 2 * track.metre) if rng.random() < share)]
    legato = rng.uniform(0.5, 1.0)
    rise = rng.normal(track.valence, 0.3) > 0.5
    moves = rng.choice((-2, -1, 1, 2), p=(0.1, 0.25, 0.45, 0.2) if rise else (0.2, 0.45, 0.25, 0.1), size=len(onsets))
    ends = [*onsets[1:], 2 * track.metre]
    return [
        (onset / 2, legato * min(end - onset, 4) / 2, 0 if onset == 0 else int(move))
        for onset, end, move in zip(onsets, ends, moves, strict=True)
    ]


def _melody_bar(track: Attributes, degree: int, tonic: int, motif: list[tuple[float, float, int]]) -> list[Note]:
    """The motif from the tone of the chord that is nearest to the tonic."""
    place = min((degree, degree + 2, degree + 4, degree - 3, degree - 5, degree - 7), key=abs)
    notes = []
    for beat, beats, move in motif:
        place += move
        notes.append((beat, beats, tonic + _semitones(track, place), 0.4 + 0.15 * track.energy, track.lead))
    return notes


def _drum_pattern(track: Attributes, rng: np.random.Generator) -> list[Note]:
    """The drums of a bar; none in calm music that nobody dances to."""
    presence = 0.8 * track.energy + 0.4 * track.danceability - 0.3 * track.acousticness
    if presence < 0.3:
        return []
    loudness = min(1.0, 0.3 + 0.7 * presence)
    kit = rng.uniform(-3, 3, size=2)
    cymbal = 106 + 6 * track.brightness
    if track.danceability > 0.6:
        kicks = [float(beat) for beat in range(track.metre)]
    else:
        kicks = [0.0, *((2.0,) if track.metre == 4 else ()), *((track.metre - 1.5,) if track.energy > 0.5 else ())]
    snares = (1, 3) if track.metre == 4 else (2,)
    per_beat = 4 if track.energy > 0.75 else 2 if track.energy > 0.4 else 1
    notes: list[Note] = [(beat, 0.1, 31 + kit[0], loudness, KICK) for beat in kicks]
    notes += [(beat, 0.1, 54 + kit[1], 0.7 * loudness, SNARE) for beat in snares]
    for step in range(per_beat * track.metre):
        accent = 0.4 if step % per_beat == 0 else 0.25
        notes.append((step / per_beat, 0.1, cymbal, accent * loudness, HAT))
    return notes
