"""Baseline encoders by name: statistics of MFCCs, statistics of log-mel bands, and a network with random weights."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, Protocol

import jax
import numpy as np
from flax import nnx

from mu.baselines import mel_mean, mfcc
from mu.inference.clip_encoder import ClipEncoder
from mu.models.audio_encoder import AudioEncoder

SAMPLE_RATE_HZ = 22_050
TILE_S = 5.0
NOISE_SEED = 0


class TileEncoder(Protocol):
    """Anything that gives tiles of audio vectors: what `mu embed` and `mu probe --suite` need of an encoder.

    Attributes:
      sample_rate_hz: of the audio.
      tile_samples: N, the length of a tile.
      at_once: tiles of a call, at most.
      dim: D.
    """

    sample_rate_hz: int
    tile_samples: int
    at_once: int
    dim: int

    def vectors(self, audio: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """float32 [n, D] of audio float32 [n, N] and samples int32 [n], how many of the N are sound."""
        ...


class Statistics:
    """Statistics of a tile's sound, the filling behind it left out.

    Args:
      of_waveform: (float32 [n], rate in Hz) -> float64 [D].
      sample_rate_hz: of the audio.
    """

    at_once = 32

    def __init__(self, of_waveform: Callable[[np.ndarray, int], np.ndarray], sample_rate_hz: int = SAMPLE_RATE_HZ):
        self._of_waveform, self.sample_rate_hz = of_waveform, sample_rate_hz
        self.tile_samples = round(TILE_S * sample_rate_hz)
        self.dim = len(of_waveform(np.zeros(sample_rate_hz, np.float32), sample_rate_hz))

    def vectors(self, audio: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """float32 [n, D]; see `TileEncoder`."""
        tiles = zip(audio, samples, strict=True)
        return np.stack([self._of_waveform(tile[:n], self.sample_rate_hz) for tile, n in tiles]).astype(np.float32)


def random(seed: int = 0) -> ClipEncoder:
    """`mu.models.audio_encoder:AudioEncoder` as it is initialised: what its architecture tells without learning."""
    model = AudioEncoder(size="xs", sample_rate_hz=SAMPLE_RATE_HZ, outputs={}, rngs=nnx.Rngs(seed))
    graph, state = nnx.split(model)
    tile = round(TILE_S * SAMPLE_RATE_HZ)
    params = jax.device_get(nnx.to_pure_dict(state))
    return ClipEncoder(graph, params, sample_rate_hz=SAMPLE_RATE_HZ, tile_samples=tile)


NAMED: dict[str, Callable[[], TileEncoder]] = {
    "mfcc": lambda: Statistics(mfcc.clip_statistics),
    "mel_mean": lambda: Statistics(mel_mean.clip_statistics),
    "random": random,
}
"""Name -> encoder. None of them has learnt from any recording."""


def of_baseline(name: str, seed: int = 0) -> tuple[TileEncoder, dict[str, Any]]:
    """A baseline of `NAMED`, and its card, which says that it has learnt from no recording.

    Args:
      name: of the baseline.
      seed: of random weights.
    """
    encoder = random(seed) if name == "random" else NAMED[name]()
    card = card_of(f"{name}={seed}" if seed else name, encoder)
    return encoder, {**card, "trained_on": {"config_sha256": None, "split": "", "targets": [], "recordings": []}}


def card_of(name: str, encoder: TileEncoder) -> dict[str, Any]:
    """The card of an encoder that no run and no folder of weights describes.

    Its hash is that of its name, its format, and the bits of its vectors of two tiles of noise: its weights are not
    known.

    Args:
      name: by which it was opened.
      encoder: as it was opened.

    Raises:
      ValueError: its vectors of noise are not float [n, dim], or not finite.
    """
    generator = np.random.default_rng(NOISE_SEED)
    audio = (0.1 * generator.standard_normal((2, encoder.tile_samples))).astype(np.float32)
    # One by one: an encoder may take no more at once.
    noise = np.concatenate(
        [encoder.vectors(audio[tile : tile + 1], np.array([encoder.tile_samples], np.int32)) for tile in (0, 1)]
    )
    if noise.shape != (2, encoder.dim):
        raise ValueError(
            f"{name}: the vectors of 2 tiles have the shape {noise.shape}; its dim says (2, {encoder.dim})"
        )
    if not np.isfinite(noise).all():
        raise ValueError(f"{name} gives infinities or no numbers for noise: nothing can be embedded with it")
    facts = json.dumps([name, encoder.sample_rate_hz, encoder.tile_samples, encoder.dim])
    return {
        "hash": hashlib.sha256(facts.encode() + noise.astype(np.float32).tobytes()).hexdigest(),
        "noise_vector": [round(float(number), 4) for number in noise[0, :8]],
        "run": name,
        "step": None,
        "commit": None,
        "model": {"name": name},
        "sample_rate_hz": encoder.sample_rate_hz,
        "tile_samples": encoder.tile_samples,
        "tile_s": encoder.tile_samples / encoder.sample_rate_hz,
        "trained_on": {"recordings": None},
    }
