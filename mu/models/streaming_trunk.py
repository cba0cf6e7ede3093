"""A trunk of audio encoders that sees no later frame: what it gives of a stream is what it gives of the whole."""

import itertools
import math

import jax
import jax.numpy as jnp
from flax import nnx

from mu.models.audio_trunks import CNN_SIZES, STEM_STRIDE, sized
from mu.nn.causal import CausalBlock, CausalConv, Past

STEM_SIZE = 7


class StreamingCNN(nnx.Module):
    """`mu.models.audio_trunks.ShortChunkCNN` with convolutions that end at the frame itself, and norms over channels.

    Frame t comes of the spectrogram's frames up to (t + 1) s - 1, s = `stride_frames`, and of no later one. `step` goes
    on from where an earlier one ended, with the same numbers as one step over all frames.

    Args:
      size: letter of `CNN_SIZES`.
      n_mels: M.
      dtype: of the computation.
      rngs: source of the initial values.
    """

    def __init__(self, size: str, n_mels: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        channels, blocks = sized(CNN_SIZES, size)
        self.stride_frames = STEM_STRIDE * 2 ** (len(channels) - 1)
        self.dim, self.n_mels, self.dtype = channels[-1], n_mels, dtype
        self.stem = CausalConv(1, channels[0], STEM_SIZE, stride=STEM_STRIDE, dtype=dtype, rngs=rngs)
        self.band = nnx.Param(jnp.zeros((_bands(n_mels), channels[0]), jnp.float32), axes=(None, None))
        widths = [channels[0], *(width for width in channels for _ in range(blocks))]
        self.blocks = nnx.List(
            CausalBlock(inputs, outputs, halve=at > 0 and at % blocks == 0, dtype=dtype, rngs=rngs)
            for at, (inputs, outputs) in enumerate(itertools.pairwise(widths))
        )

    def before(self, batch: int) -> tuple[jax.Array, tuple[Past, ...]]:
        """The past before the first frame of B clips."""
        pasts, bands = [], _bands(self.n_mels)
        for block in self.blocks:
            bands = math.ceil(bands / 2) if block.halve else bands
            pasts.append(block.before(batch, bands))
        return self.stem.before(batch, self.n_mels), tuple(pasts)

    def step(
        self, x: jax.Array, past: tuple[jax.Array, tuple[Past, ...]]
    ) -> tuple[jax.Array, tuple[jax.Array, tuple[Past, ...]]]:
        """([B, F, M], past) -> ([B, F / s, D], past of the next step); F is a multiple of s."""
        stem, pasts = past
        x, stem = self.stem(x[..., None].astype(self.dtype), stem)
        x = x + self.band[...][None, None].astype(self.dtype)
        after = []
        for block, before in zip(self.blocks, pasts, strict=True):
            x, one = block(x, before)
            after.append(one)
        return jnp.mean(jax.nn.relu(x), axis=2), (stem, tuple(after))

    def __call__(self, x: jax.Array, mask: jax.Array, key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        """[B, F, M], bool [B, F] -> ([B, F', D], bool [B, F']), F' = ceil(F / s); zeros follow the last frame."""
        del key  # nothing is dropped here
        missing = -x.shape[1] % self.stride_frames
        x, mask = jnp.pad(x, ((0, 0), (0, missing), (0, 0))), jnp.pad(mask, ((0, 0), (0, missing)))
        frames, _ = self.step(x, self.before(len(x)))
        return frames, mask.reshape(len(mask), -1, self.stride_frames).any(axis=2)


def _bands(n_mels: int) -> int:
    """Bands after the stem, whose kernel is padded by half at either end."""
    return (n_mels + 2 * (STEM_SIZE // 2) - STEM_SIZE) // STEM_STRIDE + 1
