"""Versions of works: the key, tempo, players, arrangement and recording of one performance."""

import dataclasses

import numpy as np

from mu.world.works.styles import STYLES, Style
from mu.world.works.work import Work

TEMPO_BPM = (60.0, 184.0)
ELSEWHERE = 0.1
"""How likely an instrument is one of another style's."""
NO_DRIFT = 0.0


@dataclasses.dataclass(frozen=True)
class Version:
    """How a work is performed and recorded.

    Attributes:
      work: number of the work.
      number: of the version, from 0.
      style: of the artist.
      tempo_bpm: quarter notes a minute, their mean where the tempo drifts.
      tonic: pitch class, 0 is C.
      tuning_cents: how far all pitches lie above A4 = 440 Hz.
      energy: in (0, 1).
      brightness: of the players, in (0, 1).
      chords: instrument of the chords.
      lead: instrument of the melody.
      bass: instrument of the bass.
      drums: pattern of the drums, '' for none.
      drums_enter: section before which the drums are silent, 0 for none.
      comping: how chords are played, in verses and choruses, and in bridges.
      swing: where the second eighth of a beat lies.
      tempo_drift: amplitude of a slow change of tempo, as a share of it; 0 for none.
      drift_beats: period of that change.
      substitution: how likely a chord is replaced by the one a third below.
      ornament: how likely a weak note of the melody is left out.
      lead_db: of the melody beside the chords.
      level_db: root mean square of the recording, full scale is 0.
      noise_db: pink noise beneath the music.
      wet: how loud the room is.
      room_s: in how many seconds its echoes fall by 60 dB.
      offset_s: silence before the first beat.
      first_bar: of the first section, modulo its bars: tracks begin within it.
    """

    work: int
    number: int
    style: Style
    tempo_bpm: float
    tonic: int
    tuning_cents: float
    energy: float
    brightness: float
    chords: str
    lead: str
    bass: str
    drums: str
    drums_enter: int
    comping: tuple[str, str]
    swing: float
    tempo_drift: float
    drift_beats: float
    substitution: float
    ornament: float
    lead_db: float
    level_db: float
    noise_db: float
    wet: float
    room_s: float
    offset_s: float
    first_bar: int


def make_version(seed: int, work: Work, number: int) -> Version:
    """The version of a number; a function of (seed, work, number) alone.

    Styles, keys, tempi, instruments, rooms and levels are drawn anew for each version; energy stays near the work's.
    """
    rng = np.random.default_rng([seed, 8, work.number, number])
    style = STYLES[rng.integers(len(STYLES))]
    energy = float(np.clip(work.energy + rng.normal(scale=0.12), 0.02, 0.98))

    def one_of(attribute: str) -> str:
        of = STYLES[rng.integers(len(STYLES))] if rng.random() < ELSEWHERE else style
        choices = getattr(of, attribute)
        return str(choices[rng.integers(len(choices))])

    chords, lead, bass = one_of("chords"), one_of("leads"), one_of("basses")
    drums = style.drums if energy > 0.12 else ""
    drift = float(rng.uniform(0.01, 0.05)) if rng.random() < style.rubato else NO_DRIFT
    decades, level_db, noise_db = rng.uniform((np.log10(0.2), -32, 18), (np.log10(2.0), -14, 50))
    return Version(
        work=work.number,
        number=number,
        style=style,
        tempo_bpm=float(np.clip(work.tempo_bpm * 2 ** rng.uniform(-0.3, 0.3), *TEMPO_BPM)),
        tonic=int(rng.integers(12)),
        tuning_cents=float(np.clip(rng.normal(scale=15), -45, 45)),
        energy=energy,
        brightness=float(rng.uniform(0.1, 0.9)),
        chords=chords,
        lead=lead,
        bass=bass,
        drums=drums,
        drums_enter=int(rng.random() < 0.25),
        comping=(one_of("comping"), one_of("comping")),
        swing=style.swing,
        tempo_drift=drift,
        drift_beats=float(rng.uniform(16, 48)),
        substitution=float(rng.uniform(0.0, 0.12)),
        ornament=float(rng.uniform(0.0, 0.3)),
        lead_db=float(rng.normal(1.0, 3.0)),
        level_db=float(level_db),
        noise_db=float(noise_db),
        wet=float(style.wet * rng.uniform(0.5, 1.8)),
        room_s=float(10**decades),
        offset_s=float(rng.uniform(0.1, 1.2)),
        first_bar=int(rng.integers(8)),
    )
