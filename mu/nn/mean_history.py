"""The user tower of plain two-tower models: an MLP of the mean of what was played."""

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.blocks import Norm
from mu.nn.dropout import dropout
from mu.nn.linear import linear


class MeanHistory(nnx.Module):
    """m + W2 gelu(W1 norm(m)), m the mean of the plays up to a position; [B, T, D] -> [B, T, D]; MLP x 4.

    The order of the plays counts for nothing (Covington et al., "Deep neural networks for YouTube recommendations",
    RecSys 2016). It is called as `mu.nn.blocks.Stack` is.
    """

    def __init__(self, dim: int, *, rate: float, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.rate = rate
        self.norm = Norm(dim, dtype=dtype, rngs=rngs)
        self.up = linear(dim, 4 * dim, ("embed", "hidden"), dtype=dtype, rngs=rngs)
        self.down = linear(4 * dim, dim, ("hidden", "embed"), dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, mask: jax.Array, positions: jax.Array, key: jax.Array | None) -> jax.Array:
        del positions
        shares = mask[:, 0].astype(jnp.float32)
        shares = shares / jnp.sum(shares, axis=-1, keepdims=True)  # a position looks at itself at least
        mean = jnp.einsum("bts,bsd->btd", shares, x.astype(jnp.float32)).astype(x.dtype)
        return mean + dropout(self.down(jax.nn.gelu(self.up(self.norm(mean)))), self.rate, key)
