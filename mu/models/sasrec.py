"""SASRec and BERT4Rec: a transformer over a listener's plays, causal or bidirectional, with tied output."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.attention import packed_causal_mask, packed_mask
from mu.nn.blocks import Norm, Stack
from mu.nn.dropout import dropout
from mu.nn.history import HistoryInputs
from mu.nn.linear import linear
from mu.nn.table import Table
from mu.ranges import Between, Divides, NonNegative, Precision, Rate, Size

Positions = Literal["learned", "rotary"]
Attention = Literal["causal", "bidirectional"]


class SASRec(nnx.Module):
    """Transformer over histories; a query's dot product with a track's row is its score as the play there.

    Causal it is SASRec (Kang & McAuley 2018, arXiv:1808.09781), with `block='ligr'` eSASRec (Tikhonovich et al. 2025,
    arXiv:2508.06450): the query of a position is for the next play. Bidirectional it is the encoder of BERT4Rec (Sun et
    al. 2019, arXiv:1904.06690), trained by `mu.tasks.cloze`: some plays are hidden behind a learnt vector, and their
    queries are for the play that is hidden. Blocks are pre-norm; BERT4Rec's own are post-norm, and its output layer,
    GELU(W h + b) and a bias of each track, is left out.

    Args:
      dim: D, size of track rows and hidden states.
      layers: number of blocks.
      heads: attention heads a block.
      window: T, the longest history.
      dropout: rate after the embedding and inside the blocks.
      positions: 'learned' (a vector a position, added) or 'rotary' (queries and keys rotated).
      block: 'transformer' or 'ligr' (see `mu.nn.blocks`).
      attention: 'causal', or 'bidirectional' for `mu.tasks.cloze`.
      interests: M, queries of a position; several are for `mu.tasks.multi_interest`, each a linear map of the hidden
        state.
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
        heads: Annotated[int, Between(1, 1_024), Divides("dim")] = 2,
        window: Size = 50,
        dropout: Rate = 0.2,
        positions: Positions = "learned",
        block: Literal["transformer", "ligr"] = "transformer",
        attention: Attention = "causal",
        interests: Size = 1,
        scale: NonNegative = 0.02,
        dtype: Precision = "float32",
        inputs: Mapping[str, Any] | None = None,
        rngs: nnx.Rngs,
    ):
        if positions not in get_args(Positions):
            raise ValueError(f"positions={positions!r}; known: {', '.join(get_args(Positions))}")
        if attention not in get_args(Attention):
            raise ValueError(f"attention={attention!r}; known: {', '.join(get_args(Attention))}")
        self.dim, self.window, self.rate = dim, window, dropout
        self.dtype = jnp.dtype(dtype)
        rotary = positions == "rotary"

        def vectors(count: int, axis: str | None) -> nnx.Param:
            values = scale * jax.random.normal(rngs.params(), (count, dim), jnp.float32)
            return nnx.Param(values, axes=(axis, "embed"))

        self.position = None if rotary else vectors(window, "positions")
        self.hidden_play = vectors(1, None) if attention == "bidirectional" else None
        self.stack = Stack(layers, dim, heads, block=block, rotary=rotary, rate=dropout, dtype=self.dtype, rngs=rngs)
        self.norm = Norm(dim, dtype=self.dtype, rngs=rngs)
        self.inputs = HistoryInputs(dim, scale, **(inputs or {}), rngs=rngs)
        self.interests = interests
        if interests > 1:
            self.interest_maps = linear(dim, interests * dim, ("embed", None), dtype=self.dtype, rngs=rngs)

    @property
    def hides_plays(self) -> bool:
        """Whether it takes 'hidden' and reads no hidden play: where attention is bidirectional."""
        return self.hidden_play is not None

    def tables(self) -> dict[str, Table]:
        """The rows the trainer keeps: one for each track, used both as input and as output."""
        return self.inputs.tables()

    def __call__(
        self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array], key: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Encodes (packed) histories.

        Args:
          rows: 'items' float32 [L, D], the track rows of this batch, and what `inputs` reads beside them.
          batch: 'items' int32 [B, T], indices into `rows`; 'positions' int32 [B, T], counted back from the
            latest play of each history;
            'segments' int32 [B, T], which history of the row a position belongs to, 0 where empty; bidirectional also
            'hidden' bool [B, T], which plays are hidden; and what `inputs` reads.
          key: for dropout; None at inference.

        Returns:
          'embedded' [B, T, D], rows with positions; 'queries' float32 [B, T, D], for the play after position t, or for
          the hidden play there. With several interests 'interests' float32 [B, T, M, D] instead of 'queries'.

        Raises:
          ValueError: a row is longer than the window, or the task is none for this attention.
        """
        length = batch["items"].shape[1]
        if self.position is not None and length > self.window:
            raise ValueError(f"rows of {length} plays, but window={self.window} learned positions: set a longer window")
        if ("hidden" in batch) != (self.hidden_play is not None):
            raise ValueError(
                "model.attention='bidirectional' and task.name='mu.tasks.cloze:Cloze' go together: other tasks would "
                "show it the play that it is to predict, and a causal model has no vector for hidden plays"
            )
        key, stack_key = (None, None) if key is None else jax.random.split(key)
        x = self.inputs(rows, batch)
        if self.hidden_play is not None:
            x = jnp.where(batch["hidden"][..., None], self.hidden_play[...][None], x)
        x = x.astype(self.dtype)
        if self.position is not None:
            x = x + self.position[batch["positions"]].astype(self.dtype)
        embedded = dropout(x, self.rate, key)
        mask = (packed_causal_mask if self.hidden_play is None else packed_mask)(batch["segments"])
        hidden = self.norm(self.stack(embedded, mask, batch["positions"], stack_key))
        if self.interests > 1:
            maps = self.interest_maps(hidden).astype(jnp.float32)
            return {"embedded": embedded, "interests": maps.reshape(*maps.shape[:2], self.interests, self.dim)}
        return {"embedded": embedded, "queries": hidden.astype(jnp.float32)}

    def item_vectors(self, rows: Mapping[str, jax.Array]) -> tuple[jax.Array, jax.Array | None]:
        """(vectors [L, D] that a query is multiplied with, None: no bias)."""
        return self.inputs.tracks(rows), None
