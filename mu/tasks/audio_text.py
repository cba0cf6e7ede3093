"""Sound and words in one space: a clip finds its text among those of a batch, and a text its clip."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from mu import losses
from mu.ngrams import HASH_SIZE, ngram_rows
from mu.nn.heads import Head, TextHead
from mu.ranges import Positive, Size
from mu.tasks.audio_views import AudioModel, augmented_waveforms, clip_outputs, encode_views, flat_crops
from mu.tasks.augmentations import Augmentations
from mu.tasks.clip_heads import LabelledTarget

AUDIO, TEXT = "audio_projection", "text_projection"
"""Heads of the two sides."""


class ClipsWithText(Protocol):
    """Clips with texts; `mu.data.clips.clips.Clips` is one where `texts` names columns."""

    @property
    def sample_rate_hz(self) -> int: ...
    @property
    def targets(self) -> Mapping[str, LabelledTarget]: ...
    @property
    def texts(self) -> np.ndarray | None: ...


class AudioText:
    """Contrastive learning between the sound of clips and their texts (CLIP, Radford et al. 2021, arXiv:2103.00020; of
    music, MuLan, Huang et al. 2022, arXiv:2208.12415), texts as bags of hashed n-grams.

    Clips of one text are no negatives of each other. What is predicted of held-out clips are the classes and tags of
    the data, from their names alone (zero-shot): a class by softmax(cos(sound, name) / temperature), a tag by
    sigmoid of the same.

    Args:
      data: the training clips.
      augment: augmentations of the clips, or None.
      temperature: of the loss.
      projection: size of the space.
      text_dim: numbers of an n-gram's vector.

    Attributes:
      offers: 'outputs', the heads of both sides, and 'sample_rate_hz', for the model's constructor; 'zero_shot', the
        targets that are predicted from their names.
      requires: names that the model must return.
      compares_examples: the loss of an example depends on the others of its batch.
      needs_all_items: no step needs the rows of a whole catalogue.
      text_task: the task itself (`mu.protocols.DeclaresText`).

    Raises:
      ValueError: the clips have no texts, or names of a target have no word or the same words.
    """

    requires = frozenset({"clip", AUDIO})
    compares_examples = True
    needs_all_items = False

    def __init__(
        self,
        *,
        data: ClipsWithText,
        augment: Augmentations | None = None,
        temperature: Positive = 0.1,
        projection: Size = 128,
        text_dim: Size = 64,
    ):
        if temperature <= 0:
            raise ValueError(f"temperature={temperature}; it must be positive")
        if data.texts is None:
            raise ValueError("the clips have no texts: name their columns in data.texts, such as ('title', 'tags')")
        self._augment, self._temperature = augment, temperature
        outputs = {
            AUDIO: Head(projection, hidden=2 * projection),
            TEXT: TextHead(projection, hidden=2 * projection, hash_size=HASH_SIZE, dim=text_dim),
        }
        self.text_task = self
        named = {name: target for name, target in data.targets.items() if target.kind in ("class", "tags")}
        self.offers: Mapping[str, Any] = {
            "outputs": outputs,
            "sample_rate_hz": data.sample_rate_hz,
            "zero_shot": tuple(named),
        }
        # How a name is read is known now, its vector is the model's.
        self._names = {name: ngram_rows([str(one) for one in target.names]) for name, target in named.items()}
        for name, places in self._names.items():
            _check_names(name, data.targets[name].names, places)
        self._kinds = {name: target.kind for name, target in named.items()}

    def loss(
        self, model: AudioModel, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B C], weights [B C]) of every crop; a clip without words has weight 0.

        Args:
          model: `mu.models.audio_encoder.AudioEncoder`, or what has its `front_end`, `encode` and `heads`.
          rows: none.
          batch: of `mu.data.batches.clips.ClipBatches`; 'text' int32 [B, G] are n-grams.
          key: for augmentations and dropout.
        """
        del rows
        waveform_key, spectrogram_key, model_key = jax.random.split(key, 3)
        crops = batch["audio"].shape[1]
        audio, samples = augmented_waveforms(self._augment, model.front_end, *flat_crops(batch), waveform_key)
        outputs = encode_views(
            self._augment, model, audio, samples, spectrogram_key=spectrogram_key, model_key=model_key
        )
        text = jnp.repeat(batch["text"], crops, axis=0)
        has_words = (text >= 0).any(axis=-1)
        same = (text[:, None] == text[None]).all(axis=-1)
        sides = outputs[AUDIO], model.heads[TEXT](text)
        weights = jnp.repeat(batch["weights"], crops) * has_words.astype(jnp.float32)
        return losses.cross_modal(*sides, same | ~has_words[None], self._temperature), weights

    def predict(
        self, model: AudioModel, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        """Clip vectors and zero-shot predictions for pieces of audio ('audio' [B, 1, N], 'samples' [B, 1]).

        Returns:
          'clip' [B, D]; and name of a target -> float32 [B, C].
        """
        outputs = clip_outputs(model, rows, batch)
        predictions = {"clip": outputs["clip"]}
        for name, names in self._names.items():
            near = _cosines(outputs[AUDIO], model.heads[TEXT](jnp.asarray(names))) / self._temperature
            predictions[name] = jax.nn.softmax(near) if self._kinds[name] == "class" else jax.nn.sigmoid(near)
        return predictions

    def similarity(self, model: AudioModel, clips: jax.Array, ngrams: jax.Array) -> jax.Array:
        """float32 [N, M], the cosine of clip vectors [N, D] and of texts int32 [M, G]."""
        return _cosines(model.heads[AUDIO](clips), model.heads[TEXT](ngrams))


def _check_names(target: str, names: Sequence[str], places: np.ndarray) -> None:
    """Raises ValueError where names have no word, or two have the same words: they could not be told apart."""
    seen: dict[bytes, str] = {}
    for name, row in zip(names, places, strict=True):
        if row[0] < 0:
            raise ValueError(f"{target!r} has the name {name!r}, which has no word to read: rename it")
        if (other := seen.setdefault(row.tobytes(), name)) != name:
            raise ValueError(f"{target!r} has the names {other!r} and {name!r}, whose words are the same: rename one")


def _cosines(first: jax.Array, second: jax.Array) -> jax.Array:
    """[N, M]: the cosine of every row of `first` [N, D] and of `second` [M, D]."""
    return losses.unit_length(first) @ losses.unit_length(second).T
