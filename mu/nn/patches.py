"""Patches of a spectrogram as tokens of a transformer."""

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.linear import linear


class PatchEmbedding(nnx.Module):
    """Cuts [B, F, M] into patches of `frames` x `mels`, maps each to `dim` and adds a vector for its band.

    Time is left to rotary positions, so a model takes clips of any length. A spectrogram is filled up with zeros to
    whole patches.

    Args:
      frames: of a patch.
      mels: of a patch.
      n_mels: M.
      dim: D.
    """

    def __init__(self, frames: int, mels: int, n_mels: int, dim: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.frames, self.mels = frames, mels
        self.bands = -(-n_mels // mels)
        self.map = linear(frames * mels, dim, (None, "embed"), dtype=dtype, rngs=rngs)
        self.band = nnx.Param(
            0.02 * jax.random.normal(rngs.params(), (self.bands, dim), jnp.float32), axes=(None, "embed")
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, F, M] -> [B, ceil(F / frames), bands, D]."""
        batch, length, n_mels = x.shape
        steps = -(-length // self.frames)
        x = jnp.pad(x, ((0, 0), (0, steps * self.frames - length), (0, self.bands * self.mels - n_mels)))
        x = x.reshape(batch, steps, self.frames, self.bands, self.mels).transpose(0, 1, 3, 2, 4)
        tokens = self.map(x.reshape(batch, steps, self.bands, -1))
        return tokens + self.band[...][None, None].astype(tokens.dtype)

    def frame_mask(self, mask: jax.Array) -> jax.Array:
        """bool [B, F] -> [B, ceil(F / frames)]: where any frame of the patch holds the clip."""
        missing = -mask.shape[1] % self.frames
        return jnp.pad(mask, ((0, 0), (0, missing))).reshape(len(mask), -1, self.frames).any(axis=2)
