"""The key of a clip, by correlating its chroma with published profiles of the 24 major and minor keys.

Shapes: any leading axes `...`, F frames.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio.spectral import safe_sqrt

TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MODES = ("major", "minor")
# (major, minor), from the tonic upwards in semitones.
PROFILES = {
    # Ratings of probe tones by listeners (Krumhansl & Kessler, Psychological Review 89, 1982).
    "krumhansl-kessler": (
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    ),
    # How often a segment of the Kostka-Payne corpus holds the degree (Temperley, Music and Probability, 2007, table
    # 6.1).
    "temperley": (
        (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
        (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330),
    ),
    # Degrees at the beginnings and ends of 490 pieces (Albrecht & Shanahan, Music Perception 31, 2013).
    "albrecht-shanahan": (
        (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
        (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
    ),
}


class Key(NamedTuple):
    """The best key of each clip.

    Attributes:
      tonic: int32 [...], an index of TONICS, 0 is C.
      mode: int32 [...], an index of MODES: 0 major, 1 minor.
      correlations: float32 [..., 24], C major .. B major, C minor .. B minor.
    """

    tonic: jax.Array
    mode: jax.Array
    correlations: jax.Array


def key(chroma: jax.Array, *, profile: str = "krumhansl-kessler") -> Key:
    """The key whose rotated profile correlates best with the mean chroma (Krumhansl 1990, chapter 4).

    r = corr(mean_f chroma[f], profile rotated to the key), Pearson's; all are 0 where the mean chroma is flat, as of
    silence, and the key is then C major, which no correlation supports.

    Args:
      chroma: float32 [..., F, 12], class 0 is C.
      profile: a name in PROFILES.
    """
    chroma = jnp.asarray(chroma)
    if chroma.ndim < 2 or chroma.shape[-1] != 12:
        raise ValueError(f"chroma must be [..., F, 12]; got shape {chroma.shape}")
    if profile not in PROFILES:
        raise ValueError(f"profile={profile!r} is not one of {', '.join(PROFILES)}")
    keys = np.stack([np.roll(degrees, tonic) for degrees in PROFILES[profile] for tonic in range(12)], axis=1)
    keys = keys - keys.mean(0)
    keys = keys / np.linalg.norm(keys, axis=0)
    return _correlate(chroma, jnp.asarray(keys, jnp.float32))


@jax.jit
def _correlate(chroma: jax.Array, keys: jax.Array) -> Key:
    classes = chroma.mean(-2)
    classes = classes - classes.mean(-1, keepdims=True)
    length = safe_sqrt(jnp.square(classes).sum(-1, keepdims=True))
    # What rounding leaves of a flat chroma is no evidence.
    flat = length <= jnp.float32(1e-6) * jnp.abs(chroma).max((-2, -1))[..., None]
    classes = jnp.where(flat, jnp.float32(0), classes / jnp.where(flat, jnp.float32(1), length))
    correlations = jnp.matmul(classes, keys, precision=jax.lax.Precision.HIGHEST)
    best = jnp.argmax(correlations, axis=-1).astype(jnp.int32)
    return Key(best % 12, best // 12, correlations)


def key_name(tonic: int, mode: int) -> str:
    """The name of a key: 'Eb minor' of 3, 1."""
    return f"{TONICS[int(tonic)]} {MODES[int(mode)]}"
