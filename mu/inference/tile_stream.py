"""The vector of sound that is still coming, by an encoder of tiles: a tile at a time, and that of the whole at the end.

stream = TileStream(encoder)                   # what mu.embedding.opening.open_encoder gives, or a ClipEncoder
for chunk in microphone:
    vectors = stream.push(chunk)               # of the tiles that are whole by now
vector = stream.finish()                       # that of `mu embed`
"""

from typing import Protocol

import numpy as np


class EncodesTiles(Protocol):
    """An encoder of tiles; see `mu.inference.clip_encoder.ClipEncoder`."""

    @property
    def tile_samples(self) -> int: ...
    @property
    def dim(self) -> int: ...
    @property
    def at_once(self) -> int: ...
    def vectors(self, audio: np.ndarray, samples: np.ndarray, /) -> np.ndarray: ...


class TileStream:
    """Tiles of sound that comes in chunks, and the vector of all of them, as `mu.inference.pooling` makes it.

    A tile is encoded when its last sample is there, so the first vector is a tile late. At the end the last tile
    reaches back, as it does where the whole is at hand. The samples of two tiles are kept at most.

    Args:
      encoder: of tiles of N samples.
    """

    def __init__(self, encoder: EncodesTiles):
        self._encoder = encoder
        self._waiting = np.zeros(0, np.float32)  # after the last whole tile
        self._tail = np.zeros(0, np.float32)  # the last N samples before them
        self._total, self._tiles = np.zeros(encoder.dim), 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """float32 [n, D]: the vectors of the tiles that these samples complete.

        Args:
          samples: float32 [S] at the encoder's rate; none too.

        Raises:
          ValueError: they are not one channel of finite float32 numbers; or the encoder gives none.
        """
        if samples.ndim != 1 or samples.dtype != np.float32 or not np.isfinite(samples).all():
            raise ValueError(
                f"samples are {samples.dtype} {samples.shape}; they must be finite float32 [S], one channel"
            )
        size = self._encoder.tile_samples
        sound = np.concatenate([self._waiting, samples])
        whole = len(sound) // size
        tiles = sound[: whole * size].reshape(whole, size)
        vectors = [np.zeros((0, self._encoder.dim), np.float32)]
        for first in range(0, whole, self._encoder.at_once):
            some = tiles[first : first + self._encoder.at_once]
            vectors.append(_finite(self._encoder.vectors(some, np.full(len(some), size, np.int32))))
        for vector in np.concatenate(vectors):
            self._total += vector.astype(np.float64) * size
        self._tiles += whole
        if whole:
            self._tail = tiles[-1].copy()
        self._waiting = sound[whole * size :].copy()
        return np.concatenate(vectors)

    def finish(self) -> np.ndarray:
        """float32 [D]: the vector of all samples so far; more may come after.

        Raises:
          ValueError: no sample has come.
        """
        size = self._encoder.tile_samples
        if not self._tiles and not len(self._waiting):
            raise ValueError("no sample has come: there is nothing to encode")
        total, weight = self._total.copy(), self._tiles * size
        if len(self._waiting):
            last = np.concatenate([self._tail, self._waiting])[-size:]
            tile = np.pad(last, (0, size - len(last)))[None]
            vector = _finite(self._encoder.vectors(tile, np.array([len(last)], np.int32)))[0]
            total += vector.astype(np.float64) * len(last)
            weight += len(last)
        return (total / weight).astype(np.float32)


def _finite(vectors: np.ndarray) -> np.ndarray:
    """The vectors; an error where one holds infinities or no numbers."""
    if not np.isfinite(vectors).all():
        raise ValueError("the encoder gives infinities or no numbers: nothing can be made of its vectors")
    return vectors
