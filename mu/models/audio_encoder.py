"""Audio encoders: log-mel spectrograms through a trunk to frames, one clip vector and the outputs of heads."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx

from mu.models.audio_front_end import FrontEnd, Normalisation
from mu.models.audio_trunks import PatchTransformer, ShortChunkCNN
from mu.models.streaming_trunk import StreamingCNN
from mu.nn.batch_norm import BatchNorm
from mu.nn.dropout import dropout
from mu.nn.heads import Head, HeadLayers, TextHead
from mu.nn.pooling import AttentiveStatistics
from mu.nn.text import TextTower
from mu.ranges import AtLeast, Below, Between, Bounds, NotAbove, Positive, Precision, Rate

Trunk = Literal["cnn", "transformer", "streaming_cnn"]


class AudioEncoder(nnx.Module):
    """Waveforms to frames, a clip vector and the outputs of the task's heads.

    Args:
      trunk: 'cnn' (`ShortChunkCNN`), 'transformer' (`PatchTransformer`) or, for sound that is still coming,
        'streaming_cnn' (`StreamingCNN`), which goes with normalisation='fixed' (`mu.inference.streaming_encoder`).
      size: a letter, from 'xs' (120 thousand parameters, for a CPU) to 'xxl' (85 to 94 million, for a TPU).
      window_s: of `mu.models.audio_front_end.FrontEnd`.
      hop_s: of the same.
      n_mels: of the same.
      fmin_hz: of the same.
      fmax_hz: of the same.
      range_db: of the same.
      normalisation: of the same.
      attend_padding: of the same.
      dropout: rate before the heads, and inside the transformer's blocks.
      dtype: of the computation, 'float32' or 'bfloat16'; parameters, spectrograms and the heads' outputs are float32.
      sample_rate_hz: of the waveforms.
      outputs: the heads that the task asks for.
      rngs: source of the initial values.
    """

    def __init__(
        self,
        *,
        trunk: Trunk = "cnn",
        size: str = "s",
        window_s: Annotated[float, Bounds(0, 60, above=True)] = 0.032,
        hop_s: Annotated[float, Bounds(0, 60, above=True), NotAbove("window_s")] = 0.016,
        n_mels: Annotated[int, Between(1, 4_096)] = 64,
        fmin_hz: Annotated[float, AtLeast(0), Below("fmax_hz")] = 30.0,
        fmax_hz: Positive | None = None,
        range_db: Annotated[float, Bounds(0, 1_000, above=True)] = 80.0,
        normalisation: Normalisation = "clip",
        attend_padding: bool = False,
        dropout: Rate = 0.2,
        dtype: Precision = "float32",
        sample_rate_hz: int,
        outputs: Mapping[str, Head | TextHead],
        rngs: nnx.Rngs,
    ):
        if trunk not in get_args(Trunk):
            raise ValueError(f"trunk={trunk!r}; known: {', '.join(get_args(Trunk))}")
        self.front_end = FrontEnd(
            sample_rate_hz, window_s, hop_s, n_mels, fmin_hz, fmax_hz, range_db, normalisation, attend_padding
        )
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout={dropout}; it must be at least 0 and below 1")
        if dtype not in get_args(Precision):
            raise ValueError(f"dtype={dtype!r}; known: {', '.join(get_args(Precision))}")
        self.rate = dropout
        kind = jnp.dtype(dtype)
        if trunk == "streaming_cnn" and (normalisation != "fixed" or attend_padding):
            raise ValueError(
                f"trunk='streaming_cnn' with normalisation={normalisation!r} and attend_padding={attend_padding}: only "
                "normalisation='fixed' without attend_padding does not wait for the end of the clip"
            )
        if trunk == "cnn":
            self.trunk = ShortChunkCNN(size, n_mels, dtype=kind, rngs=rngs)
        elif trunk == "streaming_cnn":
            self.trunk = StreamingCNN(size, n_mels, dtype=kind, rngs=rngs)
        else:
            self.trunk = PatchTransformer(size, n_mels, dropout, dtype=kind, rngs=rngs)
        dim = self.trunk.dim
        self.pooling = AttentiveStatistics(dim, max(dim // 4, 16), dtype=kind, rngs=rngs)
        # Decisive for small sets from scratch: on held-out speakers .82 after 30 s of training, .41 with a layer norm.
        self.clip_norm = BatchNorm(2 * dim, rngs=rngs)
        sizes = {"log_mel": self.trunk.stride_frames * n_mels, "frame": dim}

        def layers(head: Head | TextHead) -> HeadLayers | TextTower:
            if isinstance(head, TextHead):
                return TextTower(head.hash_size, head.dim, head.size, head.hidden, dtype=kind, rngs=rngs)
            inputs = dim if head.of == "frames" else 2 * dim
            outputs = head.size if isinstance(head.size, int) else sizes[head.size]
            return HeadLayers(inputs, outputs, head.hidden, dtype=kind, rngs=rngs)

        self.heads = nnx.Dict({name: layers(head) for name, head in outputs.items()})
        # Of sound; those of words are the task's to call.
        self.outputs = tuple((name, head.of) for name, head in outputs.items() if isinstance(head, Head))

    def tables(self) -> dict[str, Any]:
        """No tables of rows."""
        return {}

    def encode(self, spectrogram: jax.Array, mask: jax.Array, key: jax.Array | None = None) -> dict[str, jax.Array]:
        """Outputs of the encoder for normalised spectrograms.

        Args:
          spectrogram: float32 [B, F, M].
          mask: bool [B, F], frames of the clip.
          key: for dropout; None at inference, where the batch norm takes its running statistics.

        Returns:
          'frames' [B, F', D] and 'mask' [B, F'], a frame standing for `trunk.stride_frames` of the spectrogram's;
          'clip' float32 [B, 2 D]; and the output of each head of sound under its name.
        """
        trunk_key, clip_key = (None, None) if key is None else jax.random.split(key)
        frames, mask = self.trunk(spectrogram, mask, trunk_key)
        clip = self.clip_norm(self.pooling(frames, mask), training=key is not None)
        outputs = {"frames": frames, "mask": mask, "clip": clip}
        for name, of in self.outputs:
            source = frames if of == "frames" else dropout(clip, self.rate, clip_key)
            outputs[name] = self.heads[name](source)
        return outputs

    def __call__(
        self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array], key: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Outputs of the encoder for waveforms, 'audio' float32 [B, N] and 'samples' int32 [B]; see `encode`."""
        del rows
        spectrogram, mask = self.front_end.spectrogram(batch["audio"], batch["samples"])
        return self.encode(self.front_end.normalised(spectrogram, mask), mask, key)
