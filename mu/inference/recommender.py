"""A trained model as a recommender: queries of users, vectors and biases of items, and scores as their products."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.data.features import HistoryFeatures
from mu.inference.compiled import once
from mu.protocols import Histories, Model, Task
from mu.topk import TopKRecommender

# Users encoded at once; every call has this shape, so the encoder compiles once.
BLOCK = 256


class TrainedRecommender(TopKRecommender):
    """A model whose scores are products of user queries and item vectors; see `mu.protocols.DotProductRecommender`.

    Args:
      graph: of the model.
      task: gives `predict`, with the users' queries under 'query'.
      features: the model's inputs.
      params: values of the model.
      rows: the whole tables.

    Attributes:
      item_vectors: float32 [V, D].
    """

    dot_product = True
    time_aware = False

    def __init__(
        self, *, graph: nnx.GraphDef, task: Task[Model], features: HistoryFeatures, params: Any, rows: Mapping[str, Any]
    ):
        # What is on the host, as content embeddings are, is copied to the device once and not with each block of users.
        self.params, self.rows = jax.device_put((params, dict(rows)))
        self._graph, self._features = graph, features
        self._encode, items = _programs(graph, task)
        vectors, bias = items(self.params, self.rows)
        self.item_vectors: np.ndarray = np.asarray(vectors)
        self._bias = None if bias is None else np.asarray(bias)

    def queries(self, users: np.ndarray, histories: Histories, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, D]: what the item vectors are multiplied with.

        Args:
          users: int64 [B], ids in the training log; -1 for a user outside it.
          histories: B rows, what these users have played.
          times_ms: unused; queries are those after the last play.

        Raises:
          ValueError: a user is outside the log, see `mu.data.features.HistoryFeatures.inputs`; or the task gives each
            several queries.
        """
        del times_ms
        queries = self._encoded(users, histories)
        if queries.ndim != 2:
            raise ValueError(
                f"the task gives each listener {queries.shape[1]} queries: set recommender.name="
                "'mu.inference.multi_interest:MultiInterestRecommender', whose scores are the best of them"
            )
        return queries

    def _encoded(
        self, users: np.ndarray, histories: Histories, program: Callable[..., jax.Array] | None = None
    ) -> np.ndarray:
        """What the task predicts of users, in blocks: their queries, or what another program makes of a batch."""
        program = program or self._encode
        if "users" in self.rows and (users := np.asarray(users)).max(initial=-1) >= (
            n_users := len(self.rows["users"])
        ):
            raise ValueError(f"users has {users.max()}; the training log has the users 0 to {n_users - 1:,}")
        inputs = self._features.inputs(users, histories)
        blocks = [
            np.asarray(program(self.params, self.rows, jax.device_put(block)))[:size]
            for block, size in _blocks(inputs, len(users))
        ]
        return np.concatenate(blocks)

    def item_bias(self, times_ms: np.ndarray | None = None) -> np.ndarray | None:
        """float32 [V], or None for a model without biases; the same at all times."""
        del times_ms
        return self._bias

    def scores(self, users: np.ndarray, histories: Histories, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]: larger is likelier to be played next."""
        scores = self.queries(users, histories) @ self.item_vectors.T
        bias = self.item_bias(times_ms)
        return scores if bias is None else scores + bias


def weights_hash(params: Any) -> str:
    """sha256 over the parameters and statistics of a model, tables aside: two trainings differ in them."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(jax.device_get(params)):
        digest.update(np.ascontiguousarray(leaf).data)
    return digest.hexdigest()


def _blocks(inputs: Mapping[str, np.ndarray], n: int) -> Iterator[tuple[dict[str, np.ndarray], int]]:
    """(the inputs of `BLOCK` users, filled up with zeros; how many of them there are) of all n."""
    for start in range(0, max(n, 1), BLOCK):
        block = {name: array[start : start + BLOCK] for name, array in inputs.items()}
        size = len(next(iter(block.values())))
        yield (
            {name: np.pad(array, ((0, BLOCK - size),) + ((0, 0),) * (array.ndim - 1)) for name, array in block.items()},
            size,
        )


@once
def _programs(graph: nnx.GraphDef, task: Task[Model]) -> tuple[Callable[..., jax.Array], Callable[..., Any]]:
    """(queries of a batch, vectors and biases of all items)."""

    def queries(params: Any, rows: Any, batch: Any) -> jax.Array:
        return task.predict(nnx.merge(graph, params), rows, batch)["query"]

    def items(params: Any, rows: Any) -> tuple[jax.Array, jax.Array | None]:
        return nnx.merge(graph, params).item_vectors(rows)

    return jax.jit(queries), jax.jit(items)
