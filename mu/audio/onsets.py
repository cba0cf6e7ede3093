"""Onset times: peaks of an onset strength (Boeck, Krebs & Schedl, ISMIR 2012).

Shapes: any leading axes `...`, N samples, F frames.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio import framing, rhythm


def onset_times(
    x: np.ndarray | jax.Array, sample_rate_hz: float, *, hop_samples: int = 512, delta: float | jax.Array = 0.07
) -> np.ndarray:
    """The onsets of one recording in seconds (`librosa.onset.onset_detect`).

    For use outside jit; `detect` has fixed shapes and any leading axes. Each new length of x is compiled once: where
    lengths differ, pad x with silence to one of a few.

    Args:
      x: float32 [N].
      delta: see `detect`.

    Returns:
      float64 [onsets], NumPy, ascending.
    """
    if np.ndim(x) != 1:
        raise ValueError(f"x is one recording, [N]; got shape {np.shape(x)}: of several, use `detect` and its mask")
    envelope = rhythm.onset_strength(framing.as_array(x), sample_rate_hz, hop_samples=hop_samples)
    is_onset = detect(envelope, sample_rate_hz, hop_samples=hop_samples, delta=delta)
    return np.flatnonzero(np.asarray(is_onset)) * (hop_samples / sample_rate_hz)


def detect(
    envelope: jax.Array, sample_rate_hz: float, *, hop_samples: int = 512, delta: float | jax.Array = 0.07
) -> jax.Array:
    """Frames that are the largest of 30 ms before, and `delta` above the mean of 100 ms on both sides.

    After an onset there is none for 30 ms. The envelope is first scaled to [0, 1], clip by clip.

    Args:
      envelope: float32 [..., F], an onset strength at sample_rate_hz / hop_samples.
      delta: share of the envelope's range.

    Returns:
      bool [..., F].
    """
    if not isinstance(delta, jax.Array) and delta < 0:
        raise ValueError(f"delta={delta} must not be negative")
    # librosa's settings, found by a large search: whole frames, rounded down, and one more after the frame itself. Its
    # very division, for 5 frames may come out as 4.999.
    near, far = (int(seconds * sample_rate_hz // hop_samples) for seconds in (0.03, 0.10))
    return _detect(rhythm.checked(envelope), jnp.asarray(delta, jnp.float32), near, far)


@functools.partial(jax.jit, static_argnums=(2, 3))
def _detect(envelope: jax.Array, delta: jax.Array, near: int, far: int) -> jax.Array:
    envelope = jax.lax.stop_gradient(envelope)
    envelope = envelope - envelope.min(-1, keepdims=True)
    envelope = envelope / (envelope.max(-1, keepdims=True) + jnp.float32(framing.TINY))
    loudest = _over_window(envelope, -jnp.inf, jax.lax.max, near, 0)
    total = _over_window(envelope, 0.0, jax.lax.add, far, far)
    count = _over_window(jnp.ones_like(envelope), 0.0, jax.lax.add, far, far)
    candidate = (envelope == loudest) & (envelope >= total / count + delta)
    candidate = candidate & (envelope.max(-1, keepdims=True) > 0)

    def pick(since: jax.Array, candidate: jax.Array) -> tuple[jax.Array, jax.Array]:
        picked = candidate & (since > near)
        return jnp.where(picked, 1, since + 1), picked

    start = jnp.full(envelope.shape[:-1], near + 1, jnp.int32)
    return jnp.moveaxis(jax.lax.scan(pick, start, jnp.moveaxis(candidate, -1, 0))[1], 0, -1)


def _over_window(x: jax.Array, start: float, combine, before: int, after: int) -> jax.Array:
    """`combine` of x[f - before .. f + after], as far as there are frames."""
    window, strides = (1,) * (x.ndim - 1) + (before + after + 1,), (1,) * x.ndim
    return jax.lax.reduce_window(
        x, np.float32(start), combine, window, strides, [(0, 0)] * (x.ndim - 1) + [(before, after)]
    )
