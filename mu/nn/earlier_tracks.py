"""What the earlier tracks of its artist say of a track that has no row of its own."""

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.linear import linear, zero_linear


class EarlierTracks(nnx.Module):
    """Attention of a track over the rows of earlier tracks of its artist, and over one vector for nothing known.

    With x_v what is known of track v (features, sound), r_e the own rows of its N earlier tracks and r_0 a constant,

        row(v) = sum_{e=0..N} a_e r_e,  a = softmax(b_e + (W x_v) . (U x_e) / sqrt(D)),  its logit of r_0 is 0.

    W starts at zero and all b too: then n earlier tracks have the weight n / (n + 1), the posterior mean of a normal
    whose prior is worth one track. No gradient goes through the sum into the rows. In training they are those of the
    whole log, which also know plays from after the release of v. Source of the idea: ACARec (artist's catalogue
    attention for cold-start tracks).

    Args:
      dim: D.
      count: N.
      rngs: source of the initial values.
    """

    def __init__(self, dim: int, count: int, *, rngs: nnx.Rngs):
        self.query = zero_linear(dim, dim, ("embed", None), use_bias=False, rngs=rngs)
        self.key = linear(dim, dim, ("embed", None), use_bias=False, dtype=jnp.dtype(jnp.float32), rngs=rngs)
        self.bias = nnx.Param(jnp.zeros(count, jnp.float32), axes=(None,))

    def __call__(self, items: jax.Array, described: jax.Array, earlier: jax.Array, nothing: jax.Array) -> jax.Array:
        """float32 [L, D]: a row for each track.

        Args:
          items: float32 [L, D], own rows.
          described: float32 [L, D], what is known of each track.
          earlier: int32 [L, N], places in `items`, -1 for none.
          nothing: float32 [1, D], r_0.
        """
        places = jnp.maximum(earlier, 0)
        keys = self.key(described)[places]
        logits = jnp.einsum("ld,lnd->ln", self.query(described), keys) * described.shape[-1] ** -0.5
        logits = jnp.where(earlier >= 0, logits + self.bias[...][None], -jnp.inf)
        weights = jax.nn.softmax(jnp.pad(logits, ((0, 0), (1, 0))), axis=-1)
        rows = jax.lax.stop_gradient(items)[places]
        return weights[:, :1] * nothing + jnp.einsum("ln,lnd->ld", weights[:, 1:], rows)
