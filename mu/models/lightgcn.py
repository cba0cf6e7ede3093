"""LightGCN and LightGCN++: factors of listeners and tracks, smoothed over the graph of who has played what."""

from collections.abc import Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.normalise import unit
from mu.nn.table import Buffer, Table
from mu.ranges import Between, NonNegative, Positive, Share, Size
from mu_kernels.xla import Bipartite, neighbour_sums

Exponent = Annotated[float, Between(-2, 2)]
LISTENERS, TRACKS = "smoothed_users", "smoothed_items"


class LightGCN(nnx.Module):
    """score(u, i) = <x_u, x_i> / temperature of vectors smoothed over L layers; with `cosine`, of these at length 1.

        e_v^(l+1) = sum over the neighbours w of v of n_v^-alpha n_w^-beta f(e_w^(l))
        x_v = gamma e_v^(0) + (1 - gamma) / L sum over l = 1..L of e_v^(l)

    e^(0) are the learnt rows; the neighbours of a listener are the tracks that they have played, those of a track its
    listeners, and n_v says how many there are. f is the identity, or with `normalise` it scales a vector to length 1.

    - LightGCN (He et al., SIGIR 2020, arXiv:2002.02126): alpha = beta = .5, gamma = 1 / (L + 1), the defaults.
    - LightGCN++ (Lee, Kim & Shin, RecSys 2024): `normalise`, and alpha, beta and gamma are chosen; .6, -.1 and .2 on
      Last.fm.

    The graph comes with training batches (`mu.data.batches.pairs.PairBatches` with `graph`), each of which computes the
    smoothed vectors of all listeners and tracks. Those of the last batch are kept beside the tables, so that lists need
    no graph; the update after that batch is not in them yet. They are not of averaged weights: a run refuses
    `ema_decay`.

    Args:
      dim: D, size of the vectors.
      layers: L.
      alpha: exponent of the neighbours of the vertex that is smoothed.
      beta: exponent of the neighbours of its neighbour.
      gamma: what the vertex's own row counts; None for as much as each layer, 1 / (L + 1).
      normalise: whether vectors are scaled to length 1 before each layer.
      cosine: whether scores are cosines.
      temperature: that scores are divided by.
      scale: standard deviation of the initial vectors.
      rngs: unused here; every model takes it.
    """

    learns_with_graph = True

    def __init__(
        self,
        *,
        dim: Size = 64,
        layers: Size = 3,
        alpha: Exponent = 0.5,
        beta: Exponent = 0.5,
        gamma: Share | None = None,
        normalise: bool = False,
        cosine: bool = False,
        temperature: Positive = 1.0,
        scale: NonNegative = 0.1,
        rngs: nnx.Rngs,
    ):
        del rngs
        self.dim, self.layers, self.alpha, self.beta, self.normalise = dim, layers, alpha, beta, normalise
        self.gamma = 1 / (layers + 1) if gamma is None else gamma
        self.cosine, self.temperature, self.scale = cosine, temperature, scale
        self.buffers = nnx.Dict()

    def tables(self) -> dict[str, Table]:
        """The learnt rows of listeners and tracks, and the smoothed ones that were last computed."""
        return {
            "users": Table(ids="users", dim=self.dim, scale=self.scale),
            "items": Table(ids="items", dim=self.dim, scale=self.scale),
            LISTENERS: Table(ids="users", dim=self.dim, scale=0.0, learnt=False),
            TRACKS: Table(ids="items", dim=self.dim, scale=0.0, learnt=False),
        }

    def smoothed(self, users: jax.Array, items: jax.Array, played: Bipartite) -> tuple[jax.Array, jax.Array]:
        """The vectors x, float32 [U, D] and [V, D], of learnt rows of these shapes and the pairs of who played what."""
        from_users, to_users = _powers(played.indptr, self.beta), _powers(played.indptr, self.alpha)
        from_items, to_items = _powers(played.column_indptr, self.beta), _powers(played.column_indptr, self.alpha)
        share = (1 - self.gamma) / self.layers
        sums = self.gamma * users, self.gamma * items
        for _ in range(self.layers):
            if self.normalise:
                users, items = unit(users), unit(items)
            users, items = (
                to_users * neighbour_sums(from_items * items, played),
                to_items * neighbour_sums(from_users * users, played.transposed()),
            )
            sums = sums[0] + share * users, sums[1] + share * items
        return sums

    def __call__(
        self, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Query vectors of users.

        Args:
          rows: all rows of the tables: 'users' float32 [U, D], 'items' float32 [V, D], and the smoothed ones.
          batch: 'users' int32 [B]; in training 'graph', whose arrays are those of `mu_kernels.xla.Bipartite`.
          key: unused; every model takes it.

        Returns:
          'queries' float32 [B, D].

        Raises:
          ValueError: a training batch has no graph.
        """
        del key
        if "graph" in batch:
            users, items = self.smoothed(rows["users"], rows["items"], Bipartite(**batch["graph"]))
            self.buffers = nnx.Dict({LISTENERS: Buffer(users), TRACKS: Buffer(items)})
        elif "targets" in batch:
            raise ValueError(
                "LightGCN learns with the graph of plays: set batches.name='mu.data.batches.pairs:PairBatches' and "
                "batches.graph=True"
            )
        else:
            users = rows[LISTENERS]
        queries = users[batch["users"]]
        return {"queries": (unit(queries) if self.cosine else queries) / self.temperature}

    def item_vectors(self, rows: Mapping[str, jax.Array]) -> tuple[jax.Array, None]:
        """(float32 [V, D], no bias): in training those of the batch that the model was called with."""
        items = self.buffers[TRACKS][...] if TRACKS in self.buffers else rows[TRACKS]
        return (unit(items) if self.cosine else items), None


def _powers(indptr: jax.Array, exponent: float) -> jax.Array:
    """float32 [R, 1]: (neighbours of each row)^-exponent, 1 for one without neighbours."""
    neighbours = jnp.maximum(jnp.diff(indptr), 1).astype(jnp.float32)
    return (neighbours**-exponent)[:, None]
