"""Contrastive learning without labels: two crops of a clip are found among the crops of all other clips."""

from collections.abc import Mapping
from typing import Any

import jax

from mu import losses
from mu.nn.heads import Head
from mu.ranges import Positive, Size
from mu.tasks.audio_views import (
    AudioModel,
    Recordings,
    augmented_waveforms,
    clip_vectors,
    encode_views,
    flat_crops,
)
from mu.tasks.augmentations import Augmentations


class Contrastive:
    """NT-Xent between two augmented crops of each clip (SimCLR for music: Spijkervet & Burgoyne 2021,
    arXiv:2103.09410).

    Negatives are the crops of all other clips of the whole batch, over all devices of the mesh. The projection is
    thrown away afterwards.

    Args:
      data: the training clips.
      augment: what makes the crops differ; None leaves it to where they lie.
      temperature: of the loss.
      projection: size of the space that the crops are compared in.

    Attributes:
      offers: 'outputs', the projection head, and 'sample_rate_hz', for the model's constructor.
      requires: names that the model must return.
      compares_examples: the loss of an example depends on the others of its batch.
      needs_all_items: no step needs the rows of a whole catalogue.
    """

    requires = frozenset({"clip", "projection"})
    compares_examples = True
    needs_all_items = False

    def __init__(
        self,
        *,
        data: Recordings,
        augment: Augmentations | None = None,
        temperature: Positive = 0.1,
        projection: Size = 128,
    ):
        if temperature <= 0:
            raise ValueError(f"temperature={temperature}; it must be positive")
        self._augment, self._temperature = augment, temperature
        outputs = {"projection": Head(projection, hidden=2 * projection)}
        self.offers: Mapping[str, Any] = {"outputs": outputs, "sample_rate_hz": data.sample_rate_hz}

    def loss(
        self, model: AudioModel, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B], weights [B]); 'audio' must be [B, 2, N] (`batches.crops=2`)."""
        del rows
        crops = batch["audio"].shape[1]
        if crops != 2:
            raise ValueError(f"a batch has {crops} crops of each clip; contrastive learning needs batches.crops=2")
        waveform_key, spectrogram_key, model_key = jax.random.split(key, 3)
        audio, samples = augmented_waveforms(self._augment, model.front_end, *flat_crops(batch), waveform_key)
        outputs = encode_views(
            self._augment, model, audio, samples, spectrogram_key=spectrogram_key, model_key=model_key
        )
        views = outputs["projection"].reshape(len(batch["audio"]), 2, -1)
        return losses.nt_xent(views[:, 0], views[:, 1], batch["rows"], self._temperature), batch["weights"]

    predict = staticmethod(clip_vectors)
