"""What listeners make of a clip: an audio encoder and a tower for who is listening, either of which may be missing."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from mu.models.audio_encoder import AudioEncoder
from mu.nn.dropout import dropout
from mu.nn.heads import Asked
from mu.nn.linear import linear


class Listener(nnx.Module):
    """Codes of what is known of a listener -> two layers over the sum of a vector for each.

    Args:
      columns: name -> how many codes; code 0 is 'not known'.
      dim: of the vectors and of the hidden layer.
      size: of the result.
      forget: rate at which a column is taken as not known in training; so that a listener of whom less is known is
        nothing new, and no column is relied on alone.
      rngs: source of the initial values.
    """

    def __init__(self, columns: Mapping[str, int], dim: int, size: int, forget: float, *, rngs: nnx.Rngs):
        self.sizes, self.forget = tuple(columns.values()), forget
        total = sum(self.sizes)
        # Called 'kernel' since it is one, of a dense layer over the codes spread out: it decays as such do.
        self.kernel = nnx.Param(jax.random.normal(rngs.params(), (total, dim)) / math.sqrt(dim), axes=(None, "embed"))
        self.out = linear(dim, size, ("embed", None), dtype=jnp.float32, rngs=rngs)

    def __call__(self, codes: jax.Array, key: jax.Array | None) -> jax.Array:
        """int32 [..., columns] -> float32 [..., size]."""
        if key is not None and self.forget:
            codes = jnp.where(jax.random.bernoulli(key, self.forget, codes.shape), 0, codes)
        firsts = [sum(self.sizes[:place]) for place in range(len(self.sizes))]
        vectors = self.kernel[...][codes + jnp.array(firsts, jnp.int32)]
        return self.out(jax.nn.gelu(vectors.sum(axis=-2)))


class Opinions(nnx.Module):
    """Logits of what a listener says of a clip.

        z_t = a_t + w_t + sum_d p_td a_d w_d

    a is a linear map of the encoder's clip vector, w what the tower says of the listener: what the clip is to
    everyone, what the listener says of anything, and what this listener makes of this clip (low rank). The part that
    is missing leaves out its terms. Logits are over the training's base rate, which the task adds.

    Args:
      encoder: a spec of `mu.models.audio_encoder:AudioEncoder`; None knows the listener alone.
      listener: whether it knows the listener.
      rank: D, of what both make together.
      dim: of the listener's vectors.
      dropout: of the clip vector.
      forget: of `Listener`.
      asked: the listener's columns and what is to be told.
      rngs: source of the initial values.
    """

    def __init__(
        self,
        *,
        encoder: AudioEncoder | None = None,
        listener: bool = True,
        rank: int = 8,
        dim: int = 16,
        dropout: float = 0.3,
        forget: float = 0.1,
        asked: Asked,
        rngs: nnx.Rngs,
    ):
        if encoder is None and not listener:
            raise ValueError("encoder=None and listener=False: there is nothing to tell an opinion by")
        for name, value in (("dropout", dropout), ("forget", forget)):
            if not 0 <= value < 1:
                raise ValueError(f"{name}={value}; it must be at least 0 and below 1")
        if rank < 1 or dim < 1:
            raise ValueError(f"rank={rank} and dim={dim}; both must be at least 1")
        if listener and not asked.columns:
            raise ValueError("nothing is known of listeners: name columns in data.words or data.numbers")
        self.rate, self.told = dropout, len(asked.told)
        self.encoder = encoder
        size = self.told + rank
        self.heard = (
            None
            if encoder is None
            else linear(2 * encoder.trunk.dim, size, ("embed", None), dtype=jnp.float32, rngs=rngs)
        )
        self.who = Listener(asked.columns, dim, size, forget, rngs=rngs) if listener else None
        both = encoder is not None and listener
        self.together = (
            linear(rank, self.told, (None, None), use_bias=False, dtype=jnp.float32, rngs=rngs) if both else None
        )

    def tables(self) -> dict[str, Any]:
        """No rows of a catalogue."""
        return {}

    def judge(self, clip: jax.Array, codes: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Logits over the base rate.

        Args:
          clip: float32 [N, C], the encoder's clip vectors; [N, 0] without one.
          codes: int32 [N, R, columns], R listeners to each clip.
          key: for dropout; None at inference.

        Returns:
          float32 [N, R, T].
        """
        clip_key, who_key = (None, None) if key is None else jax.random.split(key)
        logits = jnp.zeros((*codes.shape[:2], self.told), jnp.float32)
        heard = who = None
        if self.heard is not None:
            heard = self.heard(dropout(clip, self.rate, clip_key))[:, None]
            logits = logits + heard[..., : self.told]
        if self.who is not None:
            who = self.who(codes, who_key)
            logits = logits + who[..., : self.told]
        if heard is not None and who is not None and self.together is not None:
            logits = logits + self.together(heard[..., self.told :] * who[..., self.told :])
        return logits
