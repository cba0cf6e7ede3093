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


def silent(inputs: int, outputs: int, *, use_bias: bool = True, rngs: nnx.Rngs) -> nnx.Linear:
    """A dense layer that says 0 at first, so that a model begins at the rates that it is given.

    From random weights the first logits are noise that a few thousand responses do not undo: with the true genre in
    place of the sound, log loss of held-out tracks was .6585 and .4923 (liked, disliked), from nothing .6551 and .4900.
    """
    return nnx.Linear(
        inputs,
        outputs,
        use_bias=use_bias,
        kernel_init=nnx.initializers.zeros_init(),
        kernel_metadata={"axes": ("embed", None)},
        bias_metadata={"axes": (None,)},
        rngs=rngs,
    )


class Listener(nnx.Module):
    """Codes of what is known of a listener -> GELU of the sum of a vector for each.

    Args:
      columns: name -> how many codes; code 0 is 'not known'.
      dim: D, of the vectors.
      forget: rate at which a column is taken as not known in training; so that a listener of whom less is known is
        nothing new, and no column is relied on alone.
      rngs: source of the initial values.
    """

    def __init__(self, columns: Mapping[str, int], dim: int, forget: float, *, rngs: nnx.Rngs):
        self.sizes, self.forget = tuple(columns.values()), forget
        total = sum(self.sizes)
        # Called 'kernel' since it is one, of a dense layer over the codes spread out: it decays as such do.
        self.kernel = nnx.Param(jax.random.normal(rngs.params(), (total, dim)) / math.sqrt(dim), axes=(None, "embed"))

    def __call__(self, codes: jax.Array, key: jax.Array | None) -> jax.Array:
        """int32 [..., columns] -> float32 [..., D]."""
        if key is not None and self.forget:
            codes = jnp.where(jax.random.bernoulli(key, self.forget, codes.shape), 0, codes)
        firsts = [sum(self.sizes[:place]) for place in range(len(self.sizes))]
        vectors = self.kernel[...][codes + jnp.array(firsts, jnp.int32)]
        return jax.nn.gelu(vectors.sum(axis=-2))


class Opinions(nnx.Module):
    """Logits of what a listener says of a clip.

        z = sum_g p_g t_g + A c + B w + P (U c * V w)

    t_g are the logits at which listeners of this one's cell say it of clips of class g, and p_g how probable the class
    is by the sound. c is the encoder's clip vector and w that of the listener: what the clip is to everyone, what the
    listener says of anything, and what this listener makes of this clip (of low rank). Without an encoder, or without
    classes, the first term is the cell's logit over all clips; other terms of a part that is missing are left out.

    Args:
      encoder: a spec of `mu.models.audio_encoder:AudioEncoder`; None knows the listener alone.
      listener: whether it knows the listener.
      rank: of what both make together; 0 leaves that term out, which few clips may not carry.
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
        if rank < 0 or dim < 1:
            raise ValueError(f"rank={rank} and dim={dim}; they must be at least 0 and 1")
        if listener and not asked.columns:
            raise ValueError("nothing is known of listeners: name columns in data.words or data.numbers")
        self.rate, self.told, self.taste = dropout, len(asked.told), asked.taste
        self.encoder = encoder
        heard = 0 if encoder is None else 2 * encoder.trunk.dim
        self.of_clip = silent(heard, self.told, rngs=rngs) if heard else None
        self.listener = Listener(asked.columns, dim, forget, rngs=rngs) if listener else None
        self.of_listener = silent(dim, self.told, rngs=rngs) if listener else None
        self.together = bool(heard and listener and rank)
        if self.together:
            self.clip_side = linear(heard, rank, ("embed", None), dtype=jnp.float32, rngs=rngs)
            self.listener_side = linear(dim, rank, ("embed", None), dtype=jnp.float32, rngs=rngs)
            self.of_both = silent(rank, self.told, use_bias=False, rngs=rngs)

    def tables(self) -> dict[str, Any]:
        """No rows of a catalogue."""
        return {}

    def __call__(self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """What the encoder says of audio; see `mu.models.audio_encoder.AudioEncoder`."""
        if self.encoder is None:
            raise ValueError("model.encoder=None: this model hears nothing, and has no vectors of clips")
        return self.encoder(rows, batch)

    def judge(self, clip: jax.Array, codes: jax.Array, tastes: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Logits.

        Args:
          clip: float32 [N, C], the encoder's clip vectors; [N, 0] without one.
          codes: int32 [N, R, columns], R listeners to each clip.
          tastes: float32 [N, R, 1 + G, T]: see `mu.data.ratings.cell_rates`.
          key: for dropout; None at inference.

        Returns:
          float32 [N, R, T].
        """
        clip_key, listener_key = (None, None) if key is None else jax.random.split(key)
        logits = tastes[:, :, 0]
        if self.encoder is not None and self.taste is not None:
            # What is said of taste must not change what is heard as which class: that is learnt from labels.
            classes = jax.lax.stop_gradient(jax.nn.softmax(self.encoder.heads[self.taste](clip)))
            logits = jnp.einsum("ng,nrgt->nrt", classes, tastes[:, :, 1:])
        if self.of_clip is not None:
            clip = dropout(clip, self.rate, clip_key)[:, None]
            logits = logits + self.of_clip(clip)
        if self.listener is not None and self.of_listener is not None:
            who = self.listener(codes, listener_key)
            logits = logits + self.of_listener(who)
            if self.together:
                logits = logits + self.of_both(self.clip_side(clip) * self.listener_side(who))
        return logits
