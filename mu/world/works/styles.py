"""Styles of artists: who plays, what the drums do, and how it is recorded."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Style:
    """How an artist plays a work.

    Attributes:
      name: as the table has it.
      chords: instruments of the chords.
      leads: instruments of the melody.
      basses: instruments of the bass.
      drums: pattern of the drums: '' for none (`mu.world.works.drums`).
      comping: how chords are played: 'sustained', 'beats', 'offbeats', 'broken', 'eighths'.
      walking: whether the bass walks on every beat.
      swing: where the second eighth of a beat lies, .5 to .67.
      sevenths: how likely a chord gets a seventh.
      distortion: of chords, 0 for none.
      delay: how loud echoes of the melody are.
      wet: how loud the room is.
      dull: whether what lies above 3 kHz is taken away.
      stray_s: standard deviation of the time of notes.
      rubato: how likely the tempo drifts.
    """

    name: str
    chords: tuple[str, ...]
    leads: tuple[str, ...]
    basses: tuple[str, ...]
    drums: str
    comping: tuple[str, ...]
    walking: bool = False
    swing: float = 0.5
    sevenths: float = 0.0
    distortion: float = 0.0
    delay: float = 0.0
    wet: float = 0.2
    dull: bool = False
    stray_s: float = 0.006
    rubato: float = 0.1


STYLES = (
    Style(
        "folk", ("guitar",), ("voice", "violin", "flute"), ("plucked bass",), "", ("broken", "beats"),
        wet=0.15, stray_s=0.012, rubato=0.5,
    ),
    Style(
        "rock", ("guitar", "organ"), ("voice", "guitar"), ("electric bass",), "backbeat", ("eighths", "beats"),
        distortion=6.0, wet=0.2,
    ),
    Style(
        "pop", ("piano", "electric piano", "strings"), ("voice", "synthesiser"), ("electric bass",), "backbeat",
        ("beats", "sustained"), delay=0.2, wet=0.25,
    ),
    Style(
        "house", ("synthesiser", "electric piano", "organ"), ("synthesiser", "voice"), ("electric bass",),
        "four on the floor", ("offbeats", "sustained"), delay=0.4, wet=0.3, stray_s=0.001, rubato=0.0,
    ),
    Style(
        "jazz", ("piano", "guitar", "electric piano"), ("trumpet", "flute", "voice"), ("plucked bass",), "ride",
        ("beats", "offbeats"), walking=True, swing=0.64, sevenths=0.7, wet=0.15, stray_s=0.012,
    ),
    Style(
        "classical", ("strings", "piano"), ("violin", "flute"), ("plucked bass",), "", ("sustained", "broken"),
        wet=0.5, stray_s=0.012, rubato=0.7,
    ),
    Style(
        "reggae", ("organ", "guitar"), ("voice", "trumpet"), ("electric bass",), "one drop", ("offbeats",),
        swing=0.55, delay=0.3, wet=0.25,
    ),
    Style(
        "lo-fi", ("electric piano", "guitar"), ("flute", "synthesiser", "electric piano"), ("electric bass",),
        "backbeat", ("sustained", "beats"), swing=0.6, sevenths=0.5, wet=0.35, dull=True, stray_s=0.015,
    ),
)  # fmt: skip
