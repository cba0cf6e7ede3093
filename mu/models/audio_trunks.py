"""Trunks of audio encoders: a residual CNN and a patch transformer, from spectrograms to frames."""

import itertools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.blocks import Norm, Stack
from mu.nn.patches import PatchEmbedding
from mu.nn.residual import ResidualBlock, conv

STEM_STRIDE = 4
# Letter -> channels of the stages, blocks a stage. With 64 mels: .13, .32, 1.25, 6.3, 27 and 94 million parameters.
CNN_SIZES: dict[str, tuple[tuple[int, ...], int]] = {
    "xs": ((24, 48, 72), 1),
    "s": ((32, 64, 128), 1),
    "m": ((64, 128, 256), 1),
    "l": ((96, 192, 384), 2),
    "xl": ((160, 320, 640), 3),
    "xxl": ((256, 512, 1024), 4),
}
# Letter -> dimension, layers, heads. With 64 mels: .12, .37, 1.3, 4.8, 22 and 85 million parameters.
TRANSFORMER_SIZES: dict[str, tuple[int, int, int]] = {
    "xs": (64, 2, 2),
    "s": (96, 3, 3),
    "m": (160, 4, 4),
    "l": (256, 6, 4),
    "xl": (512, 7, 8),
    "xxl": (768, 12, 12),
}


class ShortChunkCNN(nnx.Module):
    """Residual CNN on a spectrogram taken as a picture (after the short-chunk ResNet, Won et al. 2020,
    arXiv:2006.00751).

    A 7 x 7 convolution with stride 4 and a bias a band, then stages of pre-activation blocks, each but the first
    halving time and frequency; the mean over frequency gives the frames. Convolutions run at a quarter of the
    resolution and less: a CPU does four times the arithmetic a second on 64 channels that it does on a few.

    No norm follows the last block: an instance norm there would set every channel's mean over the clip to one value,
    and the mean is what is pooled.

    Args:
      size: letter of `CNN_SIZES`.
      n_mels: M.
    """

    def __init__(self, size: str, n_mels: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        channels, blocks = sized(CNN_SIZES, size)
        self.stride_frames = STEM_STRIDE * 2 ** (len(channels) - 1)
        self.dim = channels[-1]
        self.dtype = dtype
        self.stem = conv(1, channels[0], (7, 7), stride=STEM_STRIDE, dtype=dtype, rngs=rngs)
        self.band = nnx.Param(jnp.zeros((-(-n_mels // STEM_STRIDE), channels[0]), jnp.float32), axes=(None, None))
        widths = [channels[0], *(width for width in channels for _ in range(blocks))]
        self.blocks = nnx.List(
            ResidualBlock(inputs, outputs, halve=at > 0 and at % blocks == 0, dtype=dtype, rngs=rngs)
            for at, (inputs, outputs) in enumerate(itertools.pairwise(widths))
        )

    def __call__(self, x: jax.Array, mask: jax.Array, key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        """[B, F, M], bool [B, F] -> ([B, F', D], bool [B, F'])."""
        del key  # nothing is dropped here
        x = self.stem(x[..., None].astype(self.dtype)) + self.band[...][None, None].astype(self.dtype)
        mask = mask[:, ::STEM_STRIDE]
        for block in self.blocks:
            x, mask = block(x, mask)
        return jnp.mean(jax.nn.relu(x), axis=2), mask


class PatchTransformer(nnx.Module):
    """Transformer over patches of 16 frames x 16 mels (AST, Gong et al. 2021, arXiv:2104.01778), layers scanned.

    Time enters as rotary positions and frequency as a learned vector a band, so clips may have any length; a frame is
    the mean of its bands' tokens.

    Args:
      size: letter of `TRANSFORMER_SIZES`.
      n_mels: M.
      rate: of dropout inside the blocks.
    """

    stride_frames = 16

    def __init__(self, size: str, n_mels: int, rate: float, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.dim, layers, heads = sized(TRANSFORMER_SIZES, size)
        self.patches = PatchEmbedding(self.stride_frames, 16, n_mels, self.dim, dtype=dtype, rngs=rngs)
        self.stack = Stack(layers, self.dim, heads, block="transformer", rotary=True, rate=rate, dtype=dtype, rngs=rngs)
        self.norm = Norm(self.dim, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, mask: jax.Array, key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        """[B, F, M], bool [B, F] -> ([B, F', D], bool [B, F'])."""
        tokens = self.patches(x)
        batch, steps, bands, dim = tokens.shape
        mask = self.patches.frame_mask(mask)
        token_mask = jnp.repeat(mask, bands, axis=1)
        positions = jnp.broadcast_to(jnp.repeat(jnp.arange(steps, dtype=jnp.int32), bands), token_mask.shape)
        mixed = self.stack(tokens.reshape(batch, steps * bands, dim), token_mask[:, None, None, :], positions, key)
        return jnp.mean(self.norm(mixed).reshape(tokens.shape), axis=2), mask


def sized(sizes: Mapping[str, Any], size: str) -> Any:
    """What a table says of a size; ValueError where it has none of this name."""
    if size not in sizes:
        raise ValueError(f"size={size!r}; known: {', '.join(sizes)}")
    return sizes[size]
