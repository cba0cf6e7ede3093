"""What is added to the score of a track that the listener has played, by how often and how lately."""

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.linear import zero_linear
from mu.nn.normalise import standardised

AGO_PLAYS, AGO_SECONDS = 16, 32
"""Bins of how long ago a play was, by powers of two of plays and of seconds."""


class RepeatOffset(nnx.Module):
    """The offset of a track v that the history in the window has at places s, for the play after place t:

        log sum_s exp(w . norm(q_t) + c + b[plays between s and t] + d[seconds between s and t])

    It grows with the logarithm of the number of plays and has learnt biases of recency, as models of repeat consumption
    have (Anderson et al., WWW 2014; Benson et al., WWW 2016). The query says how far the listener is about to repeat.
    All weights start at zero: a single play adds nothing.

    Args:
      dim: D.
      rngs: every layer takes it.
    """

    def __init__(self, dim: int, *, rngs: nnx.Rngs):
        self.out = zero_linear(dim, 1, rngs=rngs)
        self.plays_ago = nnx.Param(jnp.zeros(AGO_PLAYS, jnp.float32), axes=(None,))
        self.seconds_ago = nnx.Param(jnp.zeros(AGO_SECONDS, jnp.float32), axes=(None,))

    def __call__(self, queries: jax.Array, seconds: jax.Array | None) -> jax.Array:
        """float32 [B, T, S]: what the play of each place s counts for in the sum, as logarithm, after place t; S = T.

        Args:
          queries: float32 [B, T, D].
          seconds: int32 [B, S], when the plays were; None where that is not known.
        """
        places = jnp.arange(queries.shape[1], dtype=jnp.int32)
        offsets = self.out(standardised(queries))
        offsets = offsets + self.plays_ago[...][log2_bins(places[:, None] - places[None], AGO_PLAYS)][None]
        if seconds is None:
            return offsets
        return offsets + self.seconds_ago[...][log2_bins(seconds[:, :, None] - seconds[:, None, :], AGO_SECONDS)]


def log2_bins(distances: jax.Array, bins: int) -> jax.Array:
    """floor(log2(1 + n)) of int32 n, 0 for negative ones, at most `bins` - 1."""
    logarithms = jnp.log2(1.0 + jnp.maximum(distances, 0).astype(jnp.float32))
    return jnp.minimum(jnp.floor(logarithms + 1e-6).astype(jnp.int32), bins - 1)
