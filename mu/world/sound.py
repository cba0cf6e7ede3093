"""The sound of tracks, rendered on demand: 8 s at 16 kHz."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mu.world.catalogue import AUDIBLE, Catalogue
from mu.world.score import SECONDS, Attributes, Score, compose
from mu.world.synthesis import render
from mu.world.wavetables import wavetables
from mu_kernels.threads import run_rows

RATE_HZ = 16_000
SAMPLES = int(SECONDS * RATE_HZ)


class Recording(NamedTuple):
    """How a score is played and recorded; for several recordings, arrays [B].

    Attributes:
      seed: uint64, of the noise in its notes.
      brightness: of its voices, in (0, 1).
      wet: how loud the room is.
      room_s: in how many seconds its echoes fall by 60 dB.
      level: root mean square, where 1 is full scale; less where peaks would pass 0.98.
    """

    seed: float | np.ndarray
    brightness: float | np.ndarray
    wet: float | np.ndarray
    room_s: float | np.ndarray
    level: float | np.ndarray


def attributes(catalogue: Catalogue, track: int) -> Attributes:
    """The musical attributes of a track, for `mu.world.score.compose`."""
    shares = dict(zip(AUDIBLE[1:], catalogue.shares[track].tolist(), strict=True))
    return Attributes(
        tempo_bpm=float(catalogue.tempo_bpm[track]),
        metre=int(catalogue.metre[track]),
        key=int(catalogue.key[track]),
        major=bool(catalogue.major[track]),
        chords=int(catalogue.chords[track]),
        lead=int(catalogue.lead[track]),
        **shares,
    )


def sound(catalogue: Catalogue, tracks: np.ndarray, seed: int, threads: int | None = None) -> np.ndarray:
    """The sound of tracks, a function of (seed, track) and the track's attributes alone.

    Level and room of a recording are drawn at random, whatever its attributes.

    Args:
      catalogue: of the world.
      tracks: int [B].
      seed: of the world.
      threads: None for all CPUs; the result does not depend on it.

    Returns:
      float32 [B, 128000] within [-1, 1], mono, 16 kHz.

    Raises:
      ValueError: there is no such track.
    """
    tracks = np.asarray(tracks)
    if tracks.ndim != 1 or (len(tracks) and tracks.dtype.kind not in "iu"):
        raise ValueError(f"tracks must be integers [B], rows of the catalogue; got {tracks.dtype} {tracks.shape}")
    if len(tracks) and not 0 <= tracks.min() <= tracks.max() < len(catalogue):
        bad = tracks[(tracks < 0) | (tracks >= len(catalogue))][0]
        raise ValueError(f"tracks holds {bad}; this world has tracks 0 to {len(catalogue) - 1}")
    scores, recordings = [], []
    for track in tracks.tolist():
        rng = np.random.default_rng([seed, 5, track])
        about = attributes(catalogue, track)
        scores.append(compose(about, rng))
        wet, decades, level_db = rng.uniform((0.05, np.log10(0.2), -30), (0.6, np.log10(1.8), -16))
        level = 10 ** (level_db / 20)
        recordings.append(Recording(rng.integers(2**63), about.brightness, wet, 10**decades, level))
    return perform(scores, recordings, threads)


def perform(scores: Sequence[Score], recordings: Sequence[Recording], threads: int | None = None) -> np.ndarray:
    """float32 [B, 128000]: each score as it was recorded; equal for any `threads`."""
    out = np.empty((len(scores), SAMPLES), dtype=np.float32)
    if not len(scores):
        return out
    indptr = np.cumsum([0, *(len(score.voice) for score in scores)])
    notes = Score(*(np.concatenate(column) for column in zip(*scores, strict=True)))
    seed, *numbers = zip(*recordings, strict=True)
    made = Recording(np.array(seed, dtype=np.uint64), *(np.array(column, dtype=np.float64) for column in numbers))
    run_rows(render, len(scores), threads, indptr, notes, made, wavetables(RATE_HZ), float(RATE_HZ), out)
    return out
