"""A trained model with offsets of played tracks as a recommender."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mu.data.features import HistoryFeatures
from mu.inference.compiled import once
from mu.inference.recommender import TrainedRecommender
from mu.protocols import Histories, Model, Task


class RepeatRecommender(TrainedRecommender):
    """score(u, v) = q . v + b_v, plus the offset of the tracks in the history's window (`mu.nn.repeats.RepeatOffset`).

    Of a task such as `mu.tasks.repeats`. Evaluations and lists are made from the scores of all tracks, which are exact.

    Args:
      graph: of the model.
      task: gives `predict`, with 'query' and 'place_offsets'.
      features: the model's inputs.
      params: values of the model.
      rows: the whole tables.
    """

    dot_product = False
    offsets_repeats = True

    def __init__(
        self, *, graph: nnx.GraphDef, task: Task[Model], features: HistoryFeatures, params: Any, rows: Mapping[str, Any]
    ):
        super().__init__(graph=graph, task=task, features=features, params=params, rows=rows)
        self._parts = _parts(graph, task)

    def scores(self, users: np.ndarray, histories: Histories, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]: larger is likelier to be played next; the same at all times."""
        inputs = self._features.inputs(np.asarray(users), histories)
        items, filled = inputs["items"], inputs["segments"] > 0
        queries, offsets = np.split(self._encoded(users, histories, self._parts), [-items.shape[1]], axis=1)
        scores = queries @ self.item_vectors.T
        if (bias := self.item_bias(times_ms)) is not None:
            scores += bias
        rows, columns = np.nonzero(filled)
        played = items[rows, columns]
        added = np.full(scores.shape, -np.inf, np.float32)
        np.logaddexp.at(added, (rows, played), offsets[rows, columns])
        scores[rows, played] += added[rows, played]  # once, however often a track is named
        return scores


@once
def _parts(graph: nnx.GraphDef, task: Task[Model]) -> Callable[..., jax.Array]:
    """[B, D + T]: queries, and what the places of histories count for."""

    def parts(params: Any, rows: Any, batch: Any) -> jax.Array:
        predicted = task.predict(nnx.merge(graph, params), rows, batch)
        return jnp.concatenate([predicted["query"], predicted["place_offsets"]], axis=1)

    return jax.jit(parts)
