"""The Audio Spectrogram Transformer (AST) as it was published, for weights that others have trained."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from mu.models.pretrained_front_end import PretrainedFrontEnd
from mu.nn.blocks import Stack, exact_norm


class SpectrogramTransformer(nnx.Module):
    """Transformer over overlapping patches of a spectrogram of fixed size (Gong et al. 2021, arXiv:2104.01778).

    Two tokens, of class and of distillation, stand before the patches; a learned vector is added for each place.
    (`mu.models.audio_trunks.PatchTransformer` is the one to train: it takes clips of any length.)

    Args:
      front_end: from waveforms to spectrograms.
      dim: D.
      layers: number of blocks.
      heads: attention heads a block.
      patch: frames and mels of a patch.
      time_stride: frames from patch to patch.
      mel_stride: mels from patch to patch.
      rngs: source of the initial values.
    """

    def __init__(
        self,
        *,
        front_end: PretrainedFrontEnd,
        dim: int,
        layers: int,
        heads: int,
        patch: int,
        time_stride: int,
        mel_stride: int,
        rngs: nnx.Rngs,
    ):
        self.front_end = front_end
        self.steps = (front_end.frames - patch) // time_stride + 1
        self.bands = (front_end.n_mels - patch) // mel_stride + 1
        self.patches = nnx.Conv(1, dim, (patch, patch), strides=(time_stride, mel_stride), padding="VALID", rngs=rngs)
        self.tokens = nnx.Param(jnp.zeros((2, dim), jnp.float32))
        self.positions = nnx.Param(jnp.zeros((2 + self.bands * self.steps, dim), jnp.float32))
        dtype = jnp.dtype("float32")
        self.stack = Stack(layers, dim, heads, block="vit", rotary=False, rate=0.0, dtype=dtype, rngs=rngs)
        self.norm = exact_norm(dim, rngs=rngs)

    def tables(self) -> dict[str, Any]:
        """No tables of rows."""
        return {}

    def encode(self, spectrogram: jax.Array) -> dict[str, jax.Array]:
        """Outputs for spectrograms of the front end.

        Args:
          spectrogram: float32 [B, F, M].

        Returns:
          'clip' float32 [B, D], the mean of the two tokens, which is what the model's own classifier takes; 'frames'
          float32 [B, F', D], the mean over the patches of the same time.
        """
        patches = self.patches(spectrogram[..., None])
        batch, steps, bands, dim = patches.shape
        patches = patches.transpose(0, 2, 1, 3).reshape(batch, bands * steps, dim)  # places are counted band by band
        tokens = jnp.broadcast_to(self.tokens[...][None], (batch, 2, dim))
        x = jnp.concatenate([tokens, patches], axis=1) + self.positions[...][None]
        everything = jnp.ones((1, 1, 1, x.shape[1]), bool)
        places = jnp.broadcast_to(jnp.arange(x.shape[1], dtype=jnp.int32)[None], x.shape[:2])
        x = self.norm(self.stack(x, everything, places, None))
        return {
            "clip": jnp.mean(x[:, :2], axis=1),
            "frames": jnp.mean(x[:, 2:].reshape(batch, bands, steps, dim), axis=1),
        }

    def __call__(
        self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array], key: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Outputs for waveforms, 'audio' float32 [B, N] and 'samples' int32 [B]; see `encode`. Nothing is random."""
        del rows, key
        return self.encode(self.front_end(batch["audio"], batch["samples"]))
