"""Audio encoders: log-mel spectrograms through a residual CNN or a patch transformer to frames and one clip vector."""

import itertools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from mu.models.front_end import FrontEnd
from mu.nn.batch_norm import BatchNorm
from mu.nn.blocks import Norm, Stack
from mu.nn.dropout import dropout
from mu.nn.heads import Head, HeadLayers
from mu.nn.patches import PatchEmbedding
from mu.nn.pooling import AttentiveStatistics
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
        channels, blocks = _sized(CNN_SIZES, size)
        self.stride_frames = STEM_STRIDE * 2 ** (len(channels) - 1)
        self.dim = channels[-1]
        self.dtype = dtype
        self.stem = conv(1, channels[0], (7, 7), stride=STEM_STRIDE, dtype=dtype, rngs=rngs)
        self.band = nnx.Param(jnp.zeros((-(-n_mels // STEM_STRIDE), channels[0])), axes=(None, None))
        widths = [channels[0], *(width for width in channels for _ in range(blocks))]
        self.blocks = nnx.List(
            ResidualBlock(inputs, outputs, halve=at > 0 and at % blocks == 0, dtype=dtype, rngs=rngs)
            for at, (inputs, outputs) in enumerate(itertools.pairwise(widths))
        )

    def __call__(self, x: jax.Array, mask: jax.Array, key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        """[B, F, M], bool [B, F] -> ([B, F', D], bool [B, F'])."""
        del key  # nothing is dropped here
        x = self.stem(x[..., None].astype(self.dtype)) + self.band[...][None].astype(self.dtype)
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
        self.dim, layers, heads = _sized(TRANSFORMER_SIZES, size)
        self.patches = PatchEmbedding(self.stride_frames, 16, n_mels, self.dim, dtype=dtype, rngs=rngs)
        self.stack = Stack(layers, self.dim, heads, block="transformer", rotary=True, rate=rate, dtype=dtype, rngs=rngs)
        self.norm = Norm(self.dim, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, mask: jax.Array, key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        """[B, F, M], bool [B, F] -> ([B, F', D], bool [B, F'])."""
        tokens = self.patches(x)
        batch, steps, bands, dim = tokens.shape
        mask = self.patches.frame_mask(mask)
        held = jnp.repeat(mask, bands, axis=1)
        positions = jnp.broadcast_to(jnp.repeat(jnp.arange(steps, dtype=jnp.int32), bands), held.shape)
        mixed = self.stack(tokens.reshape(batch, steps * bands, dim), held[:, None, None, :], positions, key)
        return jnp.mean(self.norm(mixed).reshape(tokens.shape), axis=2), mask


TRUNKS = ("cnn", "transformer")
DTYPES = ("float32", "bfloat16")


class AudioEncoder(nnx.Module):
    """Waveforms to frames, a clip vector, and what the task's heads say.

    Args:
      trunk: 'cnn' (`ShortChunkCNN`) or 'transformer' (`PatchTransformer`).
      size: a letter, from 'xs' (120 thousand parameters, for a CPU) to 'xxl' (85 to 94 million, for a TPU).
      window_s, hop_s, n_mels, fmin_hz, fmax_hz, range_db, normalisation, attend_padding: of
        `mu.models.front_end.FrontEnd`.
      dropout: rate before the heads, and inside the transformer's blocks.
      dtype: of the computation, 'float32' or 'bfloat16'; parameters, spectrograms and heads' results are float32.
      sample_rate_hz: of the waveforms.
      outputs: the heads that the task asks for.
      rngs: source of the initial values.
    """

    def __init__(
        self,
        *,
        trunk: str = "cnn",
        size: str = "s",
        window_s: float = 0.032,
        hop_s: float = 0.016,
        n_mels: int = 64,
        fmin_hz: float = 30.0,
        fmax_hz: float | None = None,
        range_db: float = 80.0,
        normalisation: str = "clip",
        attend_padding: bool = False,
        dropout: float = 0.2,
        dtype: str = "float32",
        sample_rate_hz: int,
        outputs: Mapping[str, Head],
        rngs: nnx.Rngs,
    ):
        if trunk not in TRUNKS:
            raise ValueError(f"trunk={trunk!r}; known: {', '.join(TRUNKS)}")
        self.front_end = FrontEnd(
            sample_rate_hz, window_s, hop_s, n_mels, fmin_hz, fmax_hz, range_db, normalisation, attend_padding
        )
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout={dropout}; it must be at least 0 and below 1")
        if dtype not in DTYPES:
            raise ValueError(f"dtype={dtype!r}; known: {', '.join(DTYPES)}")
        self.rate = dropout
        kind = jnp.dtype(dtype)
        if trunk == "cnn":
            self.trunk = ShortChunkCNN(size, n_mels, dtype=kind, rngs=rngs)
        else:
            self.trunk = PatchTransformer(size, n_mels, dropout, dtype=kind, rngs=rngs)
        dim = self.trunk.dim
        self.pooling = AttentiveStatistics(dim, max(dim // 4, 16), dtype=kind, rngs=rngs)
        # Decisive for small sets from scratch: on held-out speakers .82 after 30 s of training, .41 with a layer norm.
        self.clip_norm = BatchNorm(2 * dim, rngs=rngs)
        self.outputs = tuple(outputs.items())
        patch = self.trunk.stride_frames * n_mels
        self.heads = nnx.Dict(
            {
                name: HeadLayers(
                    dim if head.of == "frames" else 2 * dim,
                    patch if head.size == "log_mel" else head.size,
                    head.hidden,
                    dtype=kind,
                    rngs=rngs,
                )
                for name, head in outputs.items()
            }
        )

    def tables(self) -> dict[str, Any]:
        """No rows of a catalogue."""
        return {}

    def encode(self, spectrogram: jax.Array, mask: jax.Array, key: jax.Array | None = None) -> dict[str, jax.Array]:
        """From a normalised spectrogram on.

        Args:
          spectrogram: float32 [B, F, M].
          mask: bool [B, F], frames that hold the clip.
          key: for dropout; None at inference, where the batch norm takes its running statistics.

        Returns:
          'frames' [B, F', D] and 'mask' [B, F'], a frame standing for `trunk.stride_frames` of the spectrogram's;
          'clip' float32 [B, 2 D]; and each head's result under its name.
        """
        trunk_key, clip_key = (None, None) if key is None else jax.random.split(key)
        frames, mask = self.trunk(spectrogram, mask, trunk_key)
        clip = self.clip_norm(self.pooling(frames, mask), training=key is not None)
        found = {"frames": frames, "mask": mask, "clip": clip}
        for name, head in self.outputs:
            source = frames if head.of == "frames" else dropout(clip, self.rate, clip_key)
            found[name] = self.heads[name](source)
        return found

    def __call__(
        self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array], key: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """From waveforms on: 'audio' float32 [B, N] and 'samples' int32 [B]; see `encode` for what comes back."""
        del rows
        spectrogram, mask = self.front_end.spectrogram(batch["audio"], batch["samples"])
        return self.encode(self.front_end.normalised(spectrogram, mask), mask, key)


def _sized(sizes: Mapping[str, Any], size: str) -> Any:
    if size not in sizes:
        raise ValueError(f"size={size!r}; known: {', '.join(sizes)}")
    return sizes[size]
