"""A trained model with intent heads as a recommender: probabilities of what a listener is about to do."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.data.features import HistoryFeatures
from mu.inference.compiled import once
from mu.inference.policy import Policy
from mu.inference.recommender import TrainedRecommender
from mu.protocols import Histories, LearnsIntent, Model, Task


class IntentRecommender(TrainedRecommender):
    """Scores tracks as `TrainedRecommender` does, and says how likely the next play is of each intent of the task.

    Args:
      graph: of a model with intent heads.
      task: gives `predict`, with the logits of the heads under 'intent', and names them as `intent`.
      features: the model's inputs.
      params: values of the model.
      rows: the whole tables.
      policy: recalibrates the probabilities.

    Attributes:
      policy: as given.
      intents: names of the heads.
    """

    predicts_intent = True

    def __init__(
        self,
        *,
        graph: nnx.GraphDef,
        task: Task[Model],
        features: HistoryFeatures,
        params: Any,
        rows: Mapping[str, Any],
        policy: Policy | None = None,
    ):
        super().__init__(graph=graph, task=task, features=features, params=params, rows=rows)
        self.policy = policy or Policy()
        self.intents = tuple(task.intent) if isinstance(task, LearnsIntent) else ()
        if not self.intents:
            raise ValueError(
                "recommender.name='mu.inference.intent:IntentRecommender' says what listeners are about to do, and the "
                "task has no heads for it: set task.intent, such as {'repeat': 0.1}"
            )
        self._heads = _heads(graph, task)

    def with_policy(self, policy: Policy) -> "IntentRecommender":
        """The same recommender under another policy."""
        other = copy.copy(self)
        other.policy = policy
        return other

    def intent_logits(self, users: np.ndarray, histories: Histories) -> np.ndarray:
        """float32 [B, K]: the logits of the heads, in the order of `intents`, not recalibrated.

        Args:
          users: int64 [B], ids in the training log; -1 for a user outside it.
          histories: B rows, what these users have played.
        """
        return self._encoded(users, histories, self._heads)

    def intent(self, users: np.ndarray, histories: Histories) -> dict[str, np.ndarray]:
        """Name of an intent -> float64 [B], its probability for the next play, recalibrated by the policy.

        Args:
          users: as of `intent_logits`.
          histories: as of `intent_logits`.
        """
        logits = self.intent_logits(users, histories).astype(np.float64)
        probabilities = {}
        for place, name in enumerate(self.intents):
            slope, intercept = self.policy.intent.get(name, (1.0, 0.0))
            probabilities[name] = 1 / (1 + np.exp(-slope * logits[:, place] - intercept))
        return probabilities


@once
def _heads(graph: nnx.GraphDef, task: Task[Model]) -> Callable[..., jax.Array]:
    """The logits [B, K] of a batch."""
    return jax.jit(lambda params, rows, batch: task.predict(nnx.merge(graph, params), rows, batch)["intent"])
