"""Predictions for whole clips: the mean over their tiles of what a trained model predicts of each."""

import functools
from collections.abc import Callable
from typing import Any, Protocol

import jax
import numpy as np
from flax import nnx

from mu.data.crops import CropReader, Waveforms
from mu.inference.compiled import once
from mu.inference.pooling import read_tiles, tile_means
from mu.protocols import Model, Task

# Tiles at once; every call has this shape, so the model compiles once.
BLOCK = 64


class Clips(Waveforms, Protocol):
    """Clips with audio; `mu.data.clips.clips.Clips` is one."""

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """int64 [n], samples of each clip."""
        ...

    def __len__(self) -> int: ...


class ClipPredictor:
    """Predictions of a trained model for clips.

    Args:
      graph: of the model.
      task: gives `predict`.
      params: values of the model.
      crop_samples: N, samples of a tile, as of the crops in training.
    """

    time_aware = False

    def __init__(self, *, graph: nnx.GraphDef, task: Task[Model], params: Any, crop_samples: int):
        self._program, self._params = _program(graph, task), params
        self._reader = CropReader(crop_samples)

    def predict(self, clips: Clips) -> dict[str, np.ndarray]:
        """float32 [n, C] for each name that the task predicts.

        The mean over all tiles of a clip, each weighed by how much of it is sound (`mu.data.crops.tile_starts`).
        """
        widths: dict[str, int] = {}

        def encode(audio: np.ndarray, samples: np.ndarray) -> np.ndarray:
            missing = BLOCK - len(audio)
            batch = {
                "audio": np.pad(audio, ((0, missing), (0, 0)))[:, None],
                "samples": np.pad(samples, (0, missing))[:, None],
            }
            values = jax.device_get(self._program(self._params, jax.device_put(batch)))
            widths.update({name: value.shape[1] for name, value in sorted(values.items())})
            return np.concatenate([values[name][: len(audio)] for name in widths], axis=1)

        tiles = read_tiles(self._reader, clips, clips.lengths, np.arange(len(clips)), BLOCK)
        means = dict(tile_means(encode, tiles, BLOCK))
        joined = np.stack([np.asarray(means[row]) for row in range(len(clips))])
        stops = np.cumsum(list(widths.values()))[:-1]
        return dict(zip(widths, np.split(joined, stops, axis=1), strict=True))


@once
def _program(graph: nnx.GraphDef, task: Task[Model]) -> Callable[..., dict[str, jax.Array]]:
    return jax.jit(lambda params, batch: task.predict(nnx.merge(graph, params), {}, batch))
