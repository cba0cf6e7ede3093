"""Predicted ratings: the probability of each label that a listener may give a clip."""

from collections.abc import Callable
from typing import Any, Protocol

import jax
import numpy as np
from flax import nnx

from mu.inference.clips import ClipPredictor, Clips
from mu.inference.compiled import once


class RatedClips(Clips, Protocol):
    """Clips with ratings of them; `mu.data.ratings.rated_clips.RatedClips` is one."""

    @property
    def ratings(self) -> Any: ...
    @property
    def label_names(self) -> tuple[str, ...]: ...


class Listeners(Protocol):
    """The model's inputs for listeners; `mu.data.batches.ratings.RatingBatches` has them, as in training."""

    crop_samples: int

    def listener_inputs(self, clips: Any) -> tuple[np.ndarray, np.ndarray]:
        """(codes int32 [n, columns], cell rates float32 [n, 1 + G, T]) of the listener of each rating."""
        ...


class RatingPredictor:
    """Predictions of a trained model for ratings.

    Args:
      graph: of the model.
      task: gives `predict` and `probabilities`.
      params: values of the model.
      batches: the listeners' inputs, and the length of tiles.
    """

    time_aware = False

    def __init__(self, *, graph: nnx.GraphDef, task: Any, params: Any, batches: Listeners):
        self._clips = ClipPredictor(graph=graph, task=task, params=params, crop_samples=batches.crop_samples)
        self._program, self._params, self._batches = _program(graph, task), params, batches

    def predict(self, clips: RatedClips) -> dict[str, np.ndarray]:
        """Name of a label -> float32 [n, 1], its probability in each rating; 'clip' float32 [clips, C]."""
        vectors = self._clips.predict(clips)["clip"]
        inputs = jax.device_put((vectors[clips.ratings.clips], *self._batches.listener_inputs(clips)))
        values = np.asarray(self._program(self._params, *inputs))
        return {"clip": vectors} | {name: values[:, [place]] for place, name in enumerate(clips.label_names)}


@once
def _program(graph: nnx.GraphDef, task: Any) -> Callable[..., jax.Array]:
    return jax.jit(lambda params, *inputs: task.probabilities(nnx.merge(graph, params), *inputs))
