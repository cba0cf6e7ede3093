"""What models of histories read: the vectors of tracks, and what else a play says."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.hashed_features import HashedFeatures
from mu.nn.linear import zero_linear
from mu.nn.table import Table

TIME_DELTAS, OUTCOMES, EARLIER_PLAYS = 24, 3, 16
"""Bins of the time since the play before, by powers of two of a second; outcomes: unknown, finished, skipped; bins of
the listener's earlier plays of the same track, by powers of two."""
FINISHED, SKIPPED = 1, 2
"""Two of the outcomes; 0 is unknown."""
PLAY_FEATURES = ("time_deltas", "outcomes", "earlier_plays", "event_columns")
"""Names of the arrays of a batch that say more of a play than its track (`mu.data.features.HistoryFeatures.events`)."""


class HistoryInputs(nnx.Module):
    """The vectors of tracks and plays of a sequence model, which has them as `inputs`.

    A track is the sum of a row of its own, of the vectors of its hashed features, of those of its neighbours and of a
    linear map of its numbers. A play is the sum of its track, the time since the play before, its outcome, how often
    the listener had played the track, and its event columns. Without any of these they are the rows alone, and the
    module has no parameters.

    With features of tracks the own row of a track that training does not play is left out: it has only moved away from
    those who did not play it.

    Args:
      dim: D.
      scale: standard deviation of the initial values, of the rows too.
      time_deltas: reads batch['time_deltas'].
      outcomes: reads batch['outcomes'].
      earlier_plays: reads batch['earlier_plays'].
      event_columns: name -> number of values, in the order of batch['event_columns'], where 0 is 'unknown'.
      hash_size: number of vectors of hashed features of tracks; 0 for none.
      item_numbers: F, numeric features of a track; 0 for none.
      neighbours: V, tracks that have a second vector, as neighbours of others; 0 for none.
      rngs: source of the initial values.
    """

    def __init__(
        self,
        dim: int,
        scale: float,
        *,
        time_deltas: bool = False,
        outcomes: bool = False,
        earlier_plays: bool = False,
        event_columns: Mapping[str, int] | None = None,
        hash_size: int = 0,
        item_numbers: int = 0,
        neighbours: int = 0,
        rngs: nnx.Rngs,
    ):
        self.dim, self.scale = dim, scale
        event_columns = event_columns or {}

        def vectors(count: int) -> nnx.Param:
            return nnx.Param(scale * jax.random.normal(rngs.params(), (count, dim), jnp.float32), axes=(None, "embed"))

        self.delta = vectors(TIME_DELTAS) if time_deltas else None
        self.outcome = vectors(OUTCOMES) if outcomes else None
        self.earlier = vectors(EARLIER_PLAYS) if earlier_plays else None
        self.column_names = tuple(event_columns)
        self.columns = nnx.Dict({name: vectors(size + 1) for name, size in event_columns.items()})
        self.track_features = HashedFeatures(hash_size, dim, scale, rngs=rngs) if hash_size else None
        # From zero, so that a number which is the same for all trained tracks says nothing of another one.
        self.from_numbers = zero_linear(2 * item_numbers, dim, (None, "embed"), rngs=rngs) if item_numbers else None
        self.of_neighbours = HashedFeatures(neighbours, dim, scale, rngs=rngs) if neighbours else None
        self.describes_tracks = bool(hash_size or item_numbers)

    def tables(self) -> dict[str, Table]:
        """The rows the trainer keeps: one for each track, used both as input and as output."""
        return {"items": Table(ids="items", dim=self.dim, scale=self.scale)}

    def trained(self, rows: Mapping[str, jax.Array], values: jax.Array) -> jax.Array:
        """What tables learnt of tracks, float32 [L, N]; with features of tracks 0 for those that nobody plays."""
        return jnp.where(rows["plays"] > 0, values, 0.0) if self.describes_tracks else values

    def tracks(self, rows: Mapping[str, jax.Array]) -> jax.Array:
        """float32 [L, D]: the vectors of tracks, as inputs and as what queries are multiplied with.

        Args:
          rows: 'items' float32 [L, D]; with features of tracks 'plays' float32 [L, 1] in training, and
            'item_features' int32 [L, P] or 'item_numbers' float32 [L, 2 F] (`mu.data.features.Standardizer`); and
            'neighbours' int32 [L, K], ids of tracks, -1 for none (`mu.data.neighbours.played_near`).
        """
        vectors = self.trained(rows, rows["items"])
        if self.track_features is not None:
            vectors = vectors + self.track_features(rows["item_features"])
        if self.of_neighbours is not None:
            vectors = vectors + self.of_neighbours(rows["neighbours"])
        if self.from_numbers is not None:
            vectors = vectors + self.scale * self.from_numbers(rows["item_numbers"])
        return vectors

    def __call__(self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array]) -> jax.Array:
        """float32 [B, T, D]: the vectors of plays.

        Args:
          rows: as of `tracks`.
          batch: 'items' int32 [B, T], indices into `rows`; of `PLAY_FEATURES` those that are read.
        """
        x = self.tracks(rows)[batch["items"]]
        x = add_play_features(x, batch, self.delta, self.outcome, self.columns, self.column_names)
        return x if self.earlier is None else x + self.earlier[batch["earlier_plays"]]


def add_play_features(
    x: jax.Array,
    batch: Mapping[str, jax.Array],
    delta: nnx.Param | None,
    outcome: nnx.Param | None,
    columns: Mapping[str, nnx.Param],
    names: Sequence[str],
) -> jax.Array:
    """Adds to x, [B, T, D], the vectors of the time since the play before, of outcomes and of event columns.

    Args:
      x: of the plays' tracks.
      batch: int32 'time_deltas' and 'outcomes' [B, T], 'event_columns' [B, T, C]; those that have vectors.
      delta: float32 [`TIME_DELTAS`, D], or None to leave them out.
      outcome: float32 [`OUTCOMES`, D], or None.
      columns: name -> float32 [values + 1, D].
      names: of the C columns, in the order of the batch.
    """
    if delta is not None:
        x = x + delta[batch["time_deltas"]]
    if outcome is not None:
        x = x + outcome[batch["outcomes"]]
    for place, name in enumerate(names):
        x = x + columns[name][batch["event_columns"][..., place]]
    return x
