"""Heads for what a listener is about to do: from the queries of a sequence model, and from habits, to logits."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.linear import zero_linear
from mu.nn.normalise import standardised


class IntentHeads(nnx.Module):
    """Linear maps of standardised queries, float32 [..., D], and of habits, [..., H] -> logits float32 [..., K].

    Those of queries start at zero, and each head has the habit of its own name as its first logit: the next play is as
    plays before were. A window of plays tells less of that than the whole history, which the habits are counted of.

    Args:
      dim: D.
      names: of the K heads, in order.
      habits: of the H habits, in order; without any the heads read queries alone.
      rngs: every layer takes it.
    """

    def __init__(self, dim: int, names: Sequence[str], habits: Sequence[str] = (), *, rngs: nnx.Rngs):
        self.out = zero_linear(dim, len(names), rngs=rngs)
        same = jnp.array([[habit == name for name in names] for habit in habits], jnp.float32)
        self.from_habits = nnx.Param(same, axes=(None, None)) if len(habits) else None

    def __call__(self, queries: jax.Array, habits: jax.Array | None = None) -> jax.Array:
        logits = self.out(standardised(queries))
        if self.from_habits is None:
            return logits
        if habits is None:
            raise ValueError("the heads read habits, and the batch has none: set batches.habits=True")
        return logits + habits @ self.from_habits[...]
