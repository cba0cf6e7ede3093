"""Heads for what a listener is about to do: from the queries of a sequence model to logits."""

from collections.abc import Sequence

import jax
from flax import nnx

from mu.nn.linear import zero_linear
from mu.nn.normalise import standardised


class IntentHeads(nnx.Module):
    """Linear maps of standardised queries, float32 [..., D] -> logits float32 [..., K]; they start at zero.

    Args:
      dim: D.
      names: of the K heads, in order.
      rngs: every layer takes it.
    """

    def __init__(self, dim: int, names: Sequence[str], *, rngs: nnx.Rngs):
        self.out = zero_linear(dim, len(names), rngs=rngs)

    def __call__(self, queries: jax.Array) -> jax.Array:
        return self.out(standardised(queries))
