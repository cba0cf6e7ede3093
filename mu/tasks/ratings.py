"""Foretelling what listeners say of a clip, by how it sounds and who they are."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from mu import losses
from mu.nn.heads import Asked, Head
from mu.tasks.audio_views import augmented_waveforms, clip_outputs, encode_views
from mu.tasks.augmentations import Augmentations
from mu.tasks.clip_targets import ClipTargets


class JudgedClips(Protocol):
    """Clips with responses; `mu.data.ratings.rated_clips.Opinions` is one."""

    @property
    def sample_rate_hz(self) -> int: ...
    @property
    def targets(self) -> Mapping[str, Any]: ...
    @property
    def responses(self) -> Any: ...
    @property
    def cohort(self) -> Any: ...
    @property
    def said(self) -> tuple[str, ...]: ...
    @property
    def taste(self) -> str | None: ...
    def __len__(self) -> int: ...


class Opinions:
    """Binary cross-entropy of every response, and the encoder's other heads beside it.

    The loss of a clip is the sum over its responses of the cross-entropy, mean over what was said, divided by the
    training clips' mean number of responses: so the mean over clips is one over responses. To it comes the loss of
    the clips' own targets (`mu.tasks.clip_targets`), which tell the encoder more of a clip than its few responses
    do; they are known of training clips and never an input.

    Args:
      data: the training clips.
      augment: what is done to them; None for nothing.
      head_weights: weights of the clips' targets; 1 where nothing is said.

    Attributes:
      offers: 'outputs', the encoder's heads, 'asked', the listener's columns and what is rated, and 'sample_rate_hz',
        for the model's constructor.
      requires: names that the model must return.
      compares_examples: the loss of an example does not depend on the others of its batch.
      needs_all_items: no step needs the rows of a whole catalogue.
    """

    compares_examples = False
    needs_all_items = False
    requires = frozenset({"clip"})

    def __init__(
        self,
        *,
        data: JudgedClips,
        augment: Augmentations | None = None,
        head_weights: Mapping[str, float] | None = None,
    ):
        said = data.responses.said
        if not len(said):
            raise ValueError("there are no responses to the training clips: nothing can be learnt of opinions")
        self._heads = ClipTargets(data=data, head_weights=head_weights) if data.targets else None
        if head_weights and self._heads is None:
            raise ValueError("head_weights are given, and the clips have no targets: name their columns in data.clips")
        outputs: dict[str, Head] = {} if self._heads is None else self._heads.offers["outputs"]
        asked = Asked(data.cohort.sizes, data.said, data.taste)
        self.offers: Mapping[str, Any] = {
            "outputs": outputs,
            "asked": asked,
            "sample_rate_hz": data.sample_rate_hz,
        }
        self._mean_count = len(said) / len(data)
        self._augment = augment

    def loss(
        self, model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B], weights [B]) of every clip.

        Args:
          model: `mu.models.ratings.Opinions`, or what has its `encoder`, `judge` and call.
          rows: none.
          batch: of `mu.data.batches.ratings.OpinionBatches`.
          key: for augmentations and dropout.
        """
        del rows
        waveform_key, spectrogram_key, model_key, judge_key = jax.random.split(key, 4)
        clip, heads_loss = _unheard(batch), 0.0
        if model.encoder is not None:
            front_end = model.encoder.front_end
            audio, samples = batch["audio"][:, 0], batch["samples"][:, 0]
            audio, samples = augmented_waveforms(self._augment, front_end, audio, samples, waveform_key)
            outputs = encode_views(
                self._augment, model.encoder, audio, samples, spectrogram_key=spectrogram_key, model_key=model_key
            )
            clip = outputs["clip"]
            if self._heads is not None:
                heads_loss = self._heads.head_losses(outputs, batch)
        logits = model.judge(clip, batch["cohort"], batch["tastes"], judge_key)
        each = losses.binary_cross_entropy(logits, batch["said"])
        return heads_loss + jnp.sum(batch["counts"] * each, axis=1) / self._mean_count, batch["weights"]

    def predict(
        self, model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        """'clip' float32 [B, C] of each piece of audio ('audio' [B, 1, N]); of no size for a model that hears nothing.

        Clip vectors are the mean of their pieces'; `probabilities` takes them on from there.
        """
        if model.encoder is None:
            return {"clip": _unheard(batch)}
        return {"clip": clip_outputs(model, rows, batch)["clip"]}

    def probabilities(self, model: Any, clip: jax.Array, codes: jax.Array, tastes: jax.Array) -> jax.Array:
        """That it is said, by each listener of one clip.

        Args:
          model: as in `loss`.
          clip: float32 [N, C].
          codes: int32 [N, columns].
          tastes: float32 [N, 1 + G, T].

        Returns:
          float32 [N, T].
        """
        return jax.nn.sigmoid(model.judge(clip, codes[:, None], tastes[:, None])[:, 0])


def _unheard(batch: Mapping[str, Any]) -> jax.Array:
    return jnp.zeros((len(batch["audio"]), 0), jnp.float32)
