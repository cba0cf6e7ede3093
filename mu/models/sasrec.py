"""SASRec: a causal transformer over a listener's plays, with tied output (Kang & McAuley 2018, arXiv:1808.09781)."""

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.attention import packed_causal_mask
from mu.nn.blocks import Norm, Stack
from mu.nn.dropout import dropout
from mu.nn.table import Table
from mu.ranges import Between, Divides, NonNegative, Precision, Rate, Size

Positions = Literal["learned", "rotary"]


class SASRec(nnx.Module):
    """Causal transformer over histories; a query's dot product with a track's row is its score as the next play.

    Args:
      dim: D, size of track rows and hidden states.
      layers: number of blocks.
      heads: attention heads a block.
      window: T, the longest history.
      dropout: rate after the embedding and inside the blocks.
      positions: 'learned' (a vector a position, added) or 'rotary' (queries and keys rotated).
      block: 'transformer' or 'ligr' (see `mu.nn.blocks`).
      scale: standard deviation of the initial track rows.
      dtype: of the computation, 'float32' or 'bfloat16'; parameters are float32.
      rngs: source of the initial values.
    """

    def __init__(
        self,
        *,
        dim: Size = 64,
        layers: Size = 2,
        heads: Annotated[int, Between(1, 1_024), Divides("dim")] = 2,
        window: Size = 50,
        dropout: Rate = 0.2,
        positions: Positions = "learned",
        block: Literal["transformer", "ligr"] = "transformer",
        scale: NonNegative = 0.02,
        dtype: Precision = "float32",
        rngs: nnx.Rngs,
    ):
        if positions not in get_args(Positions):
            raise ValueError(f"positions={positions!r}; known: {', '.join(get_args(Positions))}")
        self.dim, self.window, self.rate, self.scale = dim, window, dropout, scale
        self.dtype = jnp.dtype(dtype)
        rotary = positions == "rotary"
        if rotary:
            self.position = None
        else:
            values = scale * jax.random.normal(rngs.params(), (window, dim), jnp.float32)
            self.position = nnx.Param(values, axes=("positions", "embed"))
        self.stack = Stack(layers, dim, heads, block=block, rotary=rotary, rate=dropout, dtype=self.dtype, rngs=rngs)
        self.norm = Norm(dim, dtype=self.dtype, rngs=rngs)

    def tables(self) -> dict[str, Table]:
        """The rows the trainer keeps: one for each track, used both as input and as output."""
        return {"items": Table(ids="items", dim=self.dim, scale=self.scale)}

    def __call__(
        self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array], key: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Encodes (packed) histories.

        Args:
          rows: 'items' float32 [L, D], the track rows of this batch.
          batch: 'items' int32 [B, T], indices into `rows`; 'positions' int32 [B, T], counted back from the
            latest play of each history;
            'segments' int32 [B, T], which history of the row a position belongs to, 0 where empty.
          key: for dropout; None at inference.

        Returns:
          'embedded' [B, T, D], rows with positions; 'queries' float32 [B, T, D], for the play after position t.
        """
        length = batch["items"].shape[1]
        if self.position is not None and length > self.window:
            raise ValueError(f"rows of {length} plays, but window={self.window} learned positions: set a longer window")
        key, stack_key = (None, None) if key is None else jax.random.split(key)
        x = rows["items"][batch["items"]].astype(self.dtype)
        if self.position is not None:
            x = x + self.position[batch["positions"]].astype(self.dtype)
        embedded = dropout(x, self.rate, key)
        mask = packed_causal_mask(batch["segments"])
        hidden = self.norm(self.stack(embedded, mask, batch["positions"], stack_key))
        return {"embedded": embedded, "queries": hidden.astype(jnp.float32)}

    def item_vectors(self, rows: Mapping[str, jax.Array]) -> tuple[jax.Array, jax.Array | None]:
        """(vectors [L, D] that a query is multiplied with, None: no bias)."""
        return rows["items"], None
