"""One model of sound and listeners: tracks from what is known, said and heard of them, listeners from their plays."""

import math
import warnings
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from mu.models.audio_encoder import AudioEncoder
from mu.nn.attention import packed_causal_mask
from mu.nn.blocks import Norm, Stack
from mu.nn.dropout import dropout
from mu.nn.hashed_features import HashedFeatures
from mu.nn.heads import Head
from mu.nn.linear import linear
from mu.nn.table import Kept, Table

AGES_DAYS = (1.0, 7.0, 14.0, 28.0, 56.0, 112.0, 224.0, 448.0)
"""Where one age of a track ends and the next begins."""
AGE_STEP = 10.0
"""The ages are few numbers, each seen in few plays: their steps are so many times those of other parameters."""
GAPS, OUTCOMES = 24, 3
"""Pauses before a play by powers of two of a second; a play's outcome is unknown, finished or skipped."""


class AudioUser(nnx.Module):
    """A track tower and a listener tower; their dot product says how likely a track is played next.

    A track's vector is the sum of three parts, each of which may be missing and then is a learnt constant: a row of its
    own (tracks that were played in training), a linear map of the audio encoder's clip vector (tracks that were heard)
    and the sum of its words' vectors (artist, year, tags). In training a track's own row is missing at random, so that
    the other two learn to stand for it.

    A listener is a causal transformer over the plays: the tracks' vectors, each with the pause before it, its context
    and how it ended, and the words known of the listener. Positions are rotary: a place counted from the end would tell
    how many plays are left, which is known in training only. A listener without plays is what their words say.

    The clip vectors of all tracks are kept beside the tables: a batch hears some tracks anew, the others count with
    what they were last.

    Args:
      audio: keyword arguments of `mu.models.audio_encoder.AudioEncoder`; None where nothing is heard.
      dim: D, of tracks and listeners.
      layers, heads, dropout: of the transformer, as in `mu.models.sasrec.SASRec`; dim / heads is even.
      drop_id: share of tracks whose own rows are missing in training.
      buckets: of words, as the data's.
      contexts: how many contexts of plays there can be.
      scale: standard deviation of the initial rows.
      dtype: of the transformer, 'float32' or 'bfloat16'.
      sample_rate_hz: of the audio, None where there is none.
      outputs: the audio heads that the task asks for.
      rngs: source of the initial values.
    """

    def __init__(
        self,
        *,
        audio: Mapping[str, Any] | None,
        dim: int = 64,
        layers: int = 1,
        heads: int = 1,
        dropout: float = 0.2,
        drop_id: float = 0.3,
        buckets: int = 4096,
        contexts: int = 16,
        scale: float = 0.1,
        dtype: str = "float32",
        sample_rate_hz: int | None,
        outputs: Mapping[str, Head],
        rngs: nnx.Rngs,
    ):
        if not 0 <= drop_id < 1:
            raise ValueError(f"drop_id={drop_id}; it must be at least 0 and below 1")
        self.dim, self.rate, self.scale, self.drop_id = dim, dropout, scale, drop_id
        self.contexts, self.buckets, self.dtype = contexts, buckets, jnp.dtype(dtype)
        # Without sound the data warn; the run goes on with the other parts.
        if audio is not None and sample_rate_hz is None:
            warnings.warn("no track has audio: the model's audio part is switched off", stacklevel=2)
        if audio is None or sample_rate_hz is None:
            self.audio = None
        else:
            self.audio = AudioEncoder(**audio, sample_rate_hz=sample_rate_hz, outputs=outputs, rngs=rngs)
            self.content_dim = 2 * self.audio.trunk.dim
            self.heard = linear(self.content_dim, dim, (None, "embed"), dtype=jnp.dtype(jnp.float32), rngs=rngs)

        def small(*shape: int) -> nnx.Param:
            return nnx.Param(
                scale * jax.random.normal(rngs.params(), shape), axes=(None,) * (len(shape) - 1) + ("embed",)
            )

        self.words = HashedFeatures(buckets, dim, scale, rngs=rngs)
        self.missing = small(2, dim)
        self.gap, self.outcome, self.context = small(GAPS, dim), small(OUTCOMES, dim), small(contexts + 1, dim)
        self.profile_words = HashedFeatures(buckets, dim, scale, rngs=rngs)
        self.stack = Stack(
            layers, dim, heads, block="transformer", rotary=True, rate=dropout, dtype=self.dtype, rngs=rngs
        )
        self.norm = Norm(dim, dtype=self.dtype, rngs=rngs)
        self.cold = linear(dim, dim, ("embed", None), dtype=jnp.dtype(jnp.float32), rngs=rngs)
        self.age = nnx.Param(jnp.zeros(len(AGES_DAYS) + 1), axes=(None,))

    def __repr__(self) -> str:
        """Its parameters by part, and its rows for tracks; `nnx.display` shows every layer."""
        names = {"audio": "audio encoder", "heard": "audio encoder", "words": "words of tracks"}
        names["profile_words"] = "words of listeners"
        counts = dict.fromkeys([*names.values(), "listener tower"], 0)
        for path, value in nnx.to_flat_state(nnx.state(self, nnx.Param)):
            counts[names.get(str(path[0]), "listener tower")] += math.prod(value.shape)
        lines = [f"  {name:18}  {count:>11,}" for name, count in counts.items() if count]
        rows = " and ".join(f"{table.dim} numbers ({name})" for name, table in self.tables().items())
        top = f"AudioUser(dim={self.dim}, {sum(counts.values()):,} parameters:"
        return "\n".join([top, *lines, f"  and for each track {rows})"])

    __str__ = __repr__

    def tables(self) -> dict[str, Table]:
        """A row for each track, and the clip vector that it was last heard to have."""
        tables = {"items": Table(ids="items", dim=self.dim, scale=self.scale)}
        if self.audio is not None:
            tables["content"] = Table(ids="items", dim=self.content_dim, scale=0.0, learnt=False)
        return tables

    def track_parts(self, rows: Mapping[str, jax.Array], key: jax.Array | None = None) -> dict[str, jax.Array]:
        """What the vectors of tracks are the sum of: a score is the sum of the parts' scores, so it can be explained.

        Args:
          rows: see `__call__`.
          key: drops some of the tracks' own rows; None drops none.

        Returns:
          'own', 'words' and, where sound is heard, 'sound', float32 [L, D].
        """
        own = rows["plays"] > 0
        if key is not None:
            own = own & jax.random.bernoulli(key, 1.0 - self.drop_id, own.shape)
        parts = {"own": jnp.where(own, rows["items"], self.missing[0]), "words": self.words(rows["item_features"])}
        if self.audio is not None:
            known = jnp.any(rows["content"] != 0, axis=-1, keepdims=True)
            parts["sound"] = jnp.where(known, self.scale * self.heard(rows["content"]), self.missing[1])
        return parts

    def track_vectors(self, rows: Mapping[str, jax.Array], key: jax.Array | None = None) -> jax.Array:
        """float32 [L, D]: the sum of `track_parts`."""
        return sum(self.track_parts(rows, key).values(), jnp.float32(0))

    def age_bias(self, age_days: jax.Array) -> jax.Array:
        """What the age of a track adds to its score; float32 [...] days -> [...]."""
        # Sums of comparisons: to look ages up would cost more than the scores that they are added to.
        steps = jnp.diff(self.age[...])
        found = sum((step * (age_days >= edge) for edge, step in zip(AGES_DAYS, steps, strict=True)), self.age[0])
        return AGE_STEP * found

    def __call__(
        self,
        rows: Mapping[str, jax.Array],
        batch: Mapping[str, jax.Array],
        key: jax.Array | None = None,
        clips: jax.Array | None = None,
    ) -> dict[str, jax.Array]:
        """Encodes tracks and (packed) histories.

        Args:
          rows: 'items' float32 [L, D], 'item_features' int32 [L, P], 'plays' float32 [L, 1] and, where sound is heard,
            'content' float32 [L, A].
          batch: of `mu.data.batches.listening.ListeningBatches`.
          key: for dropout; None at inference.
          clips: float32 [M, A], what the encoder hears of tracks `batch['heard']`, to be kept.

        Returns:
          'tracks' float32 [L, D]; 'queries' float32 [B, T, D]: after position t, what comes next; 'cold' float32
          [B, T, D]: the same for somebody of whom only the words are known.
        """
        track_key, dropout_key, stack_key = (None,) * 3 if key is None else jax.random.split(key, 3)
        if clips is not None:
            rows = {**rows, "content": rows["content"].at[batch["clip_items"]].set(clips)}
            self.kept = nnx.Dict(content=Kept(rows["content"]))
        tracks = self.track_vectors(rows, track_key)
        profile = self.profile_words(batch["user_features"])
        held = (batch["segments"] > 0)[..., None]
        x = jnp.where(held, tracks[batch["items"]], 0.0) + profile
        context = batch["event_columns"][..., 0]
        x = x + self.gap[batch["time_deltas"]] + self.outcome[batch["outcomes"]] + self.context[context]
        x = dropout(x.astype(self.dtype), self.rate, dropout_key)
        mixed = self.stack(x, packed_causal_mask(batch["segments"]), batch["positions"], stack_key)
        return {"tracks": tracks, "queries": self.norm(mixed).astype(jnp.float32), "cold": self.cold(profile)}

    def item_vectors(self, rows: Mapping[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        """([L, D], [L]): what a query is multiplied with, and what is added as of the log's end."""
        return self.track_vectors(rows), self.age_bias(rows["age_days"][:, 0])
