"""Masked-spectrogram modelling without labels: hidden patches are reconstructed from the visible ones."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from mu.nn.heads import Head
from mu.ranges import PartialShare, Size
from mu.tasks.audio_views import Recordings, clip_vectors, flat_crops, spectrograms


class MaskedSpectrogram:
    """Masked-spectrogram modelling (SSAST, Gong et al. 2022, arXiv:2110.09784; the reconstruction half).

    Patches as long as one frame of the encoder and `mels` bands high are set to the mean (0); a linear head
    reconstructs from each frame the log-mel spectrogram that it stands for. The loss of a clip is the mean squared
    error over hidden places inside the clip.

    Args:
      data: the training clips.
      share: of the patches that are hidden.
      mels: height of a patch.

    Attributes:
      offers: 'outputs', the reconstruction head, and 'sample_rate_hz', for the model's constructor.
      requires: names that the model must return.
      compares_examples: the loss of an example does not depend on the others of its batch.
      needs_all_items: no step needs the rows of a whole catalogue.
    """

    requires = frozenset({"frames", "mask", "clip", "log_mel"})
    compares_examples = False
    needs_all_items = False

    def __init__(self, *, data: Recordings, share: PartialShare = 0.5, mels: Size = 16):
        if not 0 < share < 1:
            raise ValueError(f"share={share}; it must lie between 0 and 1")
        self._share, self._mels = share, mels
        outputs = {"log_mel": Head("log_mel", of="frames")}
        self.offers: Mapping[str, Any] = {"outputs": outputs, "sample_rate_hz": data.sample_rate_hz}

    def loss(
        self, model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B C], weights [B C]) of every crop."""
        del rows
        crops = batch["audio"].shape[1]
        spectrogram, mask = spectrograms(model.front_end, *flat_crops(batch))
        stride = model.trunk.stride_frames
        size, length, n_mels = spectrogram.shape
        steps, bands = -(-length // stride), -(-n_mels // self._mels)
        patch_key, model_key = jax.random.split(key)
        hidden = jax.random.bernoulli(patch_key, jnp.float32(self._share), (size, steps, bands))
        hidden = jnp.repeat(jnp.repeat(hidden, stride, axis=1), self._mels, axis=2)[:, :length, :n_mels]
        # The trunk alone: clip vectors' running statistics must not be those of half-hidden clips.
        frames, _ = model.trunk(jnp.where(hidden, 0.0, spectrogram), mask, model_key)
        predicted = model.heads["log_mel"](frames)
        predicted = predicted.reshape(size, -1, n_mels)[:, :length]
        counted = (hidden & mask[..., None]).astype(jnp.float32)
        error = jnp.sum(jnp.square(predicted - spectrogram) * counted, axis=(1, 2))
        return error / jnp.maximum(jnp.sum(counted, axis=(1, 2)), 1.0), jnp.repeat(batch["weights"], crops)

    predict = staticmethod(clip_vectors)
