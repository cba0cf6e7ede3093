"""Joint-embedding prediction without labels: hidden frames as the moving average of the encoder sees them."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from mu.nn.heads import Head
from mu.ranges import PartialShare, Size
from mu.tasks.audio_views import Recordings, clip_vectors, flat_crops, spectrograms
from mu.tasks.hidden_frames import mean_over_hidden, of_frames, spans


class JointEmbedding:
    """A joint-embedding predictive architecture with a moving-average teacher (I-JEPA, Assran et al. 2023,
    arXiv:2301.08243; of audio, A-JEPA, Fei et al. 2023, arXiv:2311.15830; targets as in data2vec, Baevski et al. 2022,
    arXiv:2202.03555).

    The encoder sees spectrograms in which spans of frames are set to the mean (0); a head of two layers predicts from
    each hidden frame what the moving average of the encoder, which sees the whole spectrogram, has there. The loss of a
    clip is the mean squared error over its hidden frames between standard scores over the D numbers, plus
    mean_d max(0, 1 - s_d), where s_d is the deviation of the encoder's number d over all frames of the batch (VICReg,
    Bardes et al. 2022, arXiv:2105.04906): without it an encoder that says the same of every frame has no loss.

    Args:
      data: the training clips.
      share: of the frames that are hidden, in the mean.
      span_frames: length of a span, in frames of the encoder.
      hidden: size of the head's hidden layer.

    Attributes:
      offers: 'outputs', the head, and 'sample_rate_hz', for the model's constructor.
      requires: names that the model must return.
      compares_examples: deviations are those over the whole batch.
      needs_all_items: no step needs the rows of a whole catalogue.
      learns_from_average: a batch of training has 'average', the model with the moving average of its parameters.
    """

    requires = frozenset({"frames", "mask", "clip", "embedding"})
    compares_examples = True
    needs_all_items = False
    learns_from_average = True

    def __init__(self, *, data: Recordings, share: PartialShare = 0.5, span_frames: Size = 4, hidden: Size = 256):
        if not 0 < share < 1:
            raise ValueError(f"share={share}; it must lie between 0 and 1")
        self._share, self._span_frames = share, span_frames
        outputs = {"embedding": Head("frame", of="frames", hidden=hidden)}
        self.offers: Mapping[str, Any] = {"outputs": outputs, "sample_rate_hz": data.sample_rate_hz}

    def loss(
        self, model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B C], weights [B C]) of every crop."""
        del rows
        crops = batch["audio"].shape[1]
        spectrogram, mask = spectrograms(model.front_end, *flat_crops(batch))
        targets, frame_mask = batch["average"].trunk(spectrogram, mask, None)
        span_key, model_key = jax.random.split(key)
        hidden = spans(span_key, targets.shape[:2], self._share, self._span_frames)
        visible = jnp.where(of_frames(hidden, model.trunk.stride_frames, spectrogram), 0.0, spectrogram)
        # The trunk alone: clip vectors' running statistics must not be those of half-hidden clips.
        frames, _ = model.trunk(visible, mask, model_key)
        spread = jnp.mean(jax.nn.relu(1.0 - _deviations(frames, frame_mask)))
        error = spread + jnp.mean(jnp.square(_standard(model.heads["embedding"](frames)) - _standard(targets)), axis=-1)
        losses, has_hidden = mean_over_hidden(error, hidden & frame_mask)
        return losses, jnp.repeat(batch["weights"], crops) * has_hidden

    predict = staticmethod(clip_vectors)


def _deviations(frames: jax.Array, mask: jax.Array) -> jax.Array:
    """float32 [D]: the standard deviation of each number over frames [B, F', D] inside the mask [B, F']."""
    inside, frames = mask[..., None].astype(jnp.float32), frames.astype(jnp.float32)
    count = jnp.maximum(jnp.sum(inside), 1.0)
    mean = jnp.sum(frames * inside, axis=(0, 1), keepdims=True) / count
    variance = jnp.sum(jnp.square(frames - mean) * inside, axis=(0, 1)) / count
    return jnp.sqrt(variance + 1e-4)


def _standard(frames: jax.Array) -> jax.Array:
    """Standard scores over the last axis, float32."""
    return jax.nn.standardize(frames.astype(jnp.float32), axis=-1)
