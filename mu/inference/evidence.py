"""What evidence of counts adds to the scores of a trained model, and the recommender that adds it."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.data.evidence_features import EvidenceFeatures
from mu.data.features import HistoryFeatures
from mu.inference.compiled import once
from mu.inference.recommender import TrainedRecommender
from mu.protocols import Histories, Model, Task
from mu.ranges import NonNegative


class AddedEvidence:
    """offset(E(u, v), popularity of v) of listeners and tracks, with the weights of a model (`mu.nn.evidence`).

    Args:
      graph: of a model with evidence.
      params: its values.
      features: the model's inputs, with evidence.
    """

    def __init__(self, graph: nnx.GraphDef, params: Any, features: EvidenceFeatures):
        self._features, self._params, self._offset = features, params, _offset(graph)

    def offsets(self, histories: Histories) -> np.ndarray:
        """float32 [B, V]: what is added to the score of each track, for B listeners."""
        evidence = self._features.evidence(histories)
        popularity = self._features.popularity[None]
        return np.asarray(self._offset(self._params, *jax.device_put((evidence, popularity))))


@once
def _offset(graph: nnx.GraphDef) -> Callable[..., jax.Array]:
    def offset(params: Any, evidence: jax.Array, popularity: jax.Array) -> jax.Array:
        return nnx.merge(graph, params).evidence_offset(evidence, popularity)

    return jax.jit(offset)


class EvidenceRecommender(TrainedRecommender):
    """score(u, v) = c (q_u . v + b_v) + offset(E(u, v), popularity of v), of batches with `evidence`.

    The evidence E of a listener's plays is sparse, but where there is none popularity is added: evaluations and lists
    are made from the scores of all tracks, which are exact.

    Args:
      graph: of the model.
      task: gives `predict`, with the users' queries under 'query'.
      features: the model's inputs, with evidence.
      params: values of the model.
      rows: the whole tables.
      model_weight: c; below 1 the counts say more than in training. The network fits its training log better than
        what comes after, counts without the listener's later plays do not.

    Attributes:
      item_vectors: float32 [V, D], c v.

    Raises:
      ValueError: there is no evidence.
    """

    dot_product = False
    adds_evidence = True

    def __init__(
        self,
        *,
        graph: nnx.GraphDef,
        task: Task[Model],
        features: HistoryFeatures,
        params: Any,
        rows: Any,
        model_weight: NonNegative = 1.0,
    ):
        super().__init__(graph=graph, task=task, features=features, params=params, rows=rows)
        if not isinstance(features, EvidenceFeatures):
            raise ValueError(
                "recommender.name='mu.inference.evidence:EvidenceRecommender' adds evidence of counts, and there is "
                "none: set batches.evidence, such as {'name': 'mu.baselines.pctm:PCTM'}"
            )
        self._evidence, weight = AddedEvidence(graph, self.params, features), np.float32(model_weight)
        self.item_vectors = weight * self.item_vectors
        self._bias = None if self._bias is None else weight * self._bias

    def scores(self, users: np.ndarray, histories: Histories, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]: larger is likelier to be played next; the same at all times."""
        return super().scores(users, histories, times_ms) + self.offsets(histories)

    def offsets(self, histories: Histories) -> np.ndarray:
        """float32 [B, V]: what counts add to the scores of B listeners."""
        return self._evidence.offsets(histories)
