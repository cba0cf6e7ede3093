"""The vector of one recording, as `mu embed` makes it."""

import os

import numpy as np

from mu.audio import io
from mu.data.crops import cut, tile_starts
from mu.data.faults import Fault
from mu.embedding.baselines import TileEncoder
from mu.inference.pooling import Tiles, clip_vectors


def vector_of_file(encoder: TileEncoder, file: str | os.PathLike[str], first_s: float | None = None) -> np.ndarray:
    """float32 [D]: the clip vector of a file.

    Args:
      encoder: of tiles.
      file: a recording.
      first_s: so many seconds of it and no more; None for all.

    Raises:
      ValueError: it holds no samples, or no finite ones.
      mu.audio.io.AudioError: it cannot be decoded.
    """
    sound, _ = io.read(file, sample_rate_hz=encoder.sample_rate_hz, duration_s=first_s)
    return vector_of_audio(encoder, sound, os.fspath(file))


def vector_of_audio(encoder: TileEncoder, audio: np.ndarray, name: str) -> np.ndarray:
    """float32 [D]: the clip vector of a recording.

    Args:
      encoder: of tiles.
      audio: float32 [S], mono, at the encoder's sample rate.
      name: of the recording, for messages.

    Raises:
      ValueError: it holds no samples, or no finite ones.
    """
    if not len(audio):
        raise ValueError(f"{name} holds no samples")
    _, starts = tile_starts(np.array([len(audio)]), encoder.tile_samples)
    tiles = Tiles(len(starts), *cut(audio, starts, encoder.tile_samples))
    ((_, vector),) = clip_vectors(encoder.vectors, [(0, tiles)], encoder.at_once)
    if isinstance(vector, Fault):
        raise ValueError(f"{name}: {vector.reason}")
    return vector
