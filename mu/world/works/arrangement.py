"""Arrangements: the notes of a version, and what is true of it."""

import dataclasses

import numpy as np

from mu.world.score import HAT, KICK, SCALES, hertz_of
from mu.world.works.drums import bar_of_drums, fill
from mu.world.works.instruments import CODES, INSTRUMENTS
from mu.world.works.truth import TONICS, Note, Span, Truth, apart
from mu.world.works.version import Version
from mu.world.works.work import Chord, Section, Work

CHORDS, LEAD, BASS, DRUMS = range(4)
"""Parts, each with effects of its own."""
LOWEST_BASS = 28


@dataclasses.dataclass(frozen=True)
class Played:
    """A note as it is played.

    Attributes:
      part: CHORDS, LEAD, BASS or DRUMS.
      start_s: when it begins.
      length_s: until it is released; drums ignore it.
      hertz: its pitch; of a cymbal where its noise begins.
      loudness: 1 is a loud note.
      drum: of `mu.world.score` for drums, else -1.
    """

    part: int
    start_s: float
    length_s: float
    hertz: float
    loudness: float
    drum: int = -1


class Grid:
    """The times of beats: a tempo that may drift, and swung eighths."""

    def __init__(self, version: Version, beats: int, phase: float):
        self._swing = version.swing
        place = 2 * np.pi * (np.arange(beats + 1) / version.drift_beats + phase)
        period_s = 60 / version.tempo_bpm * (1 + version.tempo_drift * np.sin(place))
        self._beats_s = version.offset_s + np.concatenate([[0.0], np.cumsum(period_s)])

    def time_s(self, beat: float) -> float:
        """When a place in beats from the beginning comes."""
        whole = int(np.floor(beat))
        part = beat - whole
        part = 2 * self._swing * part if part < 0.5 else self._swing + (2 * part - 1) * (1 - self._swing)
        first, second = self._beats_s[whole : whole + 2]
        return float(first + part * (second - first))


def arrange(seed: int, work: Work, version: Version, duration_s: float) -> tuple[list[Played], Truth]:
    """The notes of a version in a sound of `duration_s`, and its truth; a function of its arguments alone."""
    rng = np.random.default_rng([seed, 9, work.number, version.number])
    beats_in_all = int(np.ceil(duration_s * version.tempo_bpm * 1.06 / 60)) + 2 * work.metre
    longest = max(section.bars for section in work.sections.values()) * work.metre
    grid = Grid(version, beats_in_all + longest, rng.random())
    played: list[Played] = []
    chords: list[Span] = [Span(0.0, grid.time_s(0), "N")]
    sections: list[Span] = []
    melody: list[Note] = []
    begin, place = 0, 0
    while grid.time_s(begin) < duration_s:
        section = work.sections[work.form[place % len(work.form)]]
        if place == 0:
            section = _from_bar(section, version.first_bar % section.bars, work.metre)
        end = begin + section.bars * work.metre
        sections.append(Span(grid.time_s(begin) if place else 0.0, grid.time_s(end), section.label))
        harmony = _harmony(section, work, version, rng)
        chords += [
            Span(grid.time_s(begin + chord.beat), grid.time_s(begin + chord.beat + chord.beats), name)
            for chord, name, _ in harmony
        ]
        loudness = (0.8 if section.label == "verse" else 1.0) * (0.5 + 0.5 * version.energy)
        played += _chords(harmony, section, work, version, grid, begin, loudness)
        played += _bass(harmony, work, version, grid, begin, loudness, rng)
        lead, notes = _lead(section, work, version, grid, begin, loudness, rng)
        played += lead
        melody += notes
        if place >= version.drums_enter:
            played += _drums(section, work, version, grid, begin, rng)
        begin, place = end, place + 1
    played = [_strayed(note, version.style.stray_s, rng) for note in played if note.start_s < duration_s - 0.05]
    beats_s = np.array([grid.time_s(beat) for beat in range(begin)])
    inside = beats_s < duration_s
    positions = np.arange(begin) % work.metre + 1
    truth = Truth(
        duration_s=duration_s,
        tempo_bpm=float(60 / np.median(np.diff(beats_s[inside]))),
        tonic=version.tonic,
        major=work.major,
        beats_s=beats_s[inside],
        positions=positions[inside],
        onsets_s=apart(np.array([note.start_s for note in played])),
        chords=_cut(chords, duration_s),
        sections=_cut(sections, duration_s),
        melody=tuple(
            Note(note.start_s, min(note.end_s, duration_s), note.hertz)
            for note in melody
            if note.start_s < duration_s - 0.05
        ),
    )
    return played, truth


def _from_bar(section: Section, bar: int, metre: int) -> Section:
    """The section from a bar on: a track may begin within it."""
    skipped = bar * metre
    chords = [dataclasses.replace(one, beat=one.beat - skipped) for one in section.chords if one.beat >= skipped]
    melody = [dataclasses.replace(one, beat=one.beat - skipped) for one in section.melody if one.beat >= skipped]
    return Section(section.label, section.bars - bar, tuple(chords), tuple(melody))


def _cut(spans: list[Span], duration_s: float) -> tuple[Span, ...]:
    """Spans that begin before the end, equal neighbours joined."""
    kept: list[Span] = []
    for span in spans:
        if span.start_s >= duration_s - 1e-6:
            continue
        span = Span(span.start_s, min(span.end_s, duration_s), span.label)
        if kept and kept[-1].label == span.label and ":" in span.label:
            kept[-1] = Span(kept[-1].start_s, span.end_s, span.label)
        else:
            kept.append(span)
    return tuple(kept)


def _harmony(
    section: Section, work: Work, version: Version, rng: np.random.Generator
) -> list[tuple[Chord, str, tuple[int, ...]]]:
    """(chord, its name, its tones as pitch classes) of a section; some are replaced, some get a seventh."""
    out = []
    for chord in section.chords:
        down = 3 if chord.quality == "maj" else 4
        in_key = chord.root and (chord.root - down) % 12 in SCALES[work.major]
        if rng.random() < version.substitution and in_key:
            # The chord a third below shares two tones: A minor for C major, F major for A minor.
            chord = Chord(chord.beat, chord.beats, (chord.root - down) % 12, "min" if chord.quality == "maj" else "maj")
        root = (version.tonic + chord.root) % 12
        third = 4 if chord.quality == "maj" else 3
        tones, quality = (root, (root + third) % 12, (root + 7) % 12), chord.quality
        if rng.random() < version.style.sevenths:
            dominant = chord.quality == "min" or chord.root == 7 or (not work.major and chord.root == 10)
            tones += ((root + (10 if dominant else 11)) % 12,)
            quality = {"min": "min7", "maj": "7" if dominant else "maj7"}[chord.quality]
        out.append((chord, f"{TONICS[root]}:{quality}", tones))
    return out


def _pitch(version: Version, pitch: float) -> float:
    return float(hertz_of(pitch + version.tuning_cents / 100))


def _above(lowest: int, pitch_class: int) -> int:
    return lowest + (pitch_class - lowest) % 12


def _chords(
    harmony: list[tuple[Chord, str, tuple[int, ...]]],
    section: Section,
    work: Work,
    version: Version,
    grid: Grid,
    begin: int,
    loudness: float,
) -> list[Played]:
    del work
    lowest = INSTRUMENTS[CODES[version.chords]].lowest
    comping = version.comping[section.label == "bridge"]
    notes = []
    for chord, _, tones in harmony:
        pitches = sorted(_above(lowest, tone) for tone in tones)
        strikes: list[tuple[float, float, list[int]]] = []
        steps = int(2 * chord.beats)
        if comping == "sustained":
            strikes = [(0.0, 0.97 * chord.beats, pitches)]
        elif comping == "beats":
            strikes = [(float(beat), 0.8, pitches) for beat in range(int(chord.beats))]
        elif comping == "offbeats":
            strikes = [(beat + 0.5, 0.4, pitches) for beat in range(int(chord.beats))]
        elif comping == "eighths":
            strikes = [(step / 2, 0.45, pitches) for step in range(steps)]
        else:  # broken
            around = [*pitches, *pitches[-2:0:-1]]
            strikes = [(step / 2, 1.2, [around[step % len(around)]]) for step in range(steps)]
        for beat, beats, struck in strikes:
            start = begin + chord.beat + beat
            accent = 1.15 if beat == 0 else 1.0
            length_s = grid.time_s(start + beats) - grid.time_s(start)
            notes += [
                Played(CHORDS, grid.time_s(start), length_s, _pitch(version, pitch), 0.3 * accent * loudness)
                for pitch in struck
            ]
    return notes


def _bass(
    harmony: list[tuple[Chord, str, tuple[int, ...]]],
    work: Work,
    version: Version,
    grid: Grid,
    begin: int,
    loudness: float,
    rng: np.random.Generator,
) -> list[Played]:
    """Roots: long, on first and third beats, on eighths, or a walk through the chord, as style and energy say."""
    notes = []
    for chord, _, tones in harmony:
        root = _above(LOWEST_BASS, tones[0])
        if version.style.walking:
            walk = [root, *(_above(root, tones[int(rng.integers(len(tones)))]) for _ in range(int(chord.beats) - 1))]
            strikes = [(float(beat), 0.9, pitch) for beat, pitch in enumerate(walk)]
        elif version.energy < 0.35:
            strikes = [(0.0, 0.95 * chord.beats, root)]
        elif version.energy < 0.7:
            strikes = [(0.0, 1.4, root)]
            strikes += (
                [(chord.beats - 1.0 - 0.5 * (work.metre == 4), 0.8, _above(root, tones[2]))] if chord.beats > 2 else []
            )
        else:
            strikes = [(step / 2, 0.42, root + 12 * (step % 2 and version.style.drums == "four on the floor"))
                       for step in range(int(2 * chord.beats))]  # fmt: skip
        for beat, beats, pitch in strikes:
            start = begin + chord.beat + beat
            accent = 1.2 if beat == 0 else 1.0
            length_s = grid.time_s(start + beats) - grid.time_s(start)
            notes.append(Played(BASS, grid.time_s(start), length_s, _pitch(version, pitch), 0.5 * accent * loudness))
    return notes


def _lead(
    section: Section,
    work: Work,
    version: Version,
    grid: Grid,
    begin: int,
    loudness: float,
    rng: np.random.Generator,
) -> tuple[list[Played], list[Note]]:
    del work
    home = _above(INSTRUMENTS[CODES[version.lead]].lowest, version.tonic)
    gain = 0.5 * 10 ** (version.lead_db / 20)
    played, notes = [], []
    for note in section.melody:
        if note.weak and rng.random() < version.ornament:
            continue
        start_s = grid.time_s(begin + note.beat)
        length_s = grid.time_s(begin + note.beat + note.beats) - start_s
        hertz = _pitch(version, home + note.pitch)
        loud = gain * loudness * float(rng.uniform(0.8, 1.15))
        played.append(Played(LEAD, start_s, length_s, hertz, loud))
        notes.append(Note(start_s, start_s + length_s, hertz))
    return played, notes


def _drums(
    section: Section, work: Work, version: Version, grid: Grid, begin: int, rng: np.random.Generator
) -> list[Played]:
    loudness = 0.25 + 0.75 * version.energy
    cymbal = float(hertz_of(104 + 8 * version.brightness))
    played = []
    for bar in range(section.bars):
        strokes = bar_of_drums(version.drums, work.metre, version.energy)
        if strokes and bar == section.bars - 1:
            strokes += fill(work.metre, version.energy, rng)
        for beat, drum, loud in strokes:
            hertz = cymbal if drum == HAT else (49.0 if drum == KICK else 185.0)
            start_s = grid.time_s(begin + bar * work.metre + beat)
            accented = loud * loudness * float(rng.uniform(0.85, 1.1))
            played.append(Played(DRUMS, start_s, 0.1, hertz, accented, drum))
    return played


def _strayed(note: Played, stray_s: float, rng: np.random.Generator) -> Played:
    """The note, early or late by a little; never before the sound begins."""
    return dataclasses.replace(note, start_s=max(note.start_s + float(rng.normal(scale=stray_s)), 0.0))
