"""Vectors of whole recordings: the mean over their tiles, each weighed by how much of it is sound."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from mu.data.crops import CropReader, Waveforms, tile_starts
from mu.data.faults import Fault

# Tiles at once. Every call has this shape: another one would be another program, with other roundings.
TILES = 32
Encode = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(audio float32 [n, N], samples int32 [n]) of up to so many tiles as there may be at once -> float32 [n, D]."""


@dataclasses.dataclass(frozen=True, eq=False)
class Tiles:
    """Neighbouring tiles of one clip.

    Attributes:
      n_tiles: of the whole clip.
      audio: float32 [n, N].
      samples: int32 [n], how many of the N are sound.
    """

    n_tiles: int
    audio: np.ndarray
    samples: np.ndarray


def read_tiles(
    reader: CropReader, source: Waveforms, lengths: np.ndarray, rows: Sequence[int] | np.ndarray, at_once: int = TILES
) -> Iterator[tuple[int, Tiles]]:
    """(row, one of its tiles) of all tiles of the recordings at `rows`, in order.

    Tiles have the length of the reader's crops and cover a recording; the last reaches back (`tile_starts`).

    Args:
      reader: reads the tiles.
      source: the recordings.
      lengths: int64, samples of every recording of the source.
      rows: which recordings.
      at_once: tiles that are read together.
    """
    rows = np.asarray(rows)
    owners, starts = tile_starts(lengths[rows], reader.crop_samples)
    counts = np.bincount(owners, minlength=len(rows))
    for first in range(0, len(owners), at_once):
        part = slice(first, first + at_once)
        audio, samples = reader.read(source, rows[owners[part]], starts[part])
        for place, owner in enumerate(owners[part]):
            one = slice(place, place + 1)
            yield int(rows[owner]), Tiles(int(counts[owner]), audio[one], samples[one])


def clip_vectors(
    encode: Encode, tiles: Iterable[tuple[int, Tiles | Fault]], at_once: int = TILES
) -> Iterator[tuple[int, np.ndarray | Fault]]:
    """(row, vector or its fault) of each clip, as they are done.

    A vector is float32 [D]: the mean over tiles, added up in float64 in the order of the tiles. Tiles of other clips
    that are encoded in the same call change nothing.

    Args:
      encode: of up to `at_once` tiles.
      tiles: of `read_tiles`, or of `mu.embedding.pieces.pieces`.
      at_once: tiles a call.
    """
    for row, vector in tile_means(encode, tiles, at_once):
        if isinstance(vector, Fault) or np.isfinite(vector).all():
            yield row, vector
        else:
            yield row, Fault("not_finite", "its vector holds infinities or no numbers, as its samples may")


def tile_means(
    encode: Encode, tiles: Iterable[tuple[int, Tiles | Fault]], at_once: int = TILES
) -> Iterator[tuple[int, np.ndarray | Fault]]:
    """`clip_vectors`, where a vector may have infinities and NaN."""
    totals: dict[int, np.ndarray] = {}
    weights: dict[int, int] = {}
    left: dict[int, int] = {}  # tiles of a clip that are still to be added; a faulty clip has none

    def add(waiting: list[tuple[int, np.ndarray, int]]) -> Iterator[tuple[int, np.ndarray]]:
        audio, samples = np.stack([tile for _, tile, _ in waiting]), np.array([n for _, _, n in waiting], np.int32)
        for (row, _, n), vector in zip(waiting, encode(audio, samples), strict=True):
            if row not in left:
                continue
            totals[row] = totals.get(row, 0.0) + vector.astype(np.float64) * n
            weights[row] = weights.get(row, 0) + n
            left[row] -= 1
            if not left[row]:
                yield row, (totals.pop(row) / weights.pop(row)).astype(np.float32)
                del left[row]

    queue: list[tuple[int, np.ndarray, int]] = []
    faulty = -1
    for row, some in tiles:
        if row == faulty:
            continue
        if isinstance(some, Fault):
            faulty = row
            for sums in (totals, weights, left):
                sums.pop(row, None)
            yield row, some
            continue
        left.setdefault(row, some.n_tiles)
        queue += [(row, tile, int(n)) for tile, n in zip(some.audio, some.samples, strict=True)]
        while len(queue) >= at_once:
            yield from add(queue[:at_once])
            del queue[:at_once]
    if queue:
        yield from add(queue)
