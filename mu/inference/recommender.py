"""A trained model as a recommender: `scores(users, histories)`, like every baseline."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.data.features import HistoryFeatures
from mu.data.logs.interactions import Interactions
from mu.tasks.retrieval import Retrieval
from mu.training.state import weights

# Listeners encoded at once; every call has this shape, so the encoder compiles once.
BLOCK = 256


class Encoder:
    """The jitted part: listeners in, query vectors out; one for a run, whatever its parameters.

    Args:
      graph: of the model.
      task: gives `predict`.
      features: give the inputs.
    """

    def __init__(self, graph: nnx.GraphDef, task: Retrieval, features: HistoryFeatures):
        self.features = features
        self._queries = jax.jit(
            lambda params, rows, batch: task.predict(nnx.merge(graph, params), rows, batch)["query"]
        )
        self._vectors = jax.jit(lambda params, rows: nnx.merge(graph, params).item_vectors(rows))

    def vectors(self, params: Any, rows: Mapping[str, jax.Array]) -> tuple[np.ndarray, np.ndarray | None]:
        """(float32 [V, D], bias float32 [V] or None) of the whole catalogue."""
        vectors, bias = self._vectors(params, rows)
        return np.asarray(vectors), None if bias is None else np.asarray(bias)

    def queries(
        self, params: Any, rows: Mapping[str, jax.Array], users: np.ndarray, histories: Interactions
    ) -> np.ndarray:
        """float32 [B, D], one a listener."""
        batch = self.features.inputs(users, histories)
        found = []
        for start in range(0, max(len(users), 1), BLOCK):
            block = {name: array[start : start + BLOCK] for name, array in batch.items()}
            filled = len(next(iter(block.values())))
            padded = {
                name: np.pad(array, ((0, BLOCK - filled),) + ((0, 0),) * (array.ndim - 1))
                for name, array in block.items()
            }
            found.append(np.asarray(self._queries(params, rows, padded))[:filled])
        return np.concatenate(found)


class TrainedRecommender:
    """The recommender protocol over one state of a run.

    Args:
      encoder: of the run.
      state: its parameters and tables, or a moving average of them (`weights(state)`).
    """

    def __init__(self, encoder: Encoder, state: Mapping[str, Any]):
        self._encoder = encoder
        self._params, self._rows = weights(state)
        self.vectors, self.bias = encoder.vectors(self._params, self._rows)

    def queries(self, users: np.ndarray, histories: Interactions) -> np.ndarray:
        """float32 [B, D]: what the item vectors are multiplied with."""
        return self._encoder.queries(self._params, self._rows, users, histories)

    def scores(self, users: np.ndarray, histories: Interactions) -> np.ndarray:
        """float32 [B, V]: larger is likelier to be played next."""
        scores = self.queries(users, histories) @ self.vectors.T
        return scores if self.bias is None else scores + self.bias
