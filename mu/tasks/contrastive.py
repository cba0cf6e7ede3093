"""Learning without labels: two crops of a clip must know each other among the crops of all others."""

from collections.abc import Mapping
from typing import Any

import jax

from mu import losses
from mu.nn.heads import Head
from mu.tasks.augmentations import Augmentations
from mu.tasks.embedding import clip_vectors


class Contrastive:
    """NT-Xent between two augmented crops of each clip (SimCLR for music: Spijkervet & Burgoyne 2021,
    arXiv:2103.09410).

    Negatives are the crops of all other clips of the whole batch, over all devices of the mesh. The projection is
    thrown away afterwards.

    Args:
      augment: what makes the crops differ; None leaves it to where they lie.
      temperature: of the loss.
      projection: size of the space that the crops are compared in.

    Attributes:
      outputs: the projection head.
    """

    whole_batch = True

    def __init__(self, *, augment: Augmentations | None = None, temperature: float = 0.1, projection: int = 128):
        if temperature <= 0:
            raise ValueError(f"temperature={temperature}; it must be positive")
        self._augment, self._temperature = augment, temperature
        self.outputs = {"projection": Head(projection, hidden=2 * projection)}

    def loss(
        self, model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B], weights [B]); 'audio' must be [B, 2, N] (`batches.crops=2`)."""
        del rows
        crops = batch["audio"].shape[1]
        if crops != 2:
            raise ValueError(f"a batch has {crops} crops of each clip; contrastive learning needs batches.crops=2")
        waveform_key, spectrogram_key, model_key = jax.random.split(key, 3)
        audio = batch["audio"].reshape(-1, batch["audio"].shape[-1])
        samples = batch["samples"].reshape(-1)
        if self._augment is not None:
            audio, samples = self._augment.waveform(waveform_key, audio, samples, model.front_end.sample_rate_hz)
        spectrogram, mask = model.front_end.spectrogram(audio, samples)
        spectrogram = model.front_end.normalised(spectrogram, mask)
        if self._augment is not None:
            spectrogram = self._augment.spectrogram(spectrogram_key, spectrogram)
        views = model.encode(spectrogram, mask, model_key)["projection"]
        views = views.reshape(len(batch["audio"]), 2, -1)
        return losses.nt_xent(views[:, 0], views[:, 1], batch["rows"], self._temperature), batch["weights"]

    predict = staticmethod(clip_vectors)
