"""Predicts the ratings that listeners give a clip, from its sound and from attributes of the listeners."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from mu import losses
from mu.nn.heads import Head
from mu.nn.rating_spec import RatingSpec
from mu.ranges import NonNegative
from mu.tasks.audio_views import AudioModel, augmented_waveforms, clip_outputs, encode_views
from mu.tasks.augmentations import Augmentations
from mu.tasks.clip_heads import LabelledTarget
from mu.tasks.clip_targets import ClipTargets


class HasLabels(Protocol):
    """Ratings with 0 or 1 for each label; `mu.data.ratings.ratings.Ratings` is one."""

    @property
    def labels(self) -> Any: ...


class HasSizes(Protocol):
    """Codes of listeners' attributes; `mu.data.ratings.listener_codes.ListenerCodes` is one."""

    @property
    def sizes(self) -> Mapping[str, int]: ...


class ClipsWithRatings(Protocol):
    """Clips with ratings; `mu.data.ratings.rated_clips.RatedClips` is one."""

    @property
    def sample_rate_hz(self) -> int: ...
    @property
    def targets(self) -> Mapping[str, LabelledTarget]: ...
    @property
    def ratings(self) -> HasLabels: ...
    @property
    def listener_codes(self) -> HasSizes: ...
    @property
    def label_names(self) -> tuple[str, ...]: ...
    @property
    def class_target(self) -> str | None: ...
    def __len__(self) -> int: ...


class ListenerRatings:
    """Binary cross-entropy of every rating, and the losses of the encoder's other heads.

    The loss of a clip is the sum over its ratings of the cross-entropy, mean over labels, divided by the training
    clips' mean number of ratings: so the mean over clips is one over ratings. The loss of the clips' own targets
    (`mu.tasks.clip_targets`) is added; they teach the encoder more about a clip than its few ratings do. They are
    known of training clips, and never an input.

    Args:
      data: the training clips.
      augment: augmentations of the clips, or None.
      head_weights: weights of the clips' targets; 1 for targets without an entry.

    Attributes:
      offers: 'outputs' (the encoder's heads), 'rating_spec' and 'sample_rate_hz', for the model's constructor.
      requires: names that the model must return.
      compares_examples: the loss of an example does not depend on the others of its batch.
      needs_all_items: no step needs the rows of a whole catalogue.
    """

    requires = frozenset({"clip", "logits"})
    compares_examples = False
    needs_all_items = False

    def __init__(
        self,
        *,
        data: ClipsWithRatings,
        augment: Augmentations | None = None,
        head_weights: Mapping[str, NonNegative] | None = None,
    ):
        n_ratings = len(data.ratings.labels)
        if not n_ratings:
            raise ValueError("the training clips have no ratings: nothing can be learnt")
        self._heads = ClipTargets(data=data, head_weights=head_weights) if data.targets else None
        if head_weights and self._heads is None:
            raise ValueError("head_weights are set, and the clips have no targets: name their columns in data.clips")
        outputs: dict[str, Head] = {} if self._heads is None else self._heads.offers["outputs"]
        self.offers: Mapping[str, Any] = {
            "outputs": outputs,
            "rating_spec": RatingSpec(data.listener_codes.sizes, data.label_names, data.class_target),
            "sample_rate_hz": data.sample_rate_hz,
        }
        self._mean_count = n_ratings / len(data)
        self._augment = augment

    def loss(
        self, model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B], weights [B]) of every clip.

        Args:
          model: `mu.models.ratings.RatingModel`, or a model with its `encoder` and `logits`.
          rows: none.
          batch: of `mu.data.batches.ratings.RatingBatches`.
          key: for augmentations and dropout.
        """
        del rows
        waveform_key, spectrogram_key, model_key, rating_key = jax.random.split(key, 4)
        clip, heads_loss = _no_clip_vectors(batch), 0.0
        if model.encoder is not None:
            encoder: AudioModel = model.encoder
            audio, samples = batch["audio"][:, 0], batch["samples"][:, 0]
            audio, samples = augmented_waveforms(self._augment, encoder.front_end, audio, samples, waveform_key)
            outputs = encode_views(
                self._augment, encoder, audio, samples, spectrogram_key=spectrogram_key, model_key=model_key
            )
            clip = outputs["clip"]
            if self._heads is not None:
                heads_loss = self._heads.head_losses(outputs, batch)
        logits = model.logits(clip, batch["listener_codes"], batch["cell_rates"], rating_key)
        each = losses.binary_cross_entropy(logits, batch["labels"])
        return heads_loss + jnp.sum(batch["counts"] * each, axis=1) / self._mean_count, batch["weights"]

    def predict(
        self, model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        """{'clip': float32 [B, C]}, the clip vectors of pieces of audio ('audio' [B, 1, N]).

        C is 0 for a model without an encoder. `probabilities` goes on from the mean over a clip's pieces.
        """
        if model.encoder is None:
            return {"clip": _no_clip_vectors(batch)}
        return {"clip": clip_outputs(model, rows, batch)["clip"]}

    def probabilities(self, model: Any, clip: jax.Array, codes: jax.Array, cell_rates: jax.Array) -> jax.Array:
        """Probabilities of the labels of ratings.

        Args:
          model: as in `loss`.
          clip: float32 [n, C], vector of the clip of each rating.
          codes: int32 [n, columns], of the listeners.
          cell_rates: float32 [n, 1 + G, T], logits (`mu.data.ratings.cell_rates`).

        Returns:
          float32 [n, T].
        """
        return jax.nn.sigmoid(model.logits(clip, codes[:, None], cell_rates[:, None])[:, 0])


def _no_clip_vectors(batch: Mapping[str, Any]) -> jax.Array:
    """float32 [B, 0]."""
    return jnp.zeros((len(batch["audio"]), 0), jnp.float32)
