"""MultiTask tasks at once on one encoder: their losses added, each with its heads."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp


class MultiTask:
    """loss = sum_k w_k mean(loss_k); each task sees the whole batch under a key of its own.

    Args:
      tasks: name -> task.
      weights: name -> w; 1 where nothing is said.

    Attributes:
      outputs: all of the tasks' heads; two of one name are refused.
      whole_batch: whether one of them compares the examples of a batch with each other.
    """

    def __init__(self, *, tasks: Mapping[str, Any], weights: Mapping[str, float] | None = None):
        if not tasks:
            raise ValueError("no tasks are given")
        self.tasks = dict(tasks)
        self._weights = {name: float((weights or {}).get(name, 1.0)) for name in self.tasks}
        if unknown := set(weights or {}) - set(self.tasks):
            raise ValueError(f"weights names {min(unknown)!r}; the tasks are {', '.join(self.tasks)}")
        self.whole_batch = any(getattr(task, "whole_batch", False) for task in self.tasks.values())
        self.outputs: dict[str, Any] = {}
        for name, task in self.tasks.items():
            if shared := set(task.outputs) & set(self.outputs):
                raise ValueError(f"task {name!r} has a head {min(shared)!r}, and so has another")
            self.outputs |= task.outputs

    def loss(
        self, model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B], weights [B])."""
        size = len(batch["weights"])
        total = jnp.zeros(size, jnp.float32)
        for number, (name, task) in enumerate(self.tasks.items()):
            values, weights = task.loss(model, rows, batch, jax.random.fold_in(key, number))
            # A task with several crops of a clip counts their mean; the step weighs the clips.
            values, weights = values.reshape(size, -1), weights.reshape(size, -1)
            per_clip = jnp.sum(values * weights, axis=1) / jnp.maximum(jnp.sum(weights, axis=1), 1e-12)
            total = total + self._weights[name] * per_clip
        return total, batch["weights"]

    def predict(
        self, model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        """All that the tasks tell of the clips."""
        found: dict[str, jax.Array] = {}
        for task in self.tasks.values():
            found |= task.predict(model, rows, batch)
        return found
