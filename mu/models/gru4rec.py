"""GRU4Rec: a recurrent network over a listener's plays (Hidasi et al. 2016, arXiv:1511.06939)."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.dropout import dropout
from mu.nn.history import HistoryInputs
from mu.nn.layers import scan_layers, stack_layers
from mu.nn.linear import linear
from mu.nn.table import Table
from mu.ranges import NonNegative, Precision, Rate, Size


def segment_starts(segments: jax.Array) -> jax.Array:
    """bool [B, T]: whether another history of the row begins at a position."""
    return jnp.pad(segments[:, 1:] != segments[:, :-1], ((0, 0), (1, 0)), constant_values=True)


class GRULayer(nnx.Module):
    """A gated recurrent unit over positions, [B, T, D] -> [B, T, D]; its state is 0 where a history begins.

        r, z = sigmoid(W x + U h + b);  c = tanh(W x + r * (U h + b));  h' = (1 - z) * h + z * c

    Equations 2 to 5 of the paper in the form of cuDNN, which the authors' PyTorch code uses: r multiplies U h, not h.

    Args:
      dim: D.
      rate: of dropout, after it.
      dtype: of the products; the state is float32.
      rngs: source of the initial values.
    """

    def __init__(self, dim: int, *, rate: float, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.dim, self.rate, self.dtype = dim, rate, dtype
        # Whole on each device: a split state would be gathered at each position.
        self.inputs = linear(dim, 3 * dim, ("embed", None), dtype=dtype, rngs=rngs)
        self.state = linear(dim, 3 * dim, ("embed", None), dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, starts: jax.Array, key: jax.Array | None) -> jax.Array:
        def step(state: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            inputs, start = now
            state = jnp.where(start[:, None], 0.0, state)
            of_inputs = jnp.split(inputs.astype(jnp.float32), 3, axis=-1)
            of_state = jnp.split(self.state(state.astype(self.dtype)).astype(jnp.float32), 3, axis=-1)
            reset, update = (jax.nn.sigmoid(of_inputs[gate] + of_state[gate]) for gate in (0, 1))
            candidate = jnp.tanh(of_inputs[2] + reset * of_state[2])
            state = (1.0 - update) * state + update * candidate
            return state, state

        by_position = (jnp.swapaxes(self.inputs(x), 0, 1), jnp.swapaxes(starts, 0, 1))
        _, states = jax.lax.scan(step, jnp.zeros((len(x), self.dim), jnp.float32), by_position)
        return dropout(jnp.swapaxes(states, 0, 1).astype(self.dtype), self.rate, key)


class GRU4Rec(nnx.Module):
    """Recurrent layers over histories; the last state's dot product with a track's row, plus its bias, is its score.

    Hidasi et al., "Session-based Recommendations with Recurrent Neural Networks", ICLR 2016 (arXiv:1511.06939), with
    one row a track for input and output, as the authors' code recommends (`constrained_embedding`). The losses are
    those of the task.

    Args:
      dim: D, size of track rows and states.
      layers: number of recurrent layers.
      dropout: rate after the embedding and after each layer.
      scale: standard deviation of the initial track rows.
      dtype: of the computation, 'float32' or 'bfloat16'; parameters and states are float32.
      inputs: features of plays and tracks that it reads, keyword arguments of `mu.nn.history.HistoryInputs`; the run
        gives those of its batches.
      rngs: source of the initial values.
    """

    def __init__(
        self,
        *,
        dim: Size = 64,
        layers: Size = 1,
        dropout: Rate = 0.2,
        scale: NonNegative = 0.1,
        dtype: Precision = "float32",
        inputs: Mapping[str, Any] | None = None,
        rngs: nnx.Rngs,
    ):
        self.rate, self.dtype = dropout, jnp.dtype(dtype)

        def create(rngs: nnx.Rngs) -> nnx.Module:
            return GRULayer(dim, rate=dropout, dtype=self.dtype, rngs=rngs)

        self.recurrent = stack_layers(create, layers, rngs)
        self.inputs = HistoryInputs(dim, scale, **(inputs or {}), rngs=rngs)

    def tables(self) -> dict[str, Table]:
        """The rows the trainer keeps: one for each track, used both as input and as output, and its bias."""
        return {**self.inputs.tables(), "item_bias": Table(ids="items", dim=1, scale=0.0)}

    def __call__(
        self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array], key: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Encodes (packed) histories.

        Args:
          rows: 'items' float32 [L, D], the track rows of this batch, and what `inputs` reads beside them.
          batch: 'items' int32 [B, T], indices into `rows`; 'segments' int32 [B, T], which history of the row a position
            belongs to, 0 where empty; and what `inputs` reads.
          key: for dropout; None at inference.

        Returns:
          'queries' float32 [B, T, D], for the play after position t.
        """
        key, stack_key = (None, None) if key is None else jax.random.split(key)
        x = dropout(self.inputs(rows, batch).astype(self.dtype), self.rate, key)
        states = scan_layers(self.recurrent, x, segment_starts(batch["segments"]), key=stack_key)
        return {"queries": states.astype(jnp.float32)}

    def item_vectors(self, rows: Mapping[str, jax.Array]) -> tuple[jax.Array, jax.Array | None]:
        """(float32 [L, D], bias float32 [L])."""
        return self.inputs.tracks(rows), self.inputs.trained(rows, rows["item_bias"])[:, 0]
