"""Two towers: tracks from their ids, features and audio, users from their plays and features."""

import math
import warnings
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from mu.models.audio_encoder import AudioEncoder
from mu.nn.attention import packed_causal_mask
from mu.nn.blocks import Norm, Stack
from mu.nn.dropout import dropout
from mu.nn.earlier_tracks import EarlierTracks
from mu.nn.hashed_features import HashedFeatures
from mu.nn.heads import Head
from mu.nn.history import OUTCOMES, TIME_DELTAS, add_play_features
from mu.nn.linear import linear, zero_linear
from mu.nn.mean_history import MeanHistory
from mu.nn.table import Buffer, Table
from mu.ranges import ArgumentsOf, Between, CountOrZero, Divides, NonNegative, Precision, Rate, Size

AGES_DAYS = (1.0, 7.0, 14.0, 28.0, 56.0, 112.0, 224.0, 448.0)
"""Edges between the bins of a track's age."""
AGE_STEP = 10.0
"""Factor of the steps of the age biases: they are few numbers, each seen in few plays."""


class AudioUser(nnx.Module):
    """A track tower and a user tower; their dot product is the score of a track as the next play.

    The vector of a track is the sum of parts, each of which may be missing and then is a learnt constant: a row of its
    own (tracks that were played in training), a linear map of the audio encoder's clip vector (tracks with audio), an
    embedding of its hashed features (artist, year, tags) and a linear map of its numeric features (tempo, energy). In
    training the own row is missing at random, so that the others learn to stand for it.

    The user tower is a causal transformer over the plays, or an MLP of their mean. A play is the sum of the vector of
    its track, the time since the play before, its outcome, its event columns and the user's features. Positions are
    rotary: a position counted from the end would tell how many plays are left, which is known in training only. A user
    without plays is represented by their features.

    The clip vectors of all tracks are kept beside the tables. A batch encodes some tracks anew; the others count with
    the last vector that was computed.

    Args:
      audio: keyword arguments of `mu.models.audio_encoder.AudioEncoder`; None for a model without audio.
      dim: D, of tracks and users.
      history: 'transformer', or 'mean': the order of the plays counts for nothing, and `layers` and `heads` neither
        (`mu.nn.mean_history`).
      layers: of the transformer.
      heads: of the transformer; dim / heads is even.
      dropout: of the user tower.
      drop_id: share of tracks whose own rows are missing in training.
      max_column_values: most values of an event column.
      scale: standard deviation of the initial rows.
      dtype: of the user tower, 'float32' or 'bfloat16'.
      hash_size: number of vectors of hashed features, as the data's.
      item_numbers: F, numeric features of a track; 0 for none.
      earlier_tracks: N, earlier tracks of its artist that stand for a track whose own row is missing; 0 for none.
      event_columns: columns of a play, name -> number of values, in the order of `batch['event_columns']`.
      sample_rate_hz: of the audio, None where there is none.
      outputs: the heads of the audio encoder.
      rngs: source of the initial values.

    Attributes:
      age_edges_days: the ages, in days, at which `age_bias` changes.
    """

    age_edges_days = AGES_DAYS

    def __init__(
        self,
        *,
        audio: Annotated[Mapping[str, Any] | None, ArgumentsOf(AudioEncoder)],
        dim: Size = 64,
        history: Literal["transformer", "mean"] = "transformer",
        layers: Size = 1,
        heads: Annotated[int, Between(1, 1_024), Divides("dim")] = 1,
        dropout: Rate = 0.2,
        drop_id: Rate = 0.3,
        max_column_values: Size = 16,
        scale: NonNegative = 0.1,
        dtype: Precision = "float32",
        hash_size: int,
        item_numbers: CountOrZero = 0,
        earlier_tracks: CountOrZero = 0,
        event_columns: Mapping[str, int],
        sample_rate_hz: int | None,
        outputs: Mapping[str, Head],
        rngs: nnx.Rngs,
    ):
        if not 0 <= drop_id < 1:
            raise ValueError(f"drop_id={drop_id}; it must be at least 0 and below 1")
        if history not in ("transformer", "mean"):
            raise ValueError(f"history={history!r}; known: transformer, mean")
        for name, size in event_columns.items():
            if size > max_column_values:
                raise ValueError(
                    f"model.max_column_values={max_column_values}, but the event column {name!r} has {size} values: "
                    "set as many"
                )
        self.dim, self.rate, self.scale, self.drop_id = dim, dropout, scale, drop_id
        self.event_columns, self.dtype = tuple(event_columns), jnp.dtype(dtype)
        # Without audio the data warn; the run goes on with the other parts.
        if audio is not None and sample_rate_hz is None:
            warnings.warn("no track has audio: the model's audio part is switched off", stacklevel=2)
        if audio is None or sample_rate_hz is None:
            self.audio = None
        else:
            self.audio = AudioEncoder(**audio, sample_rate_hz=sample_rate_hz, outputs=outputs, rngs=rngs)
            self.content_dim = 2 * self.audio.trunk.dim
            self.from_content = linear(self.content_dim, dim, (None, "embed"), dtype=jnp.dtype(jnp.float32), rngs=rngs)

        def vectors(count: int) -> nnx.Param:
            return nnx.Param(scale * jax.random.normal(rngs.params(), (count, dim), jnp.float32), axes=(None, "embed"))

        self.track_features = HashedFeatures(hash_size, dim, scale, rngs=rngs)
        self.missing = vectors(2)
        self.delta, self.outcome = vectors(TIME_DELTAS), vectors(OUTCOMES)
        # Value 0 is 'unknown'.
        self.columns = nnx.Dict({name: vectors(max_column_values + 1) for name in event_columns})
        self.profile_features = HashedFeatures(hash_size, dim, scale, rngs=rngs)
        if history == "mean":
            self.stack = MeanHistory(dim, rate=dropout, dtype=self.dtype, rngs=rngs)
        else:
            self.stack = Stack(
                layers, dim, heads, block="transformer", rotary=True, rate=dropout, dtype=self.dtype, rngs=rngs
            )
        self.norm = Norm(dim, dtype=self.dtype, rngs=rngs)
        self.cold = linear(dim, dim, ("embed", None), dtype=jnp.dtype(jnp.float32), rngs=rngs)
        self.item_numbers = item_numbers
        if item_numbers:
            # Each with whether it is missing. From zero, so that what training never saw says nothing of a new track: a
            # number that no trained track lacks, or that is the same for all of them.
            self.from_numbers = zero_linear(2 * item_numbers, dim, (None, "embed"), rngs=rngs)
        self.earlier = EarlierTracks(dim, earlier_tracks, rngs=rngs) if earlier_tracks else None
        self.age = nnx.Param(jnp.zeros(len(AGES_DAYS) + 1, jnp.float32), axes=(None,))

    def __repr__(self) -> str:
        """The parameters by part, and the rows of a track; `nnx.display` shows every layer."""
        parts = {
            "audio": "audio encoder",
            "from_content": "audio encoder",
            "track_features": "features of tracks",
            "from_numbers": "features of tracks",
            "profile_features": "features of users",
        }
        counts = dict.fromkeys([*parts.values(), "user tower"], 0)
        for path, value in nnx.to_flat_state(nnx.state(self, nnx.Param)):
            counts[parts.get(str(path[0]), "user tower")] += math.prod(value.shape)
        lines = [f"  {name:18}  {count:>11,}" for name, count in counts.items() if count]
        rows = " and ".join(f"{table.dim} numbers ({name})" for name, table in self.tables().items())
        top = f"AudioUser(dim={self.dim}, {sum(counts.values()):,} parameters:"
        return "\n".join([top, *lines, f"  and for each track {rows})"])

    __str__ = __repr__

    def tables(self) -> dict[str, Table]:
        """A row for each track, and the clip vector that was last computed of it."""
        tables = {"items": Table(ids="items", dim=self.dim, scale=self.scale)}
        if self.audio is not None:
            tables["content"] = Table(ids="items", dim=self.content_dim, scale=0.0, learnt=False)
        return tables

    def track_parts(self, rows: Mapping[str, jax.Array], key: jax.Array | None = None) -> dict[str, jax.Array]:
        """The parts that the vectors of tracks are the sum of; a score is the sum of its parts' scores.

        Args:
          rows: see `__call__`.
          key: drops some of the tracks' own rows; None drops none.

        Returns:
          'own', 'features' and, in a model of them, 'numbers' and 'sound', float32 [L, D].
        """
        own = rows["plays"] > 0
        if key is not None:
            own = own & jax.random.bernoulli(key, jnp.float32(1.0 - self.drop_id), own.shape)
        parts = {"features": self.track_features(rows["item_features"])}
        if self.item_numbers:
            parts["numbers"] = self.scale * self.from_numbers(rows["item_numbers"])
        if self.audio is not None:
            has_content = jnp.any(rows["content"] != 0, axis=-1, keepdims=True)
            parts["sound"] = jnp.where(has_content, self.scale * self.from_content(rows["content"]), self.missing[1:])
        stands_in = self.missing[:1]
        if self.earlier is not None:
            described = sum(parts.values(), jnp.float32(0))
            stands_in = self.earlier(rows["items"], described, rows["earlier"], stands_in)
        return {"own": jnp.where(own, rows["items"], stands_in), **parts}

    def track_vectors(self, rows: Mapping[str, jax.Array], key: jax.Array | None = None) -> jax.Array:
        """float32 [L, D]: the sum of `track_parts`."""
        return sum(self.track_parts(rows, key).values(), jnp.float32(0))

    def age_bias(self, age_days: jax.Array) -> jax.Array:
        """The bias of a track by its age; float32 [...] days -> [...]."""
        # Sums of comparisons: a look-up would cost more than the scores that the bias is added to.
        steps = jnp.diff(self.age[...])
        older = [(age_days >= edge).astype(steps.dtype) for edge in AGES_DAYS]
        bias = sum((step * over for over, step in zip(older, steps, strict=True)), self.age[0])
        return AGE_STEP * bias

    def __call__(
        self,
        rows: Mapping[str, jax.Array],
        batch: Mapping[str, jax.Array],
        key: jax.Array | None = None,
        clips: jax.Array | None = None,
    ) -> dict[str, jax.Array]:
        """Encodes tracks and (packed) histories.

        Args:
          rows: 'items' float32 [L, D], 'item_features' int32 [L, P], 'plays' float32 [L, 1] and, in a model of them,
            'item_numbers' float32 [L, 2 F] (`mu.data.features.Standardizer`), 'content' float32 [L, A] and 'earlier'
            int32 [L, N], rows of the earlier tracks of each track's artist, -1 for none.
          batch: of `mu.data.batches.listening.ListeningBatches`; its 'earlier', of local ids, replaces that of the
            rows.
          key: for dropout; None at inference.
          clips: float32 [M, A], new clip vectors of the tracks `batch['clip_items']`, to be kept.

        Returns:
          'tracks' float32 [L, D]; 'queries' float32 [B, T, D], for the play after position t; 'cold' float32 [B, T, D],
          the same by the user's features alone.
        """
        if "earlier" in batch:
            rows = {**rows, "earlier": batch["earlier"]}
        track_key, dropout_key, stack_key = (None,) * 3 if key is None else jax.random.split(key, 3)
        if clips is not None:
            rows = {**rows, "content": rows["content"].at[batch["clip_items"]].set(clips)}
            self.buffers = nnx.Dict(content=Buffer(rows["content"]))
        tracks = self.track_vectors(rows, track_key)
        profile = self.profile_features(batch["user_features"])
        filled = (batch["segments"] > 0)[..., None]
        x = jnp.where(filled, tracks[batch["items"]], 0.0) + profile
        x = add_play_features(x, batch, self.delta, self.outcome, self.columns, self.event_columns)
        x = dropout(x.astype(self.dtype), self.rate, dropout_key)
        mixed = self.stack(x, packed_causal_mask(batch["segments"]), batch["positions"], stack_key)
        return {"tracks": tracks, "queries": self.norm(mixed).astype(jnp.float32), "cold": self.cold(profile)}

    def item_vectors(self, rows: Mapping[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        """(vectors [L, D] that a query is multiplied with, biases [L] as of the end of the log)."""
        return self.track_vectors(rows), self.age_bias(rows["age_days"][:, 0])
