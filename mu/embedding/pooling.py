"""Clip vectors from tiles: the encoder hears tiles of several clips at once, a clip's vector is the mean over its."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from mu.embedding.encoder import TILES
from mu.embedding.pieces import Fault, Piece


def clip_vectors(
    vectors: Callable[[np.ndarray, np.ndarray], np.ndarray], found: Iterable[tuple[int, Piece | Fault]]
) -> Iterator[tuple[int, np.ndarray | Fault]]:
    """(row, vector or what is wrong) of each clip, as they are done.

    The vector is float32 [D]: the mean over tiles, each weighed by how much of it is sound, added up in float64 in the
    order of the tiles; which tiles of other clips are encoded beside them changes nothing.

    Args:
      vectors: of up to `TILES` tiles, as `mu.embedding.encoder.Encoder.vectors` gives them.
      found: of `mu.embedding.pieces.pieces`.
    """
    totals: dict[int, np.ndarray] = {}
    heard: dict[int, int] = {}
    left: dict[int, int] = {}  # tiles of a clip that are still to be added; a faulty clip has none

    def add(waiting: list[tuple[int, np.ndarray, int]]) -> Iterator[tuple[int, np.ndarray | Fault]]:
        audio, samples = np.stack([tile for _, tile, _ in waiting]), np.array([n for _, _, n in waiting], np.int32)
        for (row, _, n), vector in zip(waiting, vectors(audio, samples), strict=True):
            if row not in left:
                continue
            totals[row] = totals.get(row, 0.0) + vector.astype(np.float64) * n
            heard[row] = heard.get(row, 0) + n
            left[row] -= 1
            if not left[row]:
                yield row, _mean(totals.pop(row), heard.pop(row))
                del left[row]

    queue: list[tuple[int, np.ndarray, int]] = []
    faulty = -1
    for row, answer in found:
        if row == faulty:
            continue
        if isinstance(answer, Fault):
            faulty = row
            for kept in (totals, heard, left):
                kept.pop(row, None)
            yield row, answer
            continue
        left.setdefault(row, answer.n_tiles)
        queue += [(row, tile, int(n)) for tile, n in zip(answer.audio, answer.samples, strict=True)]
        while len(queue) >= TILES:
            yield from add(queue[:TILES])
            del queue[:TILES]
    if queue:
        yield from add(queue)


def _mean(total: np.ndarray, heard: int) -> np.ndarray | Fault:
    vector = (total / heard).astype(np.float32)
    if not np.isfinite(vector).all():
        return Fault("not_finite", "its vector holds infinities or no numbers, as its samples may")
    return vector
