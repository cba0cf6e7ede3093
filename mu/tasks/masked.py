"""Learning without labels: what is hidden of a spectrogram must be told from the rest."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from mu.nn.heads import Head
from mu.tasks.embedding import clip_vectors


class MaskedSpectrogram:
    """Masked-spectrogram modelling (SSAST, Gong et al. 2022, arXiv:2110.09784; the reconstruction half).

    Patches as long as one frame of the encoder and `mels` bands high are set to the mean (0); from each frame a linear
    head tells the log-mel spectrogram that it stands for. The loss of a clip is the mean squared error over hidden
    places that hold the clip.

    Args:
      share: of the patches that are hidden.
      mels: height of a patch.

    Attributes:
      outputs: the reconstruction head.
    """

    def __init__(self, *, share: float = 0.5, mels: int = 16):
        if not 0 < share < 1:
            raise ValueError(f"share={share}; it must lie between 0 and 1")
        self._share, self._mels = share, mels
        self.outputs = {"log_mel": Head("log_mel", of="frames")}

    def loss(
        self, model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B C], weights [B C]) of every crop."""
        del rows
        crops = batch["audio"].shape[1]
        audio = batch["audio"].reshape(-1, batch["audio"].shape[-1])
        spectrogram, mask = model.front_end.spectrogram(audio, batch["samples"].reshape(-1))
        spectrogram = model.front_end.normalised(spectrogram, mask)
        stride = model.trunk.stride_frames
        size, length, n_mels = spectrogram.shape
        steps, bands = -(-length // stride), -(-n_mels // self._mels)
        patch_key, model_key = jax.random.split(key)
        hidden = jax.random.bernoulli(patch_key, self._share, (size, steps, bands))
        hidden = jnp.repeat(jnp.repeat(hidden, stride, axis=1), self._mels, axis=2)[:, :length, :n_mels]
        # The trunk alone: half-hidden clips are not what a clip vector's statistics should be of.
        frames, _ = model.trunk(jnp.where(hidden, 0.0, spectrogram), mask, model_key)
        told = model.heads["log_mel"](frames)
        told = told.reshape(size, -1, n_mels)[:, :length]
        counted = (hidden & mask[..., None]).astype(jnp.float32)
        error = jnp.sum(jnp.square(told - spectrogram) * counted, axis=(1, 2))
        return error / jnp.maximum(jnp.sum(counted, axis=(1, 2)), 1.0), jnp.repeat(batch["weights"], crops)

    predict = staticmethod(clip_vectors)
