"""Supervised learning of clips: classes, tags and numbers, each by a head of its own, all from one encoder."""

from collections.abc import Mapping
from typing import Annotated, Any, Protocol

import jax
import jax.numpy as jnp

from mu.audio.augment import mixup
from mu.nn.heads import Head
from mu.ranges import Between, NonNegative, Rate
from mu.tasks.audio_views import AudioModel, augmented_waveforms, clip_outputs, encode_views, flat_crops
from mu.tasks.augmentations import Augmentations
from mu.tasks.clip_heads import LabelledTarget, heads_of


class LabelledClips(Protocol):
    """Clips with labels; `mu.data.clips.clips.Clips` is one."""

    @property
    def sample_rate_hz(self) -> int: ...
    @property
    def targets(self) -> Mapping[str, LabelledTarget]: ...


class ClipTargets:
    """Supervised learning of every target of the data: classification, multi-label tagging, regression, or several.

    The loss of a clip is the sum over heads of cross-entropy (classes), binary cross-entropy (tags) or squared error
    (numbers, standardised by the training clips), each times its weight; a head counts for nothing where a clip's
    target is not known. With mixup two clips' waveforms are added, and so are the losses towards either's targets.

    Args:
      data: the training clips.
      augment: augmentations of the clips, or None.
      mixup_alpha: of the Beta distribution of mixup's weights; 0 for none.
      label_smoothing: of the classes.
      head_weights: name -> weight; 1 for targets without an entry.

    Attributes:
      offers: 'outputs', the heads, and 'sample_rate_hz', for the model's constructor.
      requires: names that the model must return.
      compares_examples: the loss of an example does not depend on the others of its batch; mixup draws its partner
        from them, which a microbatch may do too.
      needs_all_items: no step needs the rows of a whole catalogue.
    """

    compares_examples = False
    needs_all_items = False

    def __init__(
        self,
        *,
        data: LabelledClips,
        augment: Augmentations | None = None,
        mixup_alpha: Annotated[float, Between(0, 1_000)] = 0.0,
        label_smoothing: Rate = 0.0,
        head_weights: Mapping[str, NonNegative] | None = None,
    ):
        if not data.targets:
            raise ValueError("the clips have no targets: name their columns in data.classes, data.tags or data.numbers")
        if mixup_alpha < 0:
            raise ValueError(f"mixup_alpha={mixup_alpha}; it must not be negative")
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing={label_smoothing}; it must be at least 0 and below 1")
        weights = dict(head_weights or {})
        unknown = set(weights) - set(data.targets)
        if unknown:
            raise ValueError(f"head_weights names {min(unknown)!r}; the targets are {', '.join(data.targets)}")
        self._heads = heads_of(data.targets, label_smoothing)
        outputs = {name: Head(len(target.names)) for name, target in data.targets.items()}
        self.offers: Mapping[str, Any] = {"outputs": outputs, "sample_rate_hz": data.sample_rate_hz}
        self.requires = frozenset({"clip", *outputs})
        self._weights = {name: float(weights.get(name, 1.0)) for name in self._heads}
        self._augment, self._mixup_alpha = augment, mixup_alpha

    def loss(
        self, model: AudioModel, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B C], weights [B C]) of every crop.

        Args:
          model: `mu.models.audio_encoder.AudioEncoder`, or what has its `front_end` and `encode`.
          rows: none.
          batch: of `mu.data.batches.clips.ClipBatches`.
          key: for augmentations, mixup and dropout.
        """
        del rows
        waveform_key, mixup_key, spectrogram_key, model_key = jax.random.split(key, 4)
        crops = batch["audio"].shape[1]
        targets = {name: jnp.repeat(batch[name], crops, axis=0) for name in self._heads}
        audio, samples = augmented_waveforms(self._augment, model.front_end, *flat_crops(batch), waveform_key)
        partner, share = None, jnp.ones(len(audio), jnp.float32)
        if self._mixup_alpha:
            audio, partner, share = mixup(mixup_key, audio, alpha=self._mixup_alpha)
            samples = jnp.maximum(samples, samples[partner])
        outputs = encode_views(
            self._augment, model, audio, samples, spectrogram_key=spectrogram_key, model_key=model_key
        )
        values = share * self.head_losses(outputs, targets)
        if partner is not None:
            mixed = {name: target[partner] for name, target in targets.items()}
            values = values + (1.0 - share) * self.head_losses(outputs, mixed)
        return values, jnp.repeat(batch["weights"], crops)

    def head_losses(self, outputs: Mapping[str, jax.Array], targets: Mapping[str, jax.Array]) -> jax.Array:
        """The weighted sum of the heads' losses, [B].

        Args:
          outputs: of the encoder; 'clip' and each target's logits or numbers under its name.
          targets: true values under the same names.
        """
        total = jnp.zeros(len(outputs["clip"]), jnp.float32)
        for name, head in self._heads.items():
            total = total + self._weights[name] * head.loss(outputs[name], targets[name])
        return total

    def predict(
        self, model: AudioModel, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        """Clip vectors and predictions of every head for pieces of audio ('audio' [B, 1, N], 'samples' [B, 1]).

        Returns:
          'clip' [B, D]; and name -> float32 [B, C]: probabilities of classes or tags, numbers in their own units.
        """
        outputs = clip_outputs(model, rows, batch)
        return {"clip": outputs["clip"]} | {name: head.predict(outputs[name]) for name, head in self._heads.items()}
