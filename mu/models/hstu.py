"""HSTU: attention without a softmax over a listener's plays, with biases of position and time (Zhai et al. 2024)."""

from collections.abc import Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.attention import packed_causal_mask
from mu.nn.dropout import dropout
from mu.nn.history import HistoryInputs
from mu.nn.layers import scan_layers, stack_layers
from mu.nn.linear import linear
from mu.nn.normalise import standardised, unit
from mu.nn.table import Table
from mu.ranges import Between, Divides, NonNegative, Positive, Precision, Rate, Size

LOG_STEP = 0.301
"""Width of a bin of time, as a logarithm; the authors' code has it."""
TIME_BINS = 72
"""As many as int32 seconds reach, which is 68 years."""


def time_bins(seconds: jax.Array) -> jax.Array:
    """floor(ln(max(1, s_t - s_u)) / 0.301): int32 [B, T] -> int32 [B, T, T], below `TIME_BINS`."""
    apart = jnp.maximum(seconds[:, :, None] - seconds[:, None, :], 1)
    return jnp.floor(jnp.log(apart.astype(jnp.float32)) / LOG_STEP).astype(jnp.int32)


class HSTUBlock(nnx.Module):
    """One layer of HSTU, [B, T, D] -> [B, T, D] (arXiv:2402.17152, equations 1 to 3):

        U, V, Q, K = SiLU(W norm(X));  A = SiLU(Q K^T + b_position + b_time);  X + W' (norm(A V) * U)

    The norms have no parameters. A is divided by the window, as in the authors' code; the norm undoes it but for its
    epsilon. The biases are a number for each distance and each bin of time, alike for all heads.

    Args:
      dim: D.
      heads: of the attention.
      window: number of distances; those beyond count as the longest.
      rate: of dropout, before W'.
      dtype: of the computation; scores and norms are float32.
      rngs: source of the initial values. The biases start at zero: a distance or time that training never saw adds
        nothing.
    """

    def __init__(self, dim: int, heads: int, window: int, *, rate: float, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.heads, self.window, self.rate, self.dtype = heads, window, rate, dtype
        axes = ("embed", "heads")
        self.gate = linear(dim, dim, axes, use_bias=False, dtype=dtype, rngs=rngs)
        self.value = linear(dim, dim, axes, use_bias=False, dtype=dtype, rngs=rngs)
        self.query = linear(dim, dim, axes, use_bias=False, dtype=dtype, rngs=rngs)
        self.key = linear(dim, dim, axes, use_bias=False, dtype=dtype, rngs=rngs)
        self.out = linear(dim, dim, ("heads", "embed"), dtype=dtype, rngs=rngs)
        self.position_bias = nnx.Param(jnp.zeros(window, jnp.float32), axes=(None,))
        self.time_bias = nnx.Param(jnp.zeros(TIME_BINS, jnp.float32), axes=(None,))

    def __call__(self, x: jax.Array, mask: jax.Array, bins: jax.Array | None, key: jax.Array | None) -> jax.Array:
        batch, length, dim = x.shape
        shape = (batch, length, self.heads, dim // self.heads)
        normal = standardised(x).astype(self.dtype)
        gate, value, query, keys = (
            jax.nn.silu(layer(normal)) for layer in (self.gate, self.value, self.query, self.key)
        )
        # The plays of a history lie side by side, so that columns tell how many plays lie between two of them.
        columns = jnp.arange(length, dtype=jnp.int32)
        distances = jnp.clip(columns[:, None] - columns[None], 0, self.window - 1)
        bias = self.position_bias[...][distances][None]
        if bins is not None:
            bias = bias + self.time_bias[...][bins]
        scores = jnp.einsum("bthd,bshd->bhts", query.reshape(shape), keys.reshape(shape)).astype(jnp.float32)
        attention = jnp.where(mask, jax.nn.silu(scores + bias[:, None]) / self.window, 0.0).astype(self.dtype)
        mixed = jnp.einsum("bhts,bshd->bthd", attention, value.reshape(shape)).reshape(batch, length, dim)
        gated = standardised(mixed).astype(self.dtype) * gate
        return x + self.out(dropout(gated, self.rate, key))


class HSTU(nnx.Module):
    """Layers of HSTU over histories; a query's score of a track is their cosine over a temperature.

    Zhai et al., "Actions Speak Louder than Words", ICML 2024 (arXiv:2402.17152), for the next play as in section 4.1.1.
    Two things differ from the authors' code: no vectors of absolute positions are added, and the time between plays t
    and s counts to play t itself, not to the play after it, whose time is not known when it is to be recommended. In a
    log without times the biases of position stand alone.

    Args:
      dim: D, size of track rows and hidden states.
      layers: number of blocks.
      heads: attention heads a block.
      window: T, the longest history.
      dropout: rate after the embedding and inside the blocks.
      temperature: of the cosine; None for the dot product of track rows and normalised hidden states.
      scale: standard deviation of the initial track rows.
      dtype: of the computation, 'float32' or 'bfloat16'; parameters are float32.
      inputs: features of plays and tracks that it reads, keyword arguments of `mu.nn.history.HistoryInputs`; the run
        gives those of its batches.
      rngs: source of the initial values.
    """

    def __init__(
        self,
        *,
        dim: Size = 64,
        layers: Size = 2,
        heads: Annotated[int, Between(1, 1_024), Divides("dim")] = 1,
        window: Size = 50,
        dropout: Rate = 0.2,
        temperature: Positive | None = 0.05,
        scale: NonNegative = 0.02,
        dtype: Precision = "float32",
        inputs: Mapping[str, Any] | None = None,
        rngs: nnx.Rngs,
    ):
        if dim % heads:
            raise ValueError(f"dim={dim} is not a multiple of heads={heads}")
        if temperature is not None and temperature <= 0:
            raise ValueError(f"temperature={temperature}; it must be positive")
        self.rate, self.temperature = dropout, temperature
        self.dtype = jnp.dtype(dtype)

        def create(rngs: nnx.Rngs) -> nnx.Module:
            return HSTUBlock(dim, heads, window, rate=dropout, dtype=self.dtype, rngs=rngs)

        self.blocks = stack_layers(create, layers, rngs)
        self.inputs = HistoryInputs(dim, scale, **(inputs or {}), rngs=rngs)

    def tables(self) -> dict[str, Table]:
        """The rows the trainer keeps: one for each track, used both as input and as output."""
        return self.inputs.tables()

    def __call__(
        self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array], key: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Encodes (packed) histories.

        Args:
          rows: 'items' float32 [L, D], the track rows of this batch, and what `inputs` reads beside them.
          batch: 'items' int32 [B, T], indices into `rows`; 'segments' int32 [B, T], which history of the row a position
            belongs to, 0 where empty; of histories with times 'seconds' int32 [B, T], since any moment of the history;
            and what `inputs` reads.
          key: for dropout; None at inference.

        Returns:
          'queries' float32 [B, T, D], for the play after position t.
        """
        key, stack_key = (None, None) if key is None else jax.random.split(key)
        x = dropout(self.inputs(rows, batch).astype(self.dtype), self.rate, key)
        bins = time_bins(batch["seconds"]) if "seconds" in batch else None
        hidden = scan_layers(self.blocks, x, packed_causal_mask(batch["segments"]), bins, key=stack_key)
        if self.temperature is None:
            return {"queries": standardised(hidden)}
        return {"queries": unit(hidden.astype(jnp.float32)) / self.temperature}

    def item_vectors(self, rows: Mapping[str, jax.Array]) -> tuple[jax.Array, jax.Array | None]:
        """(vectors [L, D] that a query is multiplied with, None: no bias)."""
        vectors = self.inputs.tracks(rows)
        return (vectors if self.temperature is None else unit(vectors)), None
