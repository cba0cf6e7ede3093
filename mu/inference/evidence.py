"""A trained model with evidence of counts as a recommender: products of vectors, and an offset from counts."""

from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.data.evidence_features import EvidenceFeatures
from mu.data.features import HistoryFeatures
from mu.inference.recommender import TrainedRecommender
from mu.protocols import Histories, Model, Task
from mu.ranges import NonNegative


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
        self._evidence, self._model_weight = features, model_weight
        self._offset = jax.jit(nnx.merge(graph, self.params).evidence_offset)

    def scores(self, users: np.ndarray, histories: Histories, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]: larger is likelier to be played next; the same at all times."""
        products = super().scores(users, histories, times_ms)
        evidence, popularity = self._evidence.evidence(histories), self._evidence.popularity[None]
        offset = self._offset(*jax.device_put((evidence, popularity)))
        return np.float32(self._model_weight) * products + np.asarray(offset)
