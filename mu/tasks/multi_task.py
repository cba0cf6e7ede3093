"""Several tasks on one encoder: their losses are added, each with heads of its own."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from mu.nn.heads import Head
from mu.protocols import DeclaresAverage, DeclaresText, ReadsText
from mu.ranges import NonNegative


class MultiTask:
    """loss = sum_k w_k mean(loss_k); each task sees the whole batch under a key of its own.

    Args:
      tasks: name -> task.
      weights: name -> w; 1 for tasks without an entry.

    Attributes:
      offers: those of all tasks for the model's constructor; their 'outputs' are joined.
      requires: names that the model must return for any of them.
      compares_examples: whether a task's loss of an example depends on the others of its batch.
      needs_all_items: whether a task needs the rows of the whole catalogue at every step.
      learns_from_average: whether a task learns from the moving average of the model.
      text_task: the task that has learnt words, or None.
    """

    def __init__(self, *, tasks: Mapping[str, Any], weights: Mapping[str, NonNegative] | None = None):
        if not tasks:
            raise ValueError("tasks={}; name at least one task")
        self.tasks = dict(tasks)
        self._weights = {name: float((weights or {}).get(name, 1.0)) for name in self.tasks}
        if unknown := set(weights or {}) - set(self.tasks):
            raise ValueError(f"weights names {min(unknown)!r}; the tasks are {', '.join(self.tasks)}")
        self.requires = frozenset().union(*(task.requires for task in self.tasks.values()))
        self.compares_examples = any(task.compares_examples for task in self.tasks.values())
        self.needs_all_items = any(task.needs_all_items for task in self.tasks.values())
        self.learns_from_average = any(
            isinstance(task, DeclaresAverage) and task.learns_from_average for task in self.tasks.values()
        )
        with_words = [one.text_task for one in self.tasks.values() if isinstance(one, DeclaresText)]
        self.text_task: ReadsText | None = with_words[0] if with_words else None
        self.offers = _joined_offers(self.tasks)

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
        """The predictions of all tasks, under their names; that of a head stands where names alone predict it too."""
        predictions: dict[str, jax.Array] = {}
        for task in sorted(self.tasks.values(), key=lambda task: "zero_shot" not in task.offers):
            predictions |= task.predict(model, rows, batch)
        return predictions


def _joined_offers(tasks: Mapping[str, Any]) -> dict[str, Any]:
    """The tasks' offers in one; raises ValueError where two offer different values under one name."""
    joined: dict[str, Any] = {}
    heads: dict[str, Head] = {}
    for task_name, task in tasks.items():
        outputs = task.offers.get("outputs", {})
        if shared := set(outputs) & set(heads):
            raise ValueError(f"task {task_name!r} has a head {min(shared)!r}, and so has another")
        heads |= outputs
        for name, value in task.offers.items():
            if name in joined and name != "outputs" and joined[name] != value:
                raise ValueError(f"task {task_name!r} offers {name}={value!r}, and another {joined[name]!r}")
            joined[name] = value
    return joined | {"outputs": heads}
