"""Ratings of a clip by listeners: an audio encoder and a listener tower, either of which may be missing."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from flax import nnx

from mu.models.audio_encoder import AudioEncoder
from mu.nn.dropout import dropout
from mu.nn.linear import linear, zero_linear
from mu.nn.rating_spec import RatingSpec
from mu.ranges import Between, Rate, Size


class ListenerTower(nnx.Module):
    """GELU of the sum of the embeddings of a listener's codes.

    Args:
      columns: attributes of listeners, name -> number of codes; code 0 is an unknown value.
      dim: D, size of the vectors.
      dropout: rate at which a column becomes unknown in training, so that listeners with fewer known attributes are
        nothing new, and no column is relied on alone.
      rngs: source of the initial values.
    """

    def __init__(self, columns: Mapping[str, int], dim: int, dropout: float, *, rngs: nnx.Rngs):
        self.sizes, self.rate = tuple(columns.values()), dropout
        # Called 'kernel' because it is one, of a dense layer over one-hot codes: weight decay treats it as such.
        shape = (sum(self.sizes), dim)
        self.kernel = nnx.Param(
            jax.random.normal(rngs.params(), shape, jnp.float32) / math.sqrt(dim), axes=(None, "embed")
        )

    def __call__(self, codes: jax.Array, key: jax.Array | None) -> jax.Array:
        """int32 [..., columns] -> float32 [..., D]."""
        if key is not None and self.rate:
            codes = jnp.where(jax.random.bernoulli(key, jnp.float32(self.rate), codes.shape), 0, codes)
        firsts = [sum(self.sizes[:place]) for place in range(len(self.sizes))]
        firsts = jnp.expand_dims(jnp.array(firsts, jnp.int32), range(codes.ndim - 1))
        vectors = self.kernel[...][codes + firsts]
        return jax.nn.gelu(vectors.sum(axis=-2))


class RatingModel(nnx.Module):
    """Logits of the labels that a listener gives a clip.

        z = sum_g p_g r_g + A c + B w + P (U c * V w)

    r_g are the logits of the rates at which the listener's cell gives the labels to clips of class g
    (`mu.data.ratings.cell_rates`), and p_g is the probability of the class by the encoder. c is the encoder's clip
    vector and w the listener's vector; the terms are the effect of the clip, of the listener and of both together (of
    low rank). Without an encoder, or without classes, the first term is the cell's logit over all clips. Other terms
    of a missing part are left out.

    Args:
      encoder: a spec of `mu.models.audio_encoder:AudioEncoder`; None for a model of the listener alone.
      listener: whether the model has a listener tower.
      rank: of the term of both together; 0 leaves it out, for data with few clips.
      dim: of the listener's vectors.
      dropout: of the clip vector.
      listener_dropout: of `ListenerTower`.
      rating_spec: attributes of listeners, and the labels to be predicted.
      rngs: source of the initial values.
    """

    def __init__(
        self,
        *,
        encoder: AudioEncoder | None = None,
        listener: bool = True,
        rank: Annotated[int, Between(0, 65_536)] = 8,
        dim: Size = 16,
        dropout: Rate = 0.3,
        listener_dropout: Rate = 0.1,
        rating_spec: RatingSpec,
        rngs: nnx.Rngs,
    ):
        if encoder is None and not listener:
            raise ValueError("encoder=None and listener=False: there is nothing left to predict ratings from")
        for name, value in (("dropout", dropout), ("listener_dropout", listener_dropout)):
            if not 0 <= value < 1:
                raise ValueError(f"{name}={value}; it must be at least 0 and below 1")
        if rank < 0 or dim < 1:
            raise ValueError(f"rank={rank} and dim={dim}; they must be at least 0 and 1")
        if listener and not rating_spec.columns:
            raise ValueError(
                "listener=True, but the ratings have no attributes of listeners: name columns in data.categories or "
                "data.numbers"
            )
        self.rate, self.class_head = dropout, rating_spec.class_head
        self.encoder = encoder
        n_outputs = len(rating_spec.outputs)
        clip_dim = 0 if encoder is None else 2 * encoder.trunk.dim
        self.out_clip = zero_linear(clip_dim, n_outputs, rngs=rngs) if clip_dim else None
        self.listener = ListenerTower(rating_spec.columns, dim, listener_dropout, rngs=rngs) if listener else None
        self.out_listener = zero_linear(dim, n_outputs, rngs=rngs) if listener else None
        self.has_both = bool(clip_dim and listener and rank)
        if self.has_both:
            self.clip_factors = linear(clip_dim, rank, ("embed", None), dtype=jnp.float32, rngs=rngs)
            self.listener_factors = linear(dim, rank, ("embed", None), dtype=jnp.float32, rngs=rngs)
            self.out_both = zero_linear(rank, n_outputs, use_bias=False, rngs=rngs)

    def tables(self) -> dict[str, Any]:
        """No tables of rows."""
        return {}

    def __call__(
        self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array], key: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Clip vectors of audio and logits of ratings.

        Args:
          rows: none.
          batch: 'audio' float32 [B, S] and 'samples' int32 [B] for a model with an encoder; 'listener_codes' int32
            [B, R, columns] and 'cell_rates' float32 [B, R, 1 + G, T] where ratings are asked for.
          key: for dropout; None at inference.

        Returns:
          the outputs of the encoder, 'clip' float32 [B, C] among them (C is 0 without an encoder); 'logits' float32
          [B, R, T] where the batch has listeners.
        """
        encoder_key, rating_key = (None, None) if key is None else jax.random.split(key)
        if self.encoder is not None:
            outputs = self.encoder(rows, batch, encoder_key)
        elif "listener_codes" in batch:
            outputs = {"clip": jnp.zeros((len(batch["listener_codes"]), 0), jnp.float32)}
        else:
            raise ValueError("model.encoder=None: this model has no audio encoder, and gives no clip vectors")
        if "listener_codes" in batch:
            logits = self.logits(outputs["clip"], batch["listener_codes"], batch["cell_rates"], rating_key)
            outputs = outputs | {"logits": logits}
        return outputs

    def logits(
        self, clip: jax.Array, codes: jax.Array, cell_rates: jax.Array, key: jax.Array | None = None
    ) -> jax.Array:
        """Logits of the labels of R ratings of each clip.

        Args:
          clip: float32 [B, C], the encoder's clip vectors; [B, 0] without an encoder.
          codes: int32 [B, R, columns], of the listeners.
          cell_rates: float32 [B, R, 1 + G, T], logits (`mu.data.ratings.cell_rates`).
          key: for dropout; None at inference.

        Returns:
          float32 [B, R, T].
        """
        clip_key, listener_key = (None, None) if key is None else jax.random.split(key)
        logits = cell_rates[:, :, 0]
        if self.encoder is not None and self.class_head is not None:
            # Ratings must not change which class the encoder predicts: that is learnt from labels of the clips.
            classes = jax.lax.stop_gradient(jax.nn.softmax(self.encoder.heads[self.class_head](clip)))
            logits = jnp.einsum("bg,brgt->brt", classes, cell_rates[:, :, 1:])
        if self.out_clip is not None:
            clip = dropout(clip, self.rate, clip_key)[:, None]
            logits = logits + self.out_clip(clip)
        if self.listener is not None and self.out_listener is not None:
            listener = self.listener(codes, listener_key)
            logits = logits + self.out_listener(listener)
            if self.has_both:
                logits = logits + self.out_both(self.clip_factors(clip) * self.listener_factors(listener))
        return logits
