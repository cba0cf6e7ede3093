"""Masked-token prediction without labels: hidden frames are predicted as codes of a fixed random projection."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from mu.losses import cross_entropy
from mu.nn.heads import Head
from mu.ranges import PartialShare, Seed, Size
from mu.tasks.audio_views import Recordings, clip_vectors, flat_crops, spectrograms
from mu.tasks.hidden_frames import mean_over_hidden, of_frames, spans

CODE_DIM = 16
"""Numbers of a code, as in Chiu et al. 2022."""


class MaskedTokens:
    """Masked prediction of random-projection codes (BEST-RQ, Chiu et al. 2022, arXiv:2202.01855; of music, MusicFM,
    Won et al. 2024, arXiv:2311.03318; with several books, OMAR-RQ, Alonso-Jiménez et al. 2025, arXiv:2507.03482).

    The token of a frame of the encoder is argmax_c <z(P x), code_c>, x being the spectrogram that the frame stands for
    and z the standard score of each number over the frames of the batch, so that what all frames share, such as louder
    bands, does not choose the code. P and the codes, on the unit sphere, are drawn from `seed` and never learnt. Spans
    of frames are set to the mean (0), and a linear head predicts their tokens: the loss of a clip is the mean
    cross-entropy over its hidden frames and all books.

    Args:
      data: the training clips.
      share: of the frames that are hidden, in the mean.
      span_frames: length of a span, in frames of the encoder.
      codes: of a book.
      books: sets of codes, each with a projection of its own.
      seed: of projections and codes.

    Attributes:
      offers: 'outputs', the head of tokens, and 'sample_rate_hz', for the model's constructor.
      requires: names that the model must return.
      compares_examples: projections are standardised over the whole batch.
      needs_all_items: no step needs the rows of a whole catalogue.
    """

    requires = frozenset({"frames", "mask", "clip", "tokens"})
    compares_examples = True
    needs_all_items = False

    def __init__(
        self,
        *,
        data: Recordings,
        share: PartialShare = 0.5,
        span_frames: Size = 4,
        codes: Size = 512,
        books: Size = 4,
        seed: Seed = 0,
    ):
        if not 0 < share < 1:
            raise ValueError(f"share={share}; it must lie between 0 and 1")
        if codes < 2:
            raise ValueError(f"codes={codes}; one code tells nothing, give at least 2")
        self._share, self._span_frames, self._shape, self._seed = share, span_frames, (books, codes), seed
        outputs = {"tokens": Head(books * codes, of="frames")}
        self.offers: Mapping[str, Any] = {"outputs": outputs, "sample_rate_hz": data.sample_rate_hz}

    def loss(
        self, model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B C], weights [B C]) of every crop."""
        del rows
        crops = batch["audio"].shape[1]
        spectrogram, mask = spectrograms(model.front_end, *flat_crops(batch))
        stride = model.trunk.stride_frames
        span_key, model_key = jax.random.split(key)
        tokens = self.tokens(spectrogram, mask, stride)
        hidden = spans(span_key, tokens.shape[:2], self._share, self._span_frames)
        visible = jnp.where(of_frames(hidden, stride, spectrogram), 0.0, spectrogram)
        # The trunk alone: clip vectors' running statistics must not be those of half-hidden clips.
        frames, frame_mask = model.trunk(visible, mask, model_key)
        logits = model.heads["tokens"](frames).reshape(*tokens.shape, -1)
        values = cross_entropy(logits, tokens).mean(axis=-1)
        losses, has_hidden = mean_over_hidden(values, hidden & frame_mask)
        return losses, jnp.repeat(batch["weights"], crops) * has_hidden

    def tokens(self, spectrogram: jax.Array, mask: jax.Array, stride_frames: int) -> jax.Array:
        """int32 [B, F', books], the code of each frame of the encoder in each book.

        Args:
          spectrogram: float32 [B, F, M].
          mask: bool [B, F], frames of the clip.
          stride_frames: frames of the spectrogram that one of the encoder stands for; F' = ceil(F / stride_frames).
        """
        patches = _patches(spectrogram, stride_frames)
        inside = _patches(mask[..., None], stride_frames).any(axis=-1)[..., None, None].astype(jnp.float32)
        books, codes = self._shape
        projection_key, code_key = jax.random.split(jax.random.key(self._seed))
        projection = jax.random.normal(projection_key, (patches.shape[-1], books, CODE_DIM), jnp.float32)
        projected = jnp.einsum("bfp,pkd->bfkd", patches, projection)
        count = jnp.maximum(jnp.sum(inside), 1.0)
        mean = jnp.sum(projected * inside, axis=(0, 1), keepdims=True) / count
        variance = jnp.sum(jnp.square(projected - mean) * inside, axis=(0, 1), keepdims=True) / count
        standard = (projected - mean) * jax.lax.rsqrt(variance + 1e-6)
        code = jax.random.normal(code_key, (books, codes, CODE_DIM), jnp.float32)
        code /= jnp.linalg.norm(code, axis=-1, keepdims=True)
        # The length of P x does not change which code is nearest on the sphere.
        return jnp.argmax(jnp.einsum("bfkd,kcd->bfkc", standard, code), axis=-1).astype(jnp.int32)

    predict = staticmethod(clip_vectors)


def _patches(frames: jax.Array, stride_frames: int) -> jax.Array:
    """[B, F, M] -> [B, F', stride_frames x M], the last filled up with zeros."""
    filled = jnp.pad(frames, ((0, 0), (0, -frames.shape[1] % stride_frames), (0, 0)))
    return filled.reshape(len(frames), -1, stride_frames * frames.shape[-1])
