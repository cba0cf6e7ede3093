"""How near recordings are to words, by a model that has learnt both in one space."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.inference.compiled import once
from mu.protocols import ReadsText


def text_similarity(
    graph: nnx.GraphDef, task: ReadsText, params: Any, clips: np.ndarray, ngrams: np.ndarray
) -> np.ndarray:
    """float32 [N, M]: the cosine between the sound of N recordings and M texts.

    Args:
      graph: of the model.
      task: that it has learnt.
      params: values of the model.
      clips: float32 [N, D], clip vectors of the model.
      ngrams: int32 [M, G] (`mu.ngrams`).
    """
    return np.asarray(_program(graph, task)(params, *jax.device_put((clips, ngrams))))


@once
def _program(graph: nnx.GraphDef, task: ReadsText) -> Callable[..., jax.Array]:
    return jax.jit(lambda params, clips, ngrams: task.similarity(nnx.merge(graph, params), clips, ngrams))
