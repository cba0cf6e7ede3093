"""Layers of one kind as one module: their parameters are stacked, and a scan applies them one after the other."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


def stack_layers(create: Callable[[nnx.Rngs], nnx.Module], layers: int, rngs: nnx.Rngs) -> Any:
    """`layers` modules of one kind, their parameters stacked on a leading axis.

    Args:
      create: builds one of them.
      layers: how many.
      rngs: source of the initial values; each layer has its own.

    Raises:
      ValueError: `layers` is below 1.
    """
    if layers < 1:
        raise ValueError(f"layers={layers}; at least 1")

    @nnx.split_rngs(splits=layers)
    @nnx.vmap(in_axes=0, out_axes=0)
    def stacked(rngs: nnx.Rngs) -> nnx.Module:
        return create(rngs)

    return stacked(rngs)


def scan_layers(stacked: nnx.Module, x: jax.Array, *inputs: jax.Array | None, key: jax.Array | None) -> jax.Array:
    """Applies stacked layers one after the other.

    Compile time and Python time do not grow with depth; each layer's activations are recomputed in the backward pass
    (`jax.checkpoint`), so memory holds one x a layer.

    Args:
      stacked: of `stack_layers`; each layer is called as `layer(x, *inputs, key)` and returns the next x.
      x: what the first layer takes.
      *inputs: what every layer takes.
      key: for dropout, another one for each layer; None at inference.

    Returns:
      What the last layer returns.
    """
    graph, state = nnx.split(stacked)
    layers = len(jax.tree.leaves(state)[0])

    @jax.checkpoint
    def body(x: jax.Array, layer: tuple[nnx.State, jax.Array]) -> tuple[jax.Array, None]:
        own, number = layer
        layer_key = None if key is None else jax.random.fold_in(key, number)
        return nnx.merge(graph, own)(x, *inputs, layer_key), None

    return jax.lax.scan(body, x, (state, jnp.arange(layers, dtype=jnp.int32)))[0]
