"""Beats by dynamic programming: the evenly spaced train of onsets that scores best (Ellis, JNMR 36(1), 2007).

Shapes: any leading axes `...`, N samples, F frames, P frames that a beat may lie after the one before.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio import framing, medians, rhythm


class Beats(NamedTuple):
    """The beats of each clip.

    Attributes:
      tempo_bpm: float32 [...], 0 of a clip without onsets.
      is_beat: bool [..., F], which frames are beats.
    """

    tempo_bpm: jax.Array
    is_beat: jax.Array


def beat_times(
    x: np.ndarray | jax.Array,
    sample_rate_hz: float,
    *,
    hop_samples: int = 512,
    tempo_bpm: float | jax.Array | None = None,
    **options: Any,
) -> np.ndarray:
    """The beats of one recording in seconds, from its onset strength (median over mels, as `librosa.beat.beat_track`).

    For use outside jit; `track` has fixed shapes and any leading axes. Each new length of x is compiled once, in about
    2 s. Where lengths differ from recording to recording, cut x or pad it with silence to one of a few; of a piece
    without a clear beat, either may change the estimated tempo.

    Args:
      x: float32 [N].
      tempo_bpm: see `track`; another tempo is not compiled anew.
      options: of `track`, Python numbers.

    Returns:
      float64 [beats], NumPy, ascending.
    """
    if np.ndim(x) != 1:
        raise ValueError(f"x is one recording, [N]; got shape {np.shape(x)}: of several, use `track` and its mask")
    tempo_bpm = None if tempo_bpm is None else _checked_tempo(tempo_bpm)
    x = framing.as_array(x)
    beats = _beats_of_waveform(x, tempo_bpm, sample_rate_hz, hop_samples, tuple(sorted(options.items())))
    return np.flatnonzero(np.asarray(beats.is_beat)) * (hop_samples / sample_rate_hz)


def track(
    envelope: jax.Array,
    sample_rate_hz: float,
    *,
    hop_samples: int = 512,
    tempo_bpm: float | jax.Array | None = None,
    start_bpm: float = 120.0,
    tightness: float = 100.0,
    trim: bool = True,
    window_s: float = 8.0,
) -> Beats:
    """Beats b_1 < b_2 < ... that maximise sum_i o[b_i] - tightness sum_i log((b_i - b_{i-1}) / period)^2.

    o is the onset strength, in standard deviations and smoothed with a Gaussian of period / 32
    (`librosa.beat.beat_track`).

    Args:
      envelope: float32 [..., F], an onset strength at sample_rate_hz / hop_samples.
      tempo_bpm: a tempo or one for each clip [...]; None estimates each clip's with `rhythm.tempo`. Tempi slower than
        one beat in `window_s` are taken as that.
      start_bpm: the centre of the estimate's prior.
      tightness: how dear a departure from the period is.
      trim: drop beats of weak onsets at either end, below half the root mean square of the beats' onsets; else only
        those a period or more from any.
      window_s: of the tempo's estimate: its slowest beat, and so the farthest that a beat's predecessor is sought.

    Returns:
      Beats. No gradient.
    """
    envelope = rhythm.checked(envelope)
    if tightness <= 0:
        raise ValueError(f"tightness={tightness} must be positive")
    if tempo_bpm is None:
        tempo_bpm = rhythm.tempo(
            envelope, sample_rate_hz, hop_samples=hop_samples, start_bpm=start_bpm, window_s=window_s
        )
    tempo_bpm = jnp.broadcast_to(_checked_tempo(tempo_bpm), envelope.shape[:-1])
    longest = rhythm.tempo_lags(sample_rate_hz, hop_samples=hop_samples, window_s=window_s)
    return _track(envelope, tempo_bpm, 60.0 * sample_rate_hz / hop_samples, longest, tightness, trim)


def _checked_tempo(tempo_bpm: float | np.ndarray | jax.Array) -> jax.Array:
    """As float32; numbers that the host knows must be positive."""
    if not isinstance(tempo_bpm, jax.Array) and not np.all(np.asarray(tempo_bpm) > 0):
        raise ValueError(f"tempo_bpm={tempo_bpm} must be positive")
    return jnp.asarray(tempo_bpm, jnp.float32)


@functools.partial(jax.jit, static_argnums=(2, 3, 4, 5))
def _track(
    envelope: jax.Array, tempo_bpm: jax.Array, frames_per_minute: float, longest: int, tightness: float, trim: bool
) -> Beats:
    one = functools.partial(
        _track_one, frames_per_minute=frames_per_minute, longest=longest, tightness=tightness, trim=trim
    )
    for _ in envelope.shape[:-1]:
        one = jax.vmap(one)
    is_beat = one(*jax.lax.stop_gradient((envelope, tempo_bpm)))
    return Beats(jnp.where((envelope != 0).any(-1), tempo_bpm, jnp.float32(0)), is_beat)


def _track_one(
    envelope: jax.Array, tempo_bpm: jax.Array, *, frames_per_minute: float, longest: int, tightness: float, trim: bool
) -> jax.Array:
    """bool [F] of float32 [F] and a tempo."""
    frames = envelope.shape[-1]
    period = jnp.clip(jnp.round(jnp.float32(frames_per_minute) / tempo_bpm), 1, longest)
    deviation = jnp.std(envelope, ddof=1) if frames > 1 else jnp.float32(0)
    deviation = jnp.where(deviation > jnp.float32(framing.TINY), deviation, jnp.float32(1))
    onsets = _smoothed(envelope / deviation, period, longest)
    before, score = _best_predecessors(onsets, period, longest, tightness)

    # Where the last beat is: the last peak of the score that is at least half the median peak.
    rises = jnp.concatenate([jnp.zeros(1, bool), score[1:] > score[:-1]])
    falls = jnp.concatenate([score[:-1] >= score[1:], jnp.ones(1, bool)])
    peak = rises & falls
    high = peak & (score >= jnp.float32(0.5) * medians.median(score, peak))
    frame = jnp.arange(frames, dtype=jnp.int32)
    last = jnp.where(high.any(), jnp.where(high, frame, -1).max(), frames - 1)

    def walk(state: tuple[jax.Array, jax.Array], at: tuple[jax.Array, ...]) -> tuple[tuple, tuple]:
        (beat, after), (frame, before, onset) = state, at
        here = frame == beat
        return (jnp.where(here, before, beat), jnp.where(here, onset, after)), (here, after)

    _, (is_beat, after) = jax.lax.scan(walk, (last, jnp.float32(0)), (frame, before, onsets), reverse=True)
    if trim:
        # The beats' onsets, each with half of its neighbours'; the two extra places are those of librosa's convolution,
        # of which the first holds half the last beat's.
        earlier = jnp.where(before >= 0, onsets[before], jnp.float32(0))
        smooth = jnp.where(is_beat, onsets + jnp.float32(0.5) * (earlier + after), jnp.float32(0))
        energy = jnp.square(smooth).sum() + jnp.square(jnp.float32(0.5) * onsets[last])
        kept = onsets > jnp.float32(0.5) * jnp.sqrt(energy / (is_beat.sum(dtype=jnp.int32) + 2).astype(jnp.float32))
    else:
        # librosa asks for a smoothed onset above 0, in float64, where no Gaussian underflows: any onset within a
        # period.
        sounding = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(envelope.at[0].set(0) != 0, dtype=jnp.int32)])
        near = period.astype(jnp.int32)
        kept = sounding[jnp.minimum(frame + near + 1, frames)] > sounding[jnp.maximum(frame - near, 0)]
    first, final = jnp.where(kept, frame, frames).min(), jnp.where(kept, frame, -1).max()
    return is_beat & (frame >= first) & (frame <= final)


def _smoothed(onsets: jax.Array, period: jax.Array, longest: int) -> jax.Array:
    """onsets * exp(-(32 n / period)^2 / 2), |n| <= period. Frame 0, which librosa's loop misses, is left out."""
    # Beyond 14 standard deviations the weights are below the least float32.
    reach = min(math.ceil(14 * longest / 32), longest)
    padded = jnp.pad(onsets.at[0].set(0), (reach, reach))

    def add(total: jax.Array, shift: jax.Array) -> tuple[jax.Array, None]:
        away = (shift - reach).astype(jnp.float32)
        weight = jnp.where(jnp.abs(away) <= period, jnp.exp(-0.5 * jnp.square(32 * away / period)), jnp.float32(0))
        return total + weight * jax.lax.dynamic_slice_in_dim(padded, shift, len(onsets)), None

    return jax.lax.scan(add, jnp.zeros_like(onsets), jnp.arange(2 * reach + 1))[0]


def _best_predecessors(
    onsets: jax.Array, period: jax.Array, longest: int, tightness: float
) -> tuple[jax.Array, jax.Array]:
    """For each frame the beat before it, int32 [F], -1 for none; and the score of the best train that ends there [F].

    score[f] = onsets[f] + max over 1 <= n <= P of score[f - n] - tightness log(n / period)^2, with n from half a
    period to two.
    """
    steps = 2 * longest
    gap = jnp.arange(1, steps + 1, dtype=jnp.float32)
    cost = jnp.float32(tightness) * jnp.square(jnp.log(gap) - jnp.log(period))
    cost = jnp.where((gap >= jnp.round(period / 2)) & (gap <= 2 * period), cost, jnp.inf)
    weak = jnp.float32(0.01) * onsets.max()

    def step(state: tuple[jax.Array, jax.Array], at: tuple[jax.Array, jax.Array]) -> tuple[tuple, tuple]:
        (past, started), (frame, onset) = state, at
        scores = past - cost
        nearest = jnp.argmax(scores)
        best = scores[nearest]
        has_past = best > -jnp.inf
        score = onset + jnp.where(has_past, best, jnp.float32(0))
        # No train starts with frames that are nearly silent.
        started = started | (onset >= weak)
        before = jnp.where(has_past & started, frame - 1 - nearest.astype(jnp.int32), -1)
        return (jnp.concatenate([score[None], past[:-1]]), started), (before, score)

    start = (jnp.full(steps, -jnp.inf, jnp.float32), jnp.zeros((), bool))
    at = (jnp.arange(len(onsets), dtype=jnp.int32), onsets)
    return jax.lax.scan(step, start, at)[1]


@functools.partial(jax.jit, static_argnums=(2, 3, 4))
def _beats_of_waveform(
    x: jax.Array, tempo_bpm: jax.Array | None, sample_rate_hz: float, hop_samples: int, options: tuple
) -> Beats:
    envelope = rhythm.onset_strength(x, sample_rate_hz, hop_samples=hop_samples, aggregate="median")
    return track(envelope, sample_rate_hz, hop_samples=hop_samples, tempo_bpm=tempo_bpm, **dict(options))
