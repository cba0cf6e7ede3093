"""Drums: what is struck in a bar, by pattern, and the fill that leads into the next section."""

import numpy as np

from mu.world.score import HAT, KICK, SNARE

Stroke = tuple[float, int, float]
"""Beat of the bar, drum, loudness."""


def bar_of_drums(pattern: str, metre: int, energy: float) -> list[Stroke]:
    """The strokes of a bar; energy lets cymbals be struck more often and kicks come between the beats.

    Args:
      pattern: 'backbeat', 'four on the floor', 'ride', 'one drop', or '' for none.
      metre: beats a bar, 3 or 4.
      energy: in (0, 1).
    """
    if not pattern:
        return []
    beats = range(metre)
    if pattern == "four on the floor":
        strokes = [(float(beat), KICK, 1.0) for beat in beats]
        strokes += [(beat, SNARE, 0.7) for beat in _backbeats(metre)]
        strokes += [(beat + 0.5, HAT, 0.5) for beat in beats]
        per_beat = 4 if energy > 0.7 else 1
    elif pattern == "ride":
        strokes = [(beat, SNARE, 0.3) for beat in _backbeats(metre)] if energy > 0.5 else []
        strokes += [(0.0, KICK, 0.4)]
        strokes += [(float(beat), HAT, 0.5) for beat in beats] + [(beat + 0.5, HAT, 0.35) for beat in beats if beat % 2]
        per_beat = 1
    elif pattern == "one drop":
        middle = 2.0 if metre == 4 else 1.0
        strokes = [(middle, KICK, 1.0), (middle, SNARE, 0.6)]
        per_beat = 2
    else:
        strokes = [(0.0, KICK, 1.0), *((2.0, KICK, 0.9) for _ in range(metre == 4))]
        strokes += [(metre - 1.5, KICK, 0.7)] if energy > 0.5 else []
        strokes += [(beat, SNARE, 0.8) for beat in _backbeats(metre)]
        per_beat = 4 if energy > 0.8 else 2 if energy > 0.35 else 1
    strokes += [
        (step / per_beat, HAT, 0.45 if step % per_beat == 0 else 0.28)
        for step in range(per_beat * metre)
        if pattern != "ride"
    ]
    return strokes


def fill(metre: int, energy: float, rng: np.random.Generator) -> list[Stroke]:
    """Strokes in the last beat of a section, on sixteenths or eighths."""
    steps = 4 if energy > 0.5 else 2
    return [(metre - 1 + step / steps, SNARE, float(rng.uniform(0.5, 0.9))) for step in range(steps)]


def _backbeats(metre: int) -> tuple[float, ...]:
    return (1.0, 3.0) if metre == 4 else (1.0, 2.0)
